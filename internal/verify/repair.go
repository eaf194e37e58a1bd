package verify

import (
	"bytes"
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// repairChanges is how many changes one transaction of a repair writes.
const repairChanges = 500

// repair reads the topic once more and writes again what it says of the pitches that are lost, older or otherwise. The
// store fences by version: what stands there newer stays, and positions do not move. It marks what is right afterwards.
func (v *comparison) repair(ctx context.Context, broken map[schemas.PitchID]schemas.Difference) error {
	todo := map[schemas.PitchID]bool{}
	for id, d := range broken {
		if repairable(d) {
			todo[id] = true
		}
	}
	if len(todo) == 0 {
		return nil
	}
	v.total += v.parts.Total()
	var held []schemas.Change
	err := kafkaread.Read(ctx, v.o.Client, v.o.Raw, v.parts, func(records []*kgo.Record) error {
		for _, d := range decodeAll(records, v.o.Limits) {
			if d.rejection == nil && todo[d.change.PitchID] && !v.letters.refused(place{d.partition, d.offset}) {
				held = append(held, d.change)
			}
		}
		v.done += int64(len(records))
		v.o.Progress(v.done, v.total)
		if len(held) < repairChanges {
			return nil
		}
		changes := held
		held = nil
		return v.write(ctx, changes)
	})
	if err == nil {
		err = v.write(ctx, held)
	}
	if err != nil {
		return err
	}
	left, err := v.rejudge(ctx, sortedIDs(broken))
	for id, d := range broken {
		if _, still := left[id]; !still {
			d.Repaired = true
			broken[id] = d
		}
	}
	return err
}

func (v *comparison) write(ctx context.Context, changes []schemas.Change) error {
	if len(changes) == 0 {
		return nil
	}
	outcome, err := v.store.Apply(ctx, schemas.Batch{Group: v.o.Group, Pitches: reduce(changes)})
	if err != nil || v.o.Push == nil || len(outcome.Snapshots) == 0 {
		return err
	}
	return v.o.Push(ctx, outcome.Snapshots)
}

// reduce gives each pitch once, sorted, with its measured versions newest first and its newest identify.
func reduce(changes []schemas.Change) []schemas.PitchChanges {
	byPitch := map[schemas.PitchID]*schemas.PitchChanges{}
	for _, c := range changes {
		p := byPitch[c.PitchID]
		if p == nil {
			p = &schemas.PitchChanges{PitchID: c.PitchID}
			byPitch[c.PitchID] = p
		}
		same := func(m schemas.Change) bool { return m.Version == c.Version }
		switch {
		case c.Op != schemas.OpIdentify && !slices.ContainsFunc(p.Measured, same):
			p.Measured = append(p.Measured, c)
		case c.Op == schemas.OpIdentify && (p.Identified == nil || c.Version.Compare(p.Identified.Version) > 0):
			p.Identified = &c
		}
	}
	out := make([]schemas.PitchChanges, 0, len(byPitch))
	for _, p := range byPitch {
		slices.SortFunc(p.Measured, func(a, b schemas.Change) int { return b.Version.Compare(a.Version) })
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b schemas.PitchChanges) int { return bytes.Compare(a.PitchID[:], b.PitchID[:]) })
	return out
}
