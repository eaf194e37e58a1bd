package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/schemas"
)

// line is one pitch as the league's CSV has it. A number that is missing is NaN, a text "", an integer 0.
type line struct {
	id              schemas.PitchID // zero: the file names none
	batter, pitcher int64
	inning          int64
	at              place
	result          schemas.Text // as our pitch_result
	values          [columns]float64
	zone            float64
}

// maxLines bounds what is held in memory. A season has 700,000 pitches.
const maxLines = 1_000_000

// maxFileBytes is more than maxLines have, some 700 bytes each.
const maxFileBytes = 4 << 30

// readSavant returns the lines by game. More than most are an error.
func readSavant(ctx context.Context, in io.Reader, most int) (map[string][]line, error) {
	table, err := fileinput.NewTable(ctx, in, "game_pk", maxFileBytes)
	if err != nil {
		return nil, err
	}
	table.ReuseRecord = true
	head, err := table.Read()
	if err == io.EOF {
		return nil, errors.New("is empty")
	}
	if err != nil {
		return nil, err
	}
	cells := map[string]int{}
	for i, name := range head {
		cells[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range []string{"game_pk", "batter", "pitcher", "at_bat_number", "pitch_number"} {
		if _, ok := cells[name]; !ok {
			return nil, fmt.Errorf("no column %s: want the CSV of Baseball Savant's search (statcast_search)", name)
		}
	}
	games := map[string][]line{}
	for n := 0; ; n++ {
		record, err := table.Read()
		if err == io.EOF {
			return games, nil
		}
		if err != nil {
			return nil, err
		}
		// guard: compare: the lines in memory are bounded
		if n >= most {
			return nil, fmt.Errorf("more than %d lines: give it in parts", most)
		}
		number, _ := table.FieldPos(0)
		game, l, err := (&parser{cells, record}).line()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		games[game] = append(games[game], l)
	}
}

// parser reads the cells of one line.
type parser struct {
	cells  map[string]int
	record []string
}

func (p *parser) text(name string) string {
	i, ok := p.cells[name]
	if !ok {
		return ""
	}
	cell := strings.TrimSpace(p.record[i])
	if fileinput.IsMissing(cell) {
		return ""
	}
	return cell
}

func (p *parser) number(name string) (float64, error) {
	cell := p.text(name)
	if cell == "" {
		return math.NaN(), nil
	}
	n, err := strconv.ParseFloat(cell, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%s %.40q is no number", name, cell)
	}
	return n, nil
}

// integer reads a whole number, also as pandas writes it where a column has missing values: 660271.0.
func (p *parser) integer(name string) (int64, error) {
	n, err := p.number(name)
	if err != nil || math.IsNaN(n) {
		return 0, err
	}
	if n != math.Trunc(n) || abs(n) >= 1<<53 {
		return 0, fmt.Errorf("%s %.40q is no whole number", name, p.text(name))
	}
	return int64(n), nil
}

// results are our names for the CSV's column type.
var results = map[string]schemas.Text{"S": "Strike", "B": "Ball", "X": "HitIntoPlay"}

func (p *parser) line() (game string, l line, err error) {
	pk, err := p.integer("game_pk")
	if err == nil && pk == 0 {
		err = errors.New("game_pk is missing")
	}
	if err != nil {
		return "", l, err
	}
	for name, to := range map[string]*int64{
		"batter": &l.batter, "pitcher": &l.pitcher, "inning": &l.inning,
		"at_bat_number": &l.at.atBat, "pitch_number": &l.at.pitch,
	} {
		if *to, err = p.integer(name); err != nil {
			return "", l, err
		}
	}
	for _, name := range []string{"play_id", "sv_id"} { // an old sv_id is a time, and no play id
		if id, ok := schemas.ParsePitchID(p.text(name)); ok {
			l.id = id
		}
	}
	l.result = results[p.text("type")]
	for i, s := range specs {
		v, err := p.number(s.savant)
		if err != nil {
			return "", l, err
		}
		l.values[i] = v * s.scale
	}
	l.zone, err = p.number("zone")
	return strconv.FormatInt(pk, 10), l, err
}

func abs(x float64) float64 { return math.Abs(x) }
