package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"pitchstream/internal/testkit"
	"pitchstream/simulate"
)

// The twelve real records: twelve rows, no letter, and again the same when they are read again.
func TestRealRecords(t *testing.T) {
	dir := testkit.Hawkeye(t)
	w := newWorld(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	require.NoError(t, err)
	require.Len(t, files, 12)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		game, _, _ := strings.Cut(filepath.Base(file), "_")
		w.produce(&kgo.Record{Key: []byte(game), Value: b})
	}
	p := w.start()
	w.waitCaughtUp()
	p.halt()
	want := w.requireBooks(1)
	require.Len(t, want.rows, 12)
	require.Empty(t, want.letters)
}

// stress produces a simulated stream with everything that goes wrong, and answers how many records it has.
func (w *world) stress(seed uint64, pitches int) int {
	w.t.Helper()
	sim, err := simulate.New(simulate.Options{Seed: seed, Pitches: pitches,
		Duplicates: 0.05, Reorder: 0.05, Corrections: 0.05, Deletes: 0.01, LateIDs: 0.10, Poison: 0.01})
	require.NoError(w.t, err)
	n := 0
	for {
		m, ok := sim.Next()
		if !ok {
			break
		}
		n++
		r := &kgo.Record{Topic: w.raw(), Key: m.Key, Value: m.Value, Headers: kafkaHeaders(m.Headers)}
		w.client.Produce(w.t.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	require.NoError(w.t, w.client.Flush(w.t.Context()))
	return n
}

func TestTheBooksBalance(t *testing.T) {
	w := newWorld(t)
	n := w.stress(1, 2000)
	first := w.start("--poll-max-records=200")
	w.waitFor("a third is through", func() bool { return w.lag() < int64(2*n/3) })
	first.halt() // SIGTERM in the middle
	require.Greater(t, w.lag(), int64(0), "stopped in the middle")
	second := w.start("--poll-max-records=200")
	w.waitCaughtUp()
	second.halt()
	want := w.requireBooks(1)
	require.NotEmpty(t, want.letters)
	t.Logf("%d records: %d rows, %d batters, %d letters", n, len(want.rows), len(want.batters), len(want.letters))

	before, err := w.store().Rows(t.Context())
	require.NoError(t, err)
	w.rewind()
	again := w.start()
	w.waitCaughtUp()
	again.halt()
	after, err := w.store().Rows(t.Context())
	require.NoError(t, err)
	same(t, "rows after reading everything again", withoutWriter(before), withoutWriter(after))
	w.requireBooks(2)
}
