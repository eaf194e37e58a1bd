package verify

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// pageSize is how many registers are read at a time.
const pageSize = 2000

// compareAll judges every pitch once and gives those that differ.
func (v *comparison) compareAll(ctx context.Context, games, batters map[string]*Group) (map[schemas.PitchID]schemas.Difference, error) {
	suspects := map[schemas.PitchID]schemas.Difference{}
	seen := make(map[schemas.PitchID]bool, len(v.pitches.measured))
	var after schemas.PitchID
	for {
		page, err := v.store.Registers(ctx, after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, is := range page {
			seen[is.PitchID], after = true, is.PitchID
			if batter, game, stands := standsFor(is); stands {
				v.report.Postgres++
				count(games, game, func(g *Group) { g.Postgres++ })
				if batter.Present {
					count(batters, strconv.FormatInt(batter.Value, 10), func(g *Group) { g.Postgres++ })
				}
			}
			measured, identified := v.judge(is)
			switch {
			case measured == moving || identified == moving:
				v.report.Moving++
			case measured == notCheckable || identified == notCheckable:
				v.report.NotCheckable++
			}
			if d := v.difference(is, measured, identified); d != nil {
				suspects[is.PitchID] = *d
			}
		}
		if len(page) < pageSize {
			break
		}
	}
	for _, register := range []map[schemas.PitchID]winner{v.pitches.measured, v.pitches.identified} {
		for id := range register {
			if !seen[id] {
				seen[id] = true
				is := schemas.StoredRegisters{PitchID: id}
				measured, identified := v.judge(is)
				suspects[id] = *v.difference(is, measured, identified)
			}
		}
	}
	return suspects, nil
}

// lookAgain judges the suspects once more, with what has been processed meanwhile: a record may come again under its
// old coordinates, and a page may have been read just before a pitch came to stand in it.
func (v *comparison) lookAgain(ctx context.Context, suspects map[schemas.PitchID]schemas.Difference) (map[schemas.PitchID]schemas.Difference, error) {
	if len(suspects) == 0 {
		return suspects, nil
	}
	if err := wait(ctx, 100*time.Millisecond); err != nil {
		return nil, err
	}
	now, err := v.processed(ctx)
	if err != nil {
		return nil, err
	}
	tail := kafkaread.Spans{}
	for id, span := range now {
		was := v.parts[id]
		tail[id] = kafkaread.Span{Partition: id, From: max(span.From, was.To), To: span.To}
		was.To = max(was.To, span.To)
		v.parts[id] = was
	}
	if err := v.letters.update(ctx); err != nil {
		return nil, err
	}
	if err := v.read(ctx, tail); err != nil {
		return nil, err
	}
	return v.rejudge(ctx, sortedIDs(suspects))
}

// rejudge gives those of some pitches that differ now.
func (v *comparison) rejudge(ctx context.Context, ids []schemas.PitchID) (map[schemas.PitchID]schemas.Difference, error) {
	differ := map[schemas.PitchID]schemas.Difference{}
	for some := range slices.Chunk(ids, pageSize) {
		page, err := v.store.RegistersOf(ctx, some)
		if err != nil {
			return nil, err
		}
		now := map[schemas.PitchID]schemas.StoredRegisters{}
		for _, is := range page {
			now[is.PitchID] = is
		}
		for _, id := range some {
			is := now[id]
			is.PitchID = id
			measured, identified := v.judge(is)
			if d := v.difference(is, measured, identified); d != nil {
				differ[id] = *d
			}
		}
	}
	return differ, nil
}

func sortedIDs(all map[schemas.PitchID]schemas.Difference) []schemas.PitchID {
	return slices.SortedFunc(maps.Keys(all), func(a, b schemas.PitchID) int { return bytes.Compare(a[:], b[:]) })
}
