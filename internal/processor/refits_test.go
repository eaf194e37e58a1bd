package processor

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// A processor shows the newest refit of each model, until a person has decided on what was held.
func TestAProcessorShowsTheNewestRefits(t *testing.T) {
	store := filledStore(t)
	books := pgbooks.NewModels(store.DB())
	m := obs.NewMetrics("test")
	k := &refitsKeeper{store: store, metrics: m.Refits(), log: slog.New(slog.DiscardHandler)}
	shown := func() (values map[string]float64) {
		t.Helper()
		require.NoError(t, k.cycle(t.Context()))
		families, err := m.Registry.Gather()
		require.NoError(t, err)
		values = map[string]float64{}
		for _, f := range families {
			for _, v := range f.GetMetric() {
				switch f.GetName() {
				case "pitchstream_model_refit_held":
					values[v.GetLabel()[0].GetValue()] = v.GetGauge().GetValue()
				case "pitchstream_model_refit_timestamp_seconds":
					require.InDelta(t, time.Now().Unix(), v.GetGauge().GetValue(), 60)
				}
			}
		}
		return values
	}
	require.Empty(t, shown())
	for name, result := range map[string]string{"archetypes": schemas.RefitHeld, "self-batter": schemas.RefitCandidate} {
		e := schemas.ModelEntry{Name: name, Kind: "archetypes", Trained: []byte("{}"), Figures: []byte("{}")}
		_, _, err := books.Add(t.Context(), e, []byte("{}"))
		require.NoError(t, err)
		require.NoError(t, books.NoteRefit(t.Context(), schemas.ModelRefit{Model: name, Version: 1, Result: result, By: "night"}))
	}
	require.Equal(t, map[string]float64{"archetypes": 1, "self-batter": 0}, shown())
	_, err := books.SetState(t.Context(), "archetypes", 1, schemas.ModelRetired, "a person")
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"archetypes": 0, "self-batter": 0}, shown())
}
