package sinktest

import (
	"bytes"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// BatchOf reduces changes as the consumer does: each pitch once, with each measured version once, newest
// first.
func BatchOf(changes ...schemas.Change) schemas.Batch {
	byPitch := map[schemas.PitchID]*schemas.PitchChanges{}
	for _, c := range changes {
		p := byPitch[c.PitchID]
		if p == nil {
			p = &schemas.PitchChanges{PitchID: c.PitchID}
			byPitch[c.PitchID] = p
		}
		if c.Op == schemas.OpIdentify {
			if p.Identified == nil || c.Version.Compare(p.Identified.Version) > 0 {
				p.Identified = &c
			}
			continue
		}
		if !slices.ContainsFunc(p.Measured, func(m schemas.Change) bool { return m.Version == c.Version }) {
			p.Measured = append(p.Measured, c)
		}
	}
	b := schemas.Batch{Group: "g"}
	for _, p := range byPitch {
		slices.SortFunc(p.Measured, func(a, b schemas.Change) int { return b.Version.Compare(a.Version) })
		b.Pitches = append(b.Pitches, *p)
	}
	slices.SortFunc(b.Pitches, func(a, b schemas.PitchChanges) int {
		return bytes.Compare(a.PitchID[:], b.PitchID[:])
	})
	return b
}

// At adds a move of partition 0 of topic "t" to a batch.
func At(b schemas.Batch, expected, next int64) schemas.Batch {
	p := schemas.Position{Topic: "t", NextOffset: next}
	b.Positions = []schemas.PositionMove{{Position: p, Expected: expected}}
	return b
}
