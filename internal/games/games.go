// Package games loads facts of games, as dates, ballparks and teams, into Postgres, and names the games that
// never came:
//
//	report, err := games.Load(ctx, games.Options{Postgres: pg, Files: []string{"schedule.csv"}})
//
//	read.go  files: CSV, JSON, the league's game feeds and schedules
//
// The facts are stored apart from the pitches: a game may be known before its first pitch. Those of a feed
// have the time of its time code, those of any other file the time when it is loaded. Within one file
// a fact that the newest record of a game lacks is taken from an older one, with its time. Each stored fact
// has its time, so that files and records may come in any order: an older fact replaces none, and is taken
// where the game lacks it.
package games

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// Options say what to load, and where to.
type Options struct {
	Postgres pgsink.Config // live's schema: the targets beside it get the facts too
	Serving  string        // the schema with the list of targets
	Files    []string      // "-": Stdin
	Stdin    io.Reader
	Lineage  *lineage.Emitter // gets what is read and written; nil: nothing is reported
}

// Report counts the games of the files. Changed were added or have another fact; Older were not written,
// because all that they say is older than what is stored.
type Report struct {
	Games   int64 `json:"games"`
	Changed int64 `json:"changed"`
	Older   int64 `json:"older"`
	Targets int   `json:"targets"` // beside live, which got the facts too
}

// Load reads all files, and then writes their games. It writes nothing if any file is wrong.
func Load(ctx context.Context, o Options) (r Report, err error) {
	tables := []lineage.Dataset{lineage.Table(o.Postgres.URL, o.Postgres.Schema, "games", nil)}
	run := o.Lineage.Begin(lineage.Job{Name: "games.load", Inputs: lineage.Paths(o.Files), Outputs: tables})
	defer func() {
		if err == nil {
			tables[0] = tables[0].Count(r.Changed)
		}
		run.End(ctx, err, lineage.Paths(o.Files), tables)
	}()
	lists := make([][]schemas.GameFacts, len(o.Files))
	for i, name := range o.Files {
		if lists[i], err = o.read(ctx, name); err != nil {
			return r, err
		}
		r.Games += int64(len(lists[i]))
	}
	targets, err := pgadmin.OpenTargets(o.Postgres, o.Serving)
	if err != nil {
		return r, err
	}
	beside, err := targets.List(ctx)
	targets.Close()
	if err != nil {
		return r, err
	}
	if r.Changed, r.Older, err = set(ctx, o.Postgres, o.Files, lists); err != nil {
		return r, err
	}
	var failed []error // a target that was not migrated keeps the facts from no other one
	for _, t := range beside {
		cfg := o.Postgres
		cfg.Schema = t.Schema
		if err := setTarget(ctx, cfg, o.Files, lists); err != nil {
			failed = append(failed, fmt.Errorf("live has the facts, but not target %s: %w", t.Name, err))
			continue
		}
		r.Targets++
		tables = append(tables, lineage.Table(cfg.URL, cfg.Schema, "games", nil))
	}
	return r, errors.Join(failed...)
}

// setTarget writes the games of each file into the schema of a target.
func setTarget(ctx context.Context, cfg pgsink.Config, files []string, lists [][]schemas.GameFacts) error {
	store, err := pgsink.Reach(ctx, cfg)
	if errors.Is(err, pgread.ErrNotMigrated) {
		return fmt.Errorf("%w with --postgres-schema=%s, and load again", err, cfg.Schema)
	}
	if err != nil {
		return err
	}
	store.Close()
	_, _, err = set(ctx, cfg, files, lists)
	return err
}

// set writes the games of each file into one schema. It returns how many were changed, and how many are older
// than what is stored.
func set(
	ctx context.Context, cfg pgsink.Config, files []string, lists [][]schemas.GameFacts,
) (changed, older int64, err error) {
	store, err := pgsink.Open(cfg)
	if err != nil {
		return 0, 0, err
	}
	defer store.Close()
	for i, list := range lists {
		c, n, err := pgbooks.NewGames(store.DB()).Set(ctx, list, files[i])
		if err != nil {
			return changed, older, err
		}
		changed, older = changed+c, older+n
	}
	return changed, older, nil
}

func (o *Options) read(ctx context.Context, name string) ([]schemas.GameFacts, error) {
	now := time.Now()
	in, err := fileinput.OpenFile(ctx, name, o.Stdin)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	games, err := Read(ctx, in, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return games, nil
}

// Missing returns the games between two dates, YYYY-MM-DD, of which no pitch is current. An empty from is no
// bound; an empty to is today in UTC.
func Missing(ctx context.Context, cfg pgsink.Config, from, to string) ([]schemas.GameFacts, error) {
	store, err := pgsink.Reach(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if to == "" {
		to = time.Now().UTC().Format(time.DateOnly)
	}
	return pgbooks.NewGames(store.DB()).Schedule(ctx, from, to, true)
}

// Print writes games, one a line.
func Print(out io.Writer, games []schemas.GameFacts) error {
	w := bufio.NewWriter(out)
	for _, g := range games {
		fmt.Fprintln(w, terminal.OneLine(fmt.Sprintf("%s  %s  %s at %s  %s", g.GameDate, g.GamePK,
			orDash(g.AwayTeam), orDash(g.HomeTeam), orDash(g.Venue))))
	}
	fmt.Fprintf(w, "%s of the schedule without a pitch\n", terminal.Counted(int64(len(games)), "game"))
	return w.Flush()
}

func orDash(t schemas.Text) schemas.Text {
	if t == "" {
		return "–"
	}
	return t
}
