// Package players loads the names of batters and pitchers from a CSV file into Postgres.
package players

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// Options say what to load, and where to.
type Options struct {
	Postgres pgsink.Config
	File     string    // "-": Stdin
	Stdin    io.Reader // read when File is "-"
}

// Report counts the players of a file, and those that it added or changed.
type Report struct{ Players, Changed int64 }

// Run reads the whole file, and then writes its players. It writes nothing if any line is wrong.
func Run(ctx context.Context, o Options) (r Report, err error) {
	in, err := fileinput.OpenFile(ctx, o.File, o.Stdin)
	if err != nil {
		return r, err
	}
	defer in.Close()
	players, err := read(ctx, in, o.File)
	if err != nil {
		return r, err
	}
	store, err := pgsink.Open(o.Postgres)
	if err != nil {
		return r, err
	}
	defer store.Close()
	r.Players = int64(len(players))
	r.Changed, err = pgbooks.NewPlayers(store.DB()).Set(ctx, players)
	return r, err
}

// maxFaults bounds the wrong lines that an error names.
const maxFaults = 20

// Bounds of a file, all of which is held in memory. They are variables only so that tests can reach them.
var (
	maxFileBytes int64 = 64 << 20
	maxPlayers         = 1_000_000
)

// read reads the file. Its error names the wrong lines, maxFaults at most.
func read(ctx context.Context, in io.Reader, name string) ([]schemas.Player, error) {
	r, err := fileinput.NewTable(ctx, in, "id", maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: want a first line id,name,team: %w", name, err)
	}
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(head[i]))
	}
	at := [3]int{slices.Index(head, "id"), slices.Index(head, "name"), slices.Index(head, "team")}
	if at[0] < 0 || at[1] < 0 {
		return nil, fmt.Errorf("%s:1: want the columns id, name and team, not %s", name, strings.Join(head, ","))
	}
	var players []schemas.Player
	var faults []error
	lines := map[int64]int{}
	for len(faults) < maxFaults {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, parse.Line, parse.Err))
			if parse.Err != csv.ErrFieldCount {
				break // the start of the next line is unknown
			}
			continue
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		// guard: players: the players in memory are bounded | len(players) == maxPlayers -> false
		if len(players) == maxPlayers {
			return nil, fmt.Errorf("%s: more than %d players: split the file", name, maxPlayers)
		}
		line, _ := r.FieldPos(0)
		p, err := playerOf(record, at)
		if first, twice := lines[p.ID]; err == nil && twice {
			err = fmt.Errorf("id %d is in line %d too", p.ID, first)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, line, err))
			continue
		}
		lines[p.ID] = line
		players = append(players, p)
	}
	return players, errors.Join(faults...)
}

// maxNameBytes bounds the length of a name or team.
const maxNameBytes = 200

func playerOf(record []string, at [3]int) (p schemas.Player, err error) {
	id := strings.TrimSpace(record[at[0]])
	if p.ID, err = fileinput.ParseIdentifier(id); err != nil {
		return p, fmt.Errorf("id %q: want a whole number", id)
	}
	if p.Name = strings.TrimSpace(record[at[1]]); p.Name == "" {
		return p, fmt.Errorf("id %d has no name", p.ID)
	}
	if at[2] >= 0 {
		if p.Team = strings.TrimSpace(record[at[2]]); fileinput.IsMissing(p.Team) {
			p.Team = ""
		}
	}
	for _, text := range []string{p.Name, p.Team} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return p, fmt.Errorf("id %d: %q: want UTF-8", p.ID, text)
		}
		if len(text) > maxNameBytes {
			return p, fmt.Errorf("id %d: a name of %d bytes: want %d at most", p.ID, len(text), maxNameBytes)
		}
	}
	return p, nil
}
