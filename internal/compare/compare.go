// Package compare sets our columns beside those that the league publishes for the same pitches:
//
//	report, err := compare.Run(ctx, compare.Options{File: "savant.csv", Rows: reader})
//
//	savant.go  the league's CSV (statcast_search of Baseball Savant)
//	match.go   which line is which pitch
//	measure.go bias, error and limits of agreement of each column
package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/identify"
	"github.com/pitchstream/pitchstream/schemas"
)

// Rows are where our pitches are read.
type Rows interface {
	GamePitches(
		ctx context.Context, game string, after *schemas.PitchCursor, limit int,
	) ([]schemas.StoredRow, error)
}

// Options say what is compared.
type Options struct {
	File string
	Rows Rows
	// Feeds are files or URLs of feed/live. A line of one of their games is found exactly, by the numbers of its
	// at-bat and pitch.
	Feeds        []string
	MaxFeedBytes int64
	// All takes questionable values too. Without it only reliable bat speeds and contacts count.
	All bool
}

// Report is the result. Lines = ByID + ByFeed + ByOrder + Unmatched.
type Report struct {
	Lines     int64 `json:"lines"`
	Games     int64 `json:"games"`
	ByID      int64 `json:"matched_by_id"`    // the line names the play id
	ByFeed    int64 `json:"matched_by_feed"`  // the feed names the play id of its at-bat and pitch number
	ByOrder   int64 `json:"matched_by_order"` // by batter, pitcher, inning, result, order and speed
	Unmatched int64 `json:"unmatched"`
	// NotInFile counts our pitches of the file's games that no line is about.
	NotInFile int64     `json:"not_in_file"`
	Columns   []*Column `json:"columns"`
	Zone      Agreement `json:"in_zone"`
}

// pitchesOfAGame bounds the rows of one game. The longest game of the league had some 730.
const pitchesOfAGame = 3000

// Run compares a file with the stored rows, game by game.
func Run(ctx context.Context, o Options) (*Report, error) {
	file, err := fileinput.OpenFile(ctx, o.File, nil)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	games, err := readSavant(ctx, file, maxLines)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.File, err)
	}
	plays, err := readFeeds(ctx, o)
	if err != nil {
		return nil, err
	}
	r := &Report{Games: int64(len(games)), Columns: newColumns()}
	for _, game := range slices.Sorted(maps.Keys(games)) {
		rows, err := o.Rows.GamePitches(ctx, game, nil, pitchesOfAGame)
		if err != nil {
			return nil, err
		}
		r.add(games[game], rows, plays[game], o.All)
	}
	for _, c := range r.Columns {
		c.finish()
	}
	r.Zone.finish()
	if r.Lines == r.Unmatched {
		return r, errors.New("no line of the file is about a stored pitch: are these games stored, and their " +
			"batters and pitchers named (pitchstream identify)?")
	}
	return r, nil
}

// place is where a pitch is within its game, both counted from 1.
type place struct{ atBat, pitch int64 }

func readFeeds(ctx context.Context, o Options) (map[string]map[place]schemas.PitchID, error) {
	games := map[string]map[place]schemas.PitchID{}
	for _, feed := range o.Feeds {
		game, plays, err := identify.Plays(ctx, identify.Options{Feed: feed, MaxFeedBytes: o.MaxFeedBytes})
		if err != nil {
			return nil, err
		}
		games[game] = map[place]schemas.PitchID{}
		for _, p := range plays {
			if p.Pitch > 0 {
				games[game][place{p.AtBat, p.Pitch}] = p.ID
			}
		}
	}
	return games, nil
}

// add compares one game.
func (r *Report) add(lines []line, rows []schemas.StoredRow, plays map[place]schemas.PitchID, all bool) {
	matched := match(lines, rows, plays)
	r.Lines += int64(len(lines))
	r.NotInFile += int64(len(rows))
	for i := range lines {
		m := matched[i]
		switch m.by {
		case byNone:
			r.Unmatched++
			continue
		case byID:
			r.ByID++
		case byFeed:
			r.ByFeed++
		case byOrder:
			r.ByOrder++
		}
		r.NotInFile--
		for _, c := range r.Columns {
			c.add(&lines[i], m.row, all)
		}
		r.Zone.add(&lines[i], m.row)
	}
}

// Worst returns the pairs that are farthest from what is usual of their column, at most n.
func (r *Report) Worst(n int) (worst []Outlier) {
	for _, c := range r.Columns {
		for _, p := range c.Worst {
			if c.SD > 0 {
				worst = append(worst, Outlier{c, p, (p.Difference - c.Bias) / c.SD})
			}
		}
	}
	slices.SortStableFunc(worst, func(a, b Outlier) int { return cmp.Compare(abs(b.SDs), abs(a.SDs)) })
	return worst[:min(n, len(worst))]
}

// Outlier is a pair beside its column.
type Outlier struct {
	Column *Column
	Pair   Pair
	SDs    float64 // standard deviations from the column's bias
}
