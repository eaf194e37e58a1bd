package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// comparison is one Topic under way.
type comparison struct {
	o       Options
	store   Store
	admin   *kadm.Client
	parts   kafkaread.Spans // what was read
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
	v.total = v.parts.Total()
	if err := v.read(ctx, v.parts); err != nil {
		return err
	}
	if err := v.afterRetention(ctx); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(v.parts)) {
		v.report.Partitions = append(v.report.Partitions, v.parts[id])
	}
	letters, found, err := v.letters.compare(ctx, v.reject, below(v.parts, committed))
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
func (v *comparison) processed(ctx context.Context) (kafkaread.Spans, error) {
	parts, err := kafkaread.Bounds(ctx, v.admin, v.o.Raw, kgo.ReadCommitted())
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

// below cuts spans off at some offsets.
func below(parts kafkaread.Spans, limits map[int32]int64) kafkaread.Spans {
	out := kafkaread.Spans{}
	for id, span := range parts {
		span.To = min(span.To, limits[id])
		out[id] = span
	}
	return out
}

// read resolves a part of the topic.
func (v *comparison) read(ctx context.Context, parts kafkaread.Spans) error {
	return kafkaread.Read(ctx, v.o.Client, v.o.Raw, parts, func(records []*kgo.Record) error {
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
	now, err := kafkaread.Bounds(ctx, v.admin, v.o.Raw, kgo.ReadCommitted())
	for id, span := range v.parts {
		span.From = max(span.From, now[id].From)
		v.parts[id] = span
	}
	return err
}
