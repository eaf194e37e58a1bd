package simulation

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timesSink notes when it received each message.
type timesSink struct {
	received []time.Time
	closed   bool
}

func (s *timesSink) Put(context.Context, *simulate.Message) error {
	s.received = append(s.received, time.Now())
	return nil
}

func (s *timesSink) Close(context.Context) error {
	s.closed = true
	return nil
}

// run plays a hundred pitches of one game at a pace.
func run(t *testing.T, pace Pace) *timesSink {
	t.Helper()
	s, err := simulate.New(simulate.Options{Seed: 1, Pitches: 100, Start: time.Now()})
	require.NoError(t, err)
	sink := &timesSink{}
	sent, err := Run(t.Context(), Options{Simulator: s, Sink: sink, Pace: pace})
	require.NoError(t, err)
	require.EqualValues(t, 100, sent.Total())
	require.Len(t, sink.received, 100)
	require.True(t, sink.closed)
	return sink
}

func TestGameTimeKeepsTheTimesOfTheGame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		received := run(t, GameTime(10)).received
		assert.Zero(t, received[0].Sub(begun))
		gap := received[1].Sub(received[0])
		assert.True(t, gap >= 2*time.Second && gap < 4*time.Second, "%v", gap)
		assert.InDelta(t, 100*2.8, time.Since(begun).Seconds(), 100)
	})
}

func TestEvenlyKeepsARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		run(t, Evenly(5))
		assert.InDelta(t, 20, time.Since(begun).Seconds(), 1)
	})
}

func TestWithoutAPaceNothingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		run(t, nil)
		assert.Equal(t, begun, time.Now())
	})
}
