package server

import (
	"context"

	"github.com/pitchstream/pitchstream/internal/drift"
	"github.com/pitchstream/pitchstream/schemas"
)

// Drift returns what changed in how a player of this target moves.
func (s targetStore) Drift(ctx context.Context, key schemas.PlayerKey) (schemas.Drift, error) {
	pitches, err := s.mechanics.DriftPitches(ctx, key, len(drift.Measures(key.Side)), drift.MostPitches)
	if err != nil {
		return schemas.Drift{}, err
	}
	return drift.Find(pitches, key.Side), nil
}
