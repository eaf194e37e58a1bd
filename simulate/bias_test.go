package simulate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// meanBatSpeed runs games through the core and gives the mean of all reliable bat speeds, and how many there
// are.
func meanBatSpeed(t *testing.T, o simulate.Options) (mph float64, n int) {
	t.Helper()
	o.Seed, o.Pitches, o.Parallel, o.FeedIDs = 3, 600, 2, true
	s, err := simulate.New(o)
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		c, rejected := features.Transform(schemas.Record{Key: m.Key, Headers: m.Headers, Value: m.Value},
			features.Limits{})
		require.Nil(t, rejected)
		if c.Row.SpeedConfidence == schemas.SpeedReliable && c.Row.SwingConfidence == schemas.SwingConfirmed {
			mph, n = mph+c.Row.BatSpeedMPH.Value, n+1
		}
	}
	return mph / float64(n), n
}

// A bias is what the core computes from the samples; and nothing else changes.
func TestABiasIsMeasured(t *testing.T) {
	var biases []simulate.Bias
	for _, v := range simulate.Venues() {
		biases = append(biases, simulate.Bias{Venue: v, MPH: 3})
	}
	plain, n := meanBatSpeed(t, simulate.Options{})
	fast, m := meanBatSpeed(t, simulate.Options{Biases: biases})
	require.InDelta(t, 3, fast-plain, 0.4)
	require.InDelta(t, n, m, 3)
	later, _ := meanBatSpeed(t, simulate.Options{Biases: []simulate.Bias{{Venue: simulate.Venues()[0], MPH: 3, From: "2030-01-01"}}})
	require.Equal(t, plain, later, "it has not begun yet")
}

func TestUntrackedSwings(t *testing.T) {
	_, all := meanBatSpeed(t, simulate.Options{})
	_, half := meanBatSpeed(t, simulate.Options{Untracked: 0.5})
	require.InDelta(t, all/2, half, 25)
}

// NextRow plays the games of Next.
func TestRowsAreThoseOfTheRecords(t *testing.T) {
	o := simulate.Options{Seed: 5, Games: 2, Pitches: 300, FeedIDs: true, BatterSpread: 0.5}
	a, err := simulate.New(o)
	require.NoError(t, err)
	b, err := simulate.New(o)
	require.NoError(t, err)
	n := 0
	for m, ok := a.Next(); ok; m, ok = a.Next() {
		row, ok := b.NextRow()
		require.True(t, ok)
		if m.Want.Row.PitchResult != schemas.ResultPickoff { // whose identity is its bytes
			require.Equal(t, *m.Want.Row, row.Row)
		}
		require.Equal(t, m.EventTime, row.EventTime)
		n++
	}
	require.Equal(t, 300, n)
	_, ok := b.NextRow()
	require.False(t, ok)
}
