package backfill

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// Spec is what the file of a backfill says.
type Spec struct {
	Name   string `yaml:"name"`
	Target string `yaml:"target"`
	// Files are loaded into the raw topic, one batch each. Without them the batches are those of the topic,
	// with what the archive holds beyond it.
	Files    []Files `yaml:"files"`
	Archive  string  `yaml:"archive"`
	Batches  string  `yaml:"batches"`  // month or date; not for Files
	Schedule string  `yaml:"schedule"` // CSV with game_pk and game_date; games: those of games load
	// Timestamp is that of the records of Files, so that they never win against live ones.
	Timestamp time.Time `yaml:"timestamp"`
	Gates     Gates     `yaml:"gates"`

	sha256 string
	games  []game // of Schedule
	// notDue are games of Schedule that were called off or have not begun.
	notDue map[string]bool
}

// LoadedGames is the schedule of the games that `games load` has brought.
const LoadedGames = "games"

// Files are the paths of one batch.
type Files struct {
	Path  string `yaml:"path"`
	Dates string `yaml:"dates"` // DATE..DATE, which the schedule is held against; "": not known
}

// Gates are the limits that each batch is held to before the next one begins.
type Gates struct {
	DeadLetters   *float64 `yaml:"dead_letters"`   // share of the records; 0.02
	MissingGames  *float64 `yaml:"missing_games"`  // of the schedule; 0
	Findings      *float64 `yaml:"findings"`       // of quality, by name; 3
	Shift         *float64 `yaml:"shift"`          // of a mean, in standard deviations; 0.5
	MissingValues *float64 `yaml:"missing_values"` // of a column, by how much the share rose; 0.1
}

// game is an expected game.
type game struct{ pk, date string }

// Bounds of what a backfill reads before it begins.
const (
	maxSpecBytes     = 1 << 20
	maxScheduleBytes = 16 << 20
	maxBatches       = 2000
)

// ReadSpec reads the file of a backfill, YAML or JSON, and its schedule.
func ReadSpec(path string) (s *Spec, err error) {
	text, err := readBounded(path, maxSpecBytes)
	if err != nil {
		return nil, err
	}
	s = &Spec{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	sum := sha256.Sum256(text)
	s.sha256 = hex.EncodeToString(sum[:])
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.Schedule != "" && s.Schedule != LoadedGames {
		if s.games, err = readSchedule(s.Schedule); err != nil {
			return nil, fmt.Errorf("schedule %s: %w", s.Schedule, err)
		}
		due := time.Now().UTC().Add(-12 * time.Hour).Format(time.DateOnly) // a night game ends on the next UTC date
		s.notDue = map[string]bool{}
		for _, g := range s.games {
			s.notDue[g.pk] = g.date >= due
		}
	}
	return s, nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	// guard: backfill: what is read before it begins is bounded
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s: more than %d bytes", path, limit)
	}
	return text, err
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

func (s *Spec) check() error {
	if !namePattern.MatchString(s.Name) {
		return fmt.Errorf("name: %q: want lower-case letters, digits, . _ and -, at most 63", s.Name)
	}
	if err := config.CheckTarget("target", s.Target); err != nil || s.Target == config.Live {
		return errors.Join(err, errors.New("target: want the name of a target beside live"))
	}
	switch {
	case len(s.Files) > maxBatches:
		return fmt.Errorf("files: want at most %d", maxBatches)
	case len(s.Files) > 0 && (s.Archive != "" || s.Batches != ""):
		return errors.New("files is one batch each: archive and batches are for what the topic has")
	case len(s.Files) == 0 && s.Batches != "month" && s.Batches != "date":
		return fmt.Errorf("batches: %q: want month or date", s.Batches)
	}
	for _, f := range s.Files {
		if f.Path == "" {
			return errors.New("files: a path is missing")
		}
		if _, _, err := datesOf(f.Dates); err != nil {
			return err
		}
	}
	if s.Archive != "" {
		if err := blob.Check(s.Archive); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	if s.Timestamp.IsZero() {
		s.Timestamp = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return s.Gates.fill()
}

// fill sets the limits that are not given.
func (g *Gates) fill() error {
	for limit, otherwise := range map[**float64]float64{
		&g.DeadLetters: 0.02, &g.MissingGames: 0, &g.Findings: 3, &g.Shift: 0.5, &g.MissingValues: 0.1,
	} {
		if *limit == nil {
			*limit = &otherwise
		}
		if !(**limit >= 0) {
			return fmt.Errorf("gates: %v: want 0 or more", **limit)
		}
	}
	return nil
}

// datesOf reads DATE or DATE..DATE; "" is neither.
func datesOf(text string) (from, to string, err error) {
	if text == "" {
		return "", "", nil
	}
	from, to, isRange := strings.Cut(text, "..")
	if !isRange {
		to = from
	}
	if !isDate(from) || !isDate(to) || from > to {
		return "", "", fmt.Errorf("dates: %q: want a date or two, as 2024-04-01..2024-04-30", text)
	}
	return from, to, nil
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// readSchedule reads the expected games, by date.
func readSchedule(path string) (games []game, err error) {
	text, err := readBounded(path, maxScheduleBytes)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", err)
	}
	pk, date := slices.Index(head, "game_pk"), slices.Index(head, "game_date")
	if pk < 0 || date < 0 {
		return nil, errors.New("want columns game_pk and game_date")
	}
	for {
		line, err := r.Read()
		switch {
		case err == io.EOF:
			slices.SortStableFunc(games, func(a, b game) int { return strings.Compare(a.date, b.date) })
			return games, nil
		case err != nil:
			return nil, err
		case line[pk] == "" || !isDate(line[date]):
			at, _ := r.FieldPos(pk)
			return nil, fmt.Errorf("line %d: want a game and its date as 2024-04-01", at)
		}
		games = append(games, game{line[pk], line[date]})
	}
}

// loadSchedule takes the games with a date that `games load` has brought.
func (s *Spec) loadSchedule(ctx context.Context, cfg pgsink.Config) error {
	store, err := pgsink.Reach(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	loaded, err := pgbooks.NewGames(store.DB()).Schedule(ctx, "", "", false)
	if err != nil {
		return err
	}
	if len(loaded) == 0 {
		return errors.New("schedule: games: no game with a date is known: pitchstream games load FILE")
	}
	s.notDue = map[string]bool{}
	for _, g := range loaded {
		s.notDue[string(g.GamePK)] = !g.IsDue
		s.games = append(s.games, game{string(g.GamePK), string(g.GameDate)})
	}
	return nil
}

// expected returns the games of the schedule between two dates.
func (s *Spec) expected(from, to string) (games []string) {
	for _, g := range s.games {
		// guard: backfill: a game that is not due is not missing | && !s.notDue[g.pk] ->
		if g.date >= from && g.date <= to && !s.notDue[g.pk] {
			games = append(games, g.pk)
		}
	}
	return games
}
