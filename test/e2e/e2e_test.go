package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The twelve real records make twelve rows and no dead letter, also when they are read twice.
func TestRealRecords(t *testing.T) {
	dir := testkit.Hawkeye(t)
	w := stack.New(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	require.NoError(t, err)
	require.Len(t, files, 12)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		game, _, _ := strings.Cut(filepath.Base(file), "_")
		w.Produce(&kgo.Record{Key: []byte(game), Value: b})
	}
	p := w.Start()
	w.WaitCaughtUp()
	p.Halt()
	want := requireBooks(w, 1)
	require.Len(t, want.Rows, 12)
	require.Empty(t, want.DeadLetters)
	requireByHand(t, w)
}

// requireByHand holds three of the rows against what was computed by hand, from the text of the specification
// and with nothing of this project.
func requireByHand(t *testing.T, w *stack.Stack) {
	byID := map[string]schemas.StoredRow{}
	rows, err := pgbooks.New(w.Store().DB()).Rows(t.Context())
	require.NoError(t, err)
	for _, r := range rows {
		byID[r.PitchID.String()] = r
	}
	whiff := byID["f1c5834c-ba80-419b-883f-56b665cb2e79"]
	require.True(t, whiff.IsSwing && !whiff.IsContact && whiff.IsWhiff)
	require.InEpsilon(t, 19.496309933324508, whiff.AttackAngleDeg.Value, 1e-9)
	require.InEpsilon(t, 91.06973844824174, whiff.BatSpeedMPH.Value, 1e-9)
	require.Equal(t, []any{schemas.Text("suspected"), schemas.Text("reliable"), int32(372), int32(52), int32(2), schemas.Opt[int64]{}},
		[]any{
			whiff.SwingConfidence, whiff.SpeedConfidence, whiff.BatSamples,
			whiff.BallSamples, whiff.DuplicateSamples, whiff.BatterID,
		})

	hit := byID["84f189a5-98fd-478d-b982-e8032a1f14bf"]
	require.True(t, hit.IsSwing && hit.IsContact && !hit.IsWhiff)
	require.InEpsilon(t, -13.197052095711866, hit.AttackAngleDeg.Value, 1e-9)
	require.InEpsilon(t, 76.5934647735951, hit.BatSpeedMPH.Value, 1e-9)
	require.Equal(t, schemas.Some(106.0), hit.ExitVelocityMPH)
	require.Equal(t, []int32{384, 77, 3}, []int32{hit.BatSamples, hit.BallSamples, hit.DuplicateSamples})

	noBat := byID["81c48c2a-1d9d-4096-8c4e-0adbf129ea5c"] // head and handle at one point: a bat of no length
	require.InEpsilon(t, 28.054011282349354, noBat.AttackAngleDeg.Value, 1e-9)
	require.Equal(t, schemas.Opt[float64]{}, noBat.BatSpeedMPH)
	require.Equal(t, schemas.Text("questionable"), noBat.SpeedConfidence)
}

// stress produces a simulated stream with everything that goes wrong, and answers how many records it has.
func stress(w *stack.Stack, seed uint64, pitches int) int {
	w.T.Helper()
	sim, err := simulate.New(simulate.Options{Seed: seed, Pitches: pitches,
		Duplicates: 0.05, Reorder: 0.05, Corrections: 0.05, Deletes: 0.01, LateIDs: 0.10, Poison: 0.01})
	require.NoError(w.T, err)
	n := 0
	for {
		m, ok := sim.Next()
		if !ok {
			break
		}
		n++
		r := &kgo.Record{Topic: w.Raw(), Key: m.Key, Value: m.Value, Headers: kafkaread.Headers(m.Headers)}
		w.Client.Produce(w.T.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				w.T.Error(err)
			}
		})
	}
	require.NoError(w.T, w.Client.Flush(w.T.Context()))
	return n
}

func TestTheBooksBalance(t *testing.T) {
	w := stack.New(t)
	pitches := 2000
	if long := os.Getenv("PITCHSTREAM_SOAK_PITCHES"); long != "" {
		var err error
		pitches, err = strconv.Atoi(long)
		require.NoError(t, err)
		w.Patience = 20 * time.Minute
	}
	n := stress(w, 1, pitches)
	first := w.Start("--poll-max-records=50", "--fetch-max-bytes=1MiB")
	store := w.Store()
	w.WaitFor("a tenth is stored", func() bool {
		some, err := pgbooks.New(store.DB()).Registers(t.Context(), schemas.PitchID{}, n/10)
		return err == nil && len(some) == n/10
	})
	first.Halt() // SIGTERM in the middle
	require.Greater(t, w.Lag(), int64(0), "stopped in the middle")
	second := w.Start("--poll-max-records=200")
	w.WaitCaughtUp()
	second.Halt()
	want := requireBooks(w, 1)
	require.NotEmpty(t, want.DeadLetters)
	t.Logf("%d records: %d rows, %d players and games, %d letters", n, len(want.Rows), len(want.States), len(want.DeadLetters))

	before, err := pgbooks.New(w.Store().DB()).Rows(t.Context())
	require.NoError(t, err)
	rewind(w)
	again := w.Start()
	w.WaitCaughtUp()
	again.Halt()
	after, err := pgbooks.New(w.Store().DB()).Rows(t.Context())
	require.NoError(t, err)
	stack.SameRows(t, "rows after reading everything again", before, after)
	requireBooks(w, 1)
}

// requireBooks checks the stores and topics against the raw topic, which was read this many times by a
// processor that writes dead letters.
func requireBooks(s *stack.Stack, deadLettersEach int) stack.Books {
	s.T.Helper()
	want := s.Expected()
	s.Require(want, deadLettersEach)
	return want
}

// rewind commits the first offset of every partition for the group.
func rewind(s *stack.Stack) {
	s.T.Helper()
	starts, err := s.Admin.ListStartOffsets(s.T.Context(), s.Raw())
	require.NoError(s.T, err)
	require.NoError(s.T, s.Admin.CommitAllOffsets(s.T.Context(), s.Name, starts.Offsets()))
}
