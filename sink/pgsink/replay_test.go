package pgsink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// The fates of a replay's records are counted in the transaction that writes them, even for one pitch.
// guard: at once: replays are counted in steps
func TestAReplayOfOnePitchIsCounted(t *testing.T) {
	s := open(t)
	require.NoError(t, pgbooks.NewReplays(s.DB()).Begin(t.Context(), schemas.ReplayState{ID: "r", Spec: "all", Group: "g", Parts: []schemas.ReplayPart{{To: 2}}}))
	w := sinktest.NewGenerator(9, 1)
	for i := range 2 {
		change := w.Upsert(0, int64(2-i)) // the second one is older
		b := sinktest.BatchOf(change)
		b.Replay = &schemas.Replay{ID: "r", Records: []schemas.ReplayRecord{{Offset: int64(i), Op: change.Op, Register: schemas.RegisterOf(&change)}}}
		_, err := s.Apply(t.Context(), b)
		require.NoError(t, err)
	}
	got, err := pgbooks.NewReplays(s.DB()).Find(t.Context(), "r")
	require.NoError(t, err)
	require.Equal(t, schemas.ReplayCounts{Records: 2, Rows: 1, Superseded: 1}, got.Counts())
	require.EqualValues(t, 2, got.Parts[0].Next)
}
