package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"pitchstream/schemas"
)

// comparison is one Topic under way.
type comparison struct {
	o       Options
	store   Store
	admin   *kadm.Client
	parts   spans // what was read
	letters *letterBook
	pitches *resolved
	reject  map[place]bool
	report  Report
	done    int64
	total   int64
}

// Topic compares the raw topic, up to the stored positions of the group at this moment, with the store. Processors may
// go on meanwhile: what they write beyond those positions is counted as moving.
func Topic(ctx context.Context, store Store, o Options) (Report, error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	client, err := kgo.NewClient(o.Client...)
	if err != nil {
		return Report{}, fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	v := &comparison{o: o, store: store, admin: admin, letters: openLetters(o, admin), pitches: newResolved(), reject: map[place]bool{}}
	if err := v.run(ctx); err != nil {
		return v.report, err
	}
	return v.report, nil
}

func (v *comparison) run(ctx context.Context) error {
	committed, err := v.committed(ctx)
	if err != nil {
		return err
	}
	if v.parts, err = v.processed(ctx); err != nil {
		return err
	}
	if err := v.letters.update(ctx); err != nil {
		return err
	}
	v.total = v.parts.total()
	if err := v.read(ctx, v.parts); err != nil {
		return err
	}
	if err := v.afterRetention(ctx); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(v.parts)) {
		v.report.Partitions = append(v.report.Partitions, v.parts[id])
	}
	letters, found, err := v.letters.compare(ctx, v.reject, v.parts.below(committed))
	if err != nil {
		return err
	}
	v.report.Letters = letters
	games, batters := v.topicGroups()
	suspects, err := v.compareAll(ctx, games, batters)
	if err != nil {
		return err
	}
	if suspects, err = v.lookAgain(ctx, suspects); err != nil {
		return err
	}
	if v.o.Repair {
		if err := v.repair(ctx, suspects); err != nil {
			return err
		}
	}
	for _, id := range sortedIDs(suspects) {
		d := suspects[id]
		v.report.Differences = append(v.report.Differences, d)
		count(games, d.GamePK, func(g *Group) { g.Differ++ })
		if d.BatterID != nil {
			count(batters, strconv.FormatInt(*d.BatterID, 10), func(g *Group) { g.Differ++ })
		}
	}
	slices.SortFunc(found, func(a, b schemas.Difference) int { return cmp.Compare(a.Key, b.Key) })
	v.report.Differences = append(v.report.Differences, found...)
	v.report.Games, v.report.Batters = differing(games), differing(batters)
	return nil
}

// committed are the offsets that the group has committed: letters of records below are in their topic.
func (v *comparison) committed(ctx context.Context) (map[int32]int64, error) {
	fetched, err := v.admin.FetchOffsets(ctx, v.o.Group)
	out := map[int32]int64{}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return out, nil // no processor has begun
	} else if err != nil {
		return nil, fmt.Errorf("kafka: offsets of %s: %w", v.o.Group, err)
	}
	fetched.Each(func(o kadm.OffsetResponse) {
		if o.Topic == v.o.Raw {
			out[o.Partition] = o.At
		}
	})
	return out, nil
}

// processed are the parts of the topic that the store holds, as its positions say.
func (v *comparison) processed(ctx context.Context) (spans, error) {
	parts, err := ends(ctx, v.admin, v.o.Raw)
	if err != nil {
		return nil, err
	}
	positions, err := v.store.AppliedPositions(ctx)
	if err != nil {
		return nil, err
	}
	upTo := map[int32]int64{}
	for _, p := range positions {
		if p.Topic == v.o.Raw {
			upTo[p.Partition] = p.NextOffset
		}
	}
	for id, span := range parts {
		span.To = max(span.From, min(span.To, upTo[id]))
		parts[id] = span
	}
	return parts, nil
}

func (s spans) below(limits map[int32]int64) spans {
	out := spans{}
	for id, span := range s {
		span.To = min(span.To, limits[id])
		out[id] = span
	}
	return out
}

// read resolves a part of the topic.
func (v *comparison) read(ctx context.Context, parts spans) error {
	return readTopic(ctx, v.o.Client, v.o.Raw, parts, func(records []*kgo.Record) error {
		for _, d := range decodeAll(records, v.o.Limits) {
			at := place{d.partition, d.offset}
			switch {
			case d.rejection != nil:
				v.reject[at] = true
			case !v.letters.refused(at):
				v.pitches.add(&d.change)
			}
		}
		v.report.Records += int64(len(records))
		v.done += int64(len(records))
		v.o.Progress(v.done, v.total)
		return nil
	})
}

// afterRetention raises the starts to what is still there: what was dropped during the reading may not have been read.
func (v *comparison) afterRetention(ctx context.Context) error {
	now, err := ends(ctx, v.admin, v.o.Raw)
	for id, span := range v.parts {
		span.From = max(span.From, now[id].From)
		v.parts[id] = span
	}
	return err
}

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
	tail := spans{}
	for id, span := range now {
		was := v.parts[id]
		tail[id] = Span{Partition: id, From: max(span.From, was.To), To: span.To}
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

// topicGroups counts the standing pitches of the topic by game and by batter.
func (v *comparison) topicGroups() (games, batters map[string]*Group) {
	games, batters = map[string]*Group{}, map[string]*Group{}
	for id := range v.pitches.measured {
		batter, game, stands := v.pitches.of(id)
		if !stands {
			continue
		}
		v.report.Topic++
		count(games, game, func(g *Group) { g.Topic++ })
		if batter.Present {
			count(batters, strconv.FormatInt(batter.Value, 10), func(g *Group) { g.Topic++ })
		}
	}
	return games, batters
}

func count(groups map[string]*Group, name string, add func(*Group)) {
	g := groups[name]
	if g == nil {
		g = &Group{Name: name}
		groups[name] = g
	}
	add(g)
}

func differing(groups map[string]*Group) (out []Group) {
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if g := groups[name]; g.Differ > 0 {
			out = append(out, *g)
		}
	}
	return out
}
