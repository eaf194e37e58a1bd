package server

import (
	"context"

	"github.com/pitchstream/pitchstream/internal/drift"
	"github.com/pitchstream/pitchstream/schemas"
)

// driftPitches bounds the rows of a player that a search for drift reads.
const driftPitches = 5000

// Drift returns what changed in how a player of this target moves.
func (s targetStore) Drift(ctx context.Context, key schemas.PlayerKey) (schemas.Drift, error) {
	pitches, err := s.pitches.DriftPitches(ctx, key, len(drift.Measures(key.Side)), driftPitches)
	if err != nil {
		return schemas.Drift{}, err
	}
	return drift.Find(pitches, key.Side), nil
}
