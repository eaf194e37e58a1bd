package qualityrun

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A processor holds the lock as long as it runs, and computes once a minute.
//
// guard: quality: who must know now computes beside a processor
func TestFiguresAreComputedBesideAProcessorWhenAsked(t *testing.T) {
	cfg := pgsink.Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2}
	store, err := pgsink.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	_, err = store.EnsurePositions(t.Context(), []schemas.Position{{Topic: "t"}})
	require.NoError(t, err)
	changes := sinktest.NewGenerator(1, 50).Changes(50)
	for i := range changes {
		if row := changes[i].Row; row != nil {
			row.GamePK, row.GameDate = "716404", "2023-11-14"
		}
	}
	_, err = store.Apply(t.Context(), sinktest.At(sinktest.BatchOf(changes...), 0, 50))
	require.NoError(t, err)
	release, ok, err := pgbooks.New(store.DB()).TryLock(t.Context(), Lock)
	require.NoError(t, err)
	require.True(t, ok)
	defer release()

	pitches := func(o Options) int64 {
		o.Postgres, o.Day = cfg, "2023-11-14"
		reports, err := Run(t.Context(), o)
		require.NoError(t, err)
		require.Len(t, reports, 1)
		return reports[0].Pitches
	}
	isBusy := false
	require.Zero(t, pitches(Options{Busy: func() { isBusy = true }}))
	require.True(t, isBusy)
	require.Positive(t, pitches(Options{Beside: true}))
}
