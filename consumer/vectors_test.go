package consumer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit/vectors"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/memsink"
)

// Every stream of the specification ends in the same rows, dead letters and aggregates: forwards, shuffled
// across partitions, with every record twice, in batches of any size.
func TestVectorsStreams(t *testing.T) {
	for _, s := range vectors.Streams(t) {
		rnd := rand.New(rand.NewPCG(1, 1))
		shuffled := append([]schemas.Record(nil), s.Records...)
		rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		twice := append(append([]schemas.Record(nil), shuffled...), s.Records...)
		for order, records := range map[string][]schemas.Record{"forwards": s.Records, "shuffled": shuffled, "twice": twice} {
			t.Run(fmt.Sprint(s.Name, " ", order), func(t *testing.T) {
				s.Check(t, planned(t, rnd, records))
			})
		}
	}
}

func planned(t *testing.T, rnd *rand.Rand, records []schemas.Record) (state vectors.State) {
	store := memsink.New()
	letters := map[vectors.DeadLetter]bool{}
	for len(records) > 0 {
		n := min(1+rnd.IntN(30), len(records))
		decoded := make([]Decoded, n)
		for i, r := range records[:n] {
			decoded[i].Record = r
			decoded[i].Change, decoded[i].Rejection = features.Transform(r, features.Limits{})
		}
		plan := MakePlan(decoded)
		out, err := store.Apply(t.Context(), schemas.Batch{Pitches: plan.Pitches})
		require.NoError(t, err)
		store.Push(t.Context(), out.Snapshots, nil)
		for _, l := range append(plan.DeadLetters, plan.Refused(out.Refused)...) {
			letters[vectors.DeadLetter{Partition: l.Record.Partition, Offset: l.Record.Offset, Code: l.Code}] = true
		}
		records = records[n:]
	}
	for l := range letters { // a record that is read twice makes the same dead letter twice
		state.DeadLetters = append(state.DeadLetters, l)
	}
	var err error
	state.Rows, err = store.Rows(t.Context())
	require.NoError(t, err)
	view := store.View()
	state.Batters, state.Games = view.Batters, view.Games
	return state
}
