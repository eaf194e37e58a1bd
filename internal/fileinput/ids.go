package fileinput

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"
	"unique"

	"github.com/pitchstream/pitchstream/schemas"
)

// IDs holds the identifiers that a game log gives each pitch. They are needed because tracking files name a
// batter only where the ball was hit. IDs is safe for concurrent use.
type IDs struct {
	// Notes are messages for the user about ignored columns.
	Notes  []string
	path   string
	byUUID map[schemas.PitchID]Identity
	byText map[string]Identity // event ids that are no UUID

	hasEventTimes bool
	atBatColumns  []string // those that the file has
}

// Identity is one line of the CSV file. An empty cell is missing.
type Identity struct {
	schemas.Identifiers
	GameDate  string // YYYY-MM-DD
	Venue     string
	GamePK    string
	EventTime schemas.Opt[schemas.TimeMS]

	line int32
}

// idColumns set the columns of the file. Only event_id is required.
var idColumns = map[string]func(id *Identity, cell string) error{
	schemas.HeaderBatterID:  func(id *Identity, s string) error { return setIdentifier(&id.BatterID, s) },
	schemas.HeaderPitcherID: func(id *Identity, s string) error { return setIdentifier(&id.PitcherID, s) },
	schemas.HeaderTeamID:    func(id *Identity, s string) error { return setIdentifier(&id.TeamID, s) },
	schemas.HeaderGameDate:  setGameDate,
	schemas.HeaderVenue:     func(id *Identity, s string) error { return setText(&id.Venue, s) },
	schemas.HeaderGamePK:    setGamePK,
	schemas.HeaderEventTime: setEventTime,

	schemas.HeaderAtBatNumber: func(id *Identity, s string) error { return setOrdinal(&id.AtBatNumber, s) },
	schemas.HeaderPitchNumber: func(id *Identity, s string) error { return setOrdinal(&id.PitchNumber, s) },
	schemas.HeaderBatterSide:  func(id *Identity, s string) error { return setSide(&id.BatterSide, s) },
	schemas.HeaderPitcherHand: func(id *Identity, s string) error { return setSide(&id.PitcherHand, s) },
}

const eventIDColumn = "event_id"

// atBatColumns are the columns that only identify sends: the core reads them of no measured record.
var atBatColumns = []string{
	schemas.HeaderAtBatNumber, schemas.HeaderPitchNumber, schemas.HeaderBatterSide, schemas.HeaderPitcherHand,
}

// LoadIDs reads a CSV file (see NewTable) with a header line. The columns may be in any order: event_id,
// batter_id, pitcher_id, team_id, game_date, venue, game_pk, event_time, and for identify at_bat_number,
// pitch_number, batter_side and pitcher_hand. Other columns are ignored with a note. An empty cell may also
// be written as pandas, R or Excel do (see IsMissing). A line that cannot be read is an error, because a
// silently missing identifier would make a whiff rate slightly wrong.
func LoadIDs(ctx context.Context, path string) (*IDs, error) {
	var readBytes atomic.Int64
	content, err := open(ctx, &File{Path: path}, nil, &readBytes)
	if errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s", path, reason(err))
	}
	defer content.close()
	ids, err := readIDs(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	ids.path = path
	return ids, nil
}

// HasEventTimes reports whether any line has an event_time.
func (x *IDs) HasEventTimes() bool { return x.hasEventTimes }

// Lookup returns the line of an event. The case of a UUID does not matter.
func (x *IDs) Lookup(eventID string) (Identity, bool) {
	if uuid, ok := schemas.ParsePitchID(eventID); ok {
		id, ok := x.byUUID[uuid]
		return id, ok
	}
	id, ok := x.byText[eventID]
	return id, ok
}

// Identify returns the line of a tracking record, found by its EventID. A nil IDs finds nothing.
func (x *IDs) Identify(record []byte) (Identity, bool) {
	if x == nil {
		return Identity{}, false
	}
	if eventID, ok := EventID(record); ok {
		return x.Lookup(eventID)
	}
	return Identity{}, false
}

// Pitches returns the lines whose event_id is a UUID, which is the pitch_id then. Their order is not the
// file's.
func (x *IDs) Pitches() iter.Seq2[schemas.PitchID, Identity] { return maps.All(x.byUUID) }

// Others returns the number of lines whose event_id is no UUID.
func (x *IDs) Others() int { return len(x.byText) }

// Headers returns the record headers of the identifiers that are not missing, except GamePK, which is the
// record's key.
func (id Identity) Headers() (hs []schemas.Header) {
	number := func(n schemas.Opt[int64]) []byte {
		if !n.Present {
			return nil
		}
		return strconv.AppendInt(nil, n.Value, 10)
	}
	hs = []schemas.Header{
		{Key: schemas.HeaderBatterID, Value: number(id.BatterID)},
		{Key: schemas.HeaderPitcherID, Value: number(id.PitcherID)},
		{Key: schemas.HeaderTeamID, Value: number(id.TeamID)},
		{Key: schemas.HeaderGameDate, Value: []byte(id.GameDate)},
		{Key: schemas.HeaderVenue, Value: []byte(id.Venue)},
	}
	if id.EventTime.Present {
		hs = append(hs, schemas.Header{Key: schemas.HeaderEventTime, Value: []byte(id.EventTime.Value.String())})
	}
	return slices.DeleteFunc(hs, func(h schemas.Header) bool { return len(h.Value) == 0 })
}

