package processor

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// filledStore returns a store with the rows of a simulated game.
func filledStore(t *testing.T) *pgsink.Sink {
	t.Helper()
	store, err := pgsink.Open(pgsink.Config{
		URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 1,
	})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	game, err := simulate.New(simulate.Options{Seed: 61, Games: 1, FeedIDs: true})
	require.NoError(t, err)
	batch := schemas.Batch{Group: "g"}
	seen := map[schemas.PitchID]bool{}
	for r, ok := game.NextRow(); ok; r, ok = game.NextRow() {
		if seen[r.PitchID] {
			continue
		}
		seen[r.PitchID] = true
		offset := int64(len(seen))
		c := schemas.Change{
			PitchID: r.PitchID, Version: schemas.Version{TimestampMS: r.RecordTSMS, Offset: offset},
			EventTime: r.EventTime, Row: &r.Row,
			Origin: schemas.Coordinates{Topic: "pitches.raw", Offset: offset, TimestampMS: r.RecordTSMS},
		}
		changes := schemas.PitchChanges{PitchID: r.PitchID, Measured: []schemas.Change{c}}
		batch.Pitches = append(batch.Pitches, changes)
	}
	slices.SortFunc(batch.Pitches, func(a, b schemas.PitchChanges) int {
		return slices.Compare(a.PitchID[:], b.PitchID[:])
	})
	_, err = store.Apply(t.Context(), batch)
	require.NoError(t, err)
	return store
}

// guard: quality: one process computes
func TestOneProcessorComputesTheQuality(t *testing.T) {
	store := filledStore(t)
	m, other := obs.NewMetrics("test"), obs.NewMetrics("test")
	log := slog.New(slog.DiscardHandler)
	first := &qualityKeeper{store: store, metrics: m.Quality(), every: time.Second, log: log}
	second := &qualityKeeper{store: store, metrics: other.Quality(), every: time.Second, log: log}
	require.NoError(t, first.cycle(t.Context()))
	require.NoError(t, second.cycle(t.Context()))
	require.Equal(t, []float64{1, 1}, gathered(t, m))
	require.Equal(t, []float64{0}, gathered(t, other), "no game is shown twice")
	first.rest()
	require.NoError(t, second.cycle(t.Context()))
	require.Equal(t, []float64{0}, gathered(t, m))
	require.Equal(t, []float64{1, 1}, gathered(t, other))
	second.rest()
}

// gathered returns pitchstream_quality_up, and the number of games where that is shown.
func gathered(t *testing.T, m *obs.Metrics) (values []float64) {
	t.Helper()
	families, err := m.Registry.Gather()
	require.NoError(t, err)
	for _, name := range []string{"pitchstream_quality_up", "pitchstream_quality_games"} {
		for _, f := range families {
			if f.GetName() == name {
				values = append(values, f.GetMetric()[0].GetGauge().GetValue())
			}
		}
	}
	return values
}