func readIDs(s *stream) (*IDs, error) {
	ids := &IDs{byUUID: map[schemas.PitchID]Identity{}, byText: map[string]Identity{}}
	rows, err := s.table(eventIDColumn, maxIDBytes)
	if err != nil {
		return nil, err
	}
	rows.ReuseRecord = true
	head, err := rows.Read()
	if err == io.EOF {
		return nil, errors.New("is empty: it needs a header line with event_id")
	}
	if err != nil {
		return nil, err
	}
	columns, err := ids.columns(head)
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return ids, nil
		}
		if err != nil {
			return nil, err // it names the line
		}
		line, _ := rows.FieldPos(0)
		if err := ids.add(row, columns, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// columns returns the names of the columns in lower case.
func (x *IDs) columns(head []string) (columns []string, err error) {
	for _, cell := range head {
		name := strings.ToLower(strings.TrimSpace(cell))
		if name != "" && slices.Contains(columns, name) {
			return nil, fmt.Errorf("the column %s appears twice", name)
		}
		columns = append(columns, name)
		if slices.Contains(atBatColumns, name) {
			x.atBatColumns = append(x.atBatColumns, name)
		}
		if name != eventIDColumn && idColumns[name] == nil {
			x.Notes = append(x.Notes, fmt.Sprintf("the column %q is ignored", cell))
		}
	}
	if !slices.Contains(columns, eventIDColumn) {
		return nil, fmt.Errorf("no column event_id among %s", strings.Join(head, ", "))
	}
	return columns, nil
}

// Bounds of the identifiers, which are held in memory: five seasons of the league. They are variables only so
// that tests can reach them.
var (
	maxIDBytes int64 = 512 << 20
	maxIDs           = 4_000_000
)

func (x *IDs) add(row, columns []string, line int) error {
	// guard: files: the identifiers in memory are bounded | len(x.byUUID)+len(x.byText) == maxIDs -> false
	if len(x.byUUID)+len(x.byText) == maxIDs {
		return fmt.Errorf("more than %d events: give the games in parts", maxIDs)
	}
	id := Identity{line: int32(min(line, math.MaxInt32))}
	eventID := ""
	for i, name := range columns {
		cell := strings.TrimSpace(row[i])
		if IsMissing(cell) {
			continue
		}
		if name == eventIDColumn {
			eventID = cell
		} else if set := idColumns[name]; set != nil {
			if err := set(&id, cell); err != nil {
				return err
			}
		}
	}
	if eventID == "" {
		return errors.New("event_id is empty")
	}
	if old, ok := x.Lookup(eventID); ok {
		if old.line = id.line; old != id {
			return fmt.Errorf("event_id %s is on an earlier line with other values", eventID)
		}
		return nil
	}
	x.hasEventTimes = x.hasEventTimes || id.EventTime.Present
	if uuid, ok := schemas.ParsePitchID(eventID); ok {
		x.byUUID[uuid] = id
	} else {
		x.byText[strings.Clone(eventID)] = id
	}
	return nil
}

func setIdentifier(to *schemas.Opt[int64], cell string) error {
	n, err := ParseIdentifier(cell)
	*to = schemas.Some(n)
	return err
}

// setOrdinal reads a number from 1 to 999, also as pandas writes one of a column with missing values.
func setOrdinal(to *schemas.Opt[int16], cell string) error {
	n, err := ParseIdentifier(cell)
	if err != nil || n < 1 || n > schemas.MaxPitchNumber {
		return fmt.Errorf("%q is no number from 1 to %d", cell, schemas.MaxPitchNumber)
	}
	*to = schemas.Some(int16(n))
	return nil
}

func setSide(to *schemas.Text, cell string) error {
	switch cell {
	case schemas.BatsRight, schemas.BatsLeft:
		*to = schemas.Text(intern(cell))
		return nil
	}
	return fmt.Errorf("%q is neither R nor L", cell)
}

// setGamePK reads the game as ParseGamePK does.
func setGamePK(id *Identity, cell string) error {
	pk, err := ParseGamePK(cell)
	if err != nil {
		return err
	}
	return setText(&id.GamePK, pk)
}

func setGameDate(id *Identity, cell string) error {
	date, err := ParseGameDate(cell)
	id.GameDate = intern(date)
	return err
}

func setText(to *string, cell string) error {
	isControl := func(c rune) bool { return c < 0x20 || c == 0x7f }
	if len(cell) > 64 || !utf8.ValidString(cell) || strings.ContainsFunc(cell, isControl) {
		return fmt.Errorf("%q is no text of at most 64 bytes of UTF-8 without control characters "+
			"(in Excel, save as CSV UTF-8)", cell)
	}
	*to = intern(cell)
	return nil
}

// intern returns a shared copy of a text, because the same one occurs on thousands of lines, and s would keep
// its whole line in memory.
func intern(s string) string { return unique.Make(s).Value() }

func setEventTime(id *Identity, cell string) error {
	t, err := ParseTime(cell)
	if err != nil {
		return fmt.Errorf("event_time %w", err)
	}
	id.EventTime = schemas.Some(schemas.TimeMSOf(t))
	return nil
}
