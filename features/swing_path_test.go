package features

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

func TestThePathOfASimulatedSwingAgreesWithItsRow(t *testing.T) {
	sim, err := simulate.New(simulate.Options{Seed: 7, Games: 2})
	require.NoError(t, err)
	swings, hits := 0, 0
	for swings < 60 {
		m, ok := sim.Next()
		require.True(t, ok)
		change, rej := Transform(schemas.Record{Value: m.Value, Headers: m.Headers}, Limits{})
		if rej != nil || change.Row == nil {
			continue
		}
		path, ok := SwingPath(m.Value)
		if !change.Row.IsSwing {
			require.False(t, ok)
			continue
		}
		swings++
		require.True(t, ok)
		requireDrawable(t, path)
		require.Equal(t, int(change.Row.BatSamples), path.Sampled.Bat)
		require.Equal(t, int(change.Row.BallSamples), path.Sampled.Ball)
		if change.Row.SpeedConfidence == schemas.SpeedReliable && m.Want.Fault == "" {
			require.InDelta(t, change.Row.BatSpeedMPH.Value, fastest(path), 3, "the points that are left show the peak")
		}
		if path.Contact != nil && path.Contact.Kind == schemas.ContactHit {
			hits++
			require.NotEmpty(t, path.Hit)
			require.InDelta(t, 0, path.Contact.Pos[0], 5)
			require.InDelta(t, 1, path.Contact.Pos[1], 5)
		}
	}
	require.NotZero(t, hits)
}

func requireDrawable(t *testing.T, path schemas.SwingPath) {
	t.Helper()
	require.LessOrEqual(t, len(path.Bat), maxBatPoints)
	require.LessOrEqual(t, len(path.Pitch), maxPitchPoints)
	require.LessOrEqual(t, len(path.Hit), maxHitPoints)
	require.NotEmpty(t, path.Bat)
	for i := 1; i < len(path.Bat); i++ {
		step := path.Bat[i].TimeS - path.Bat[i-1].TimeS
		require.Positive(t, step)
		require.LessOrEqual(t, step, 2*maxBreakS)
	}
	for i := 1; i < len(path.Pitch); i++ {
		require.Less(t, path.Pitch[i].Pos[1], path.Pitch[i-1].Pos[1], "the pitch comes nearer")
	}
}

func fastest(path schemas.SwingPath) (mph float64) {
	for _, p := range path.Bat {
		mph = max(mph, p.SpeedMPH.Value)
	}
	return mph
}

func TestThePathsOfRealSwings(t *testing.T) {
	records := realFiles(t)
	swings, hits, after := 0, 0, 0
	for name, value := range records {
		path, ok := SwingPath(value)
		if !ok {
			continue
		}
		swings++
		t.Logf("%s: bat %d, pitch %d, hit %d, contact %+v, fastest %.1f mph at %.3f s", name, len(path.Bat), len(path.Pitch), len(path.Hit), path.Contact, fastest(path), path.PeakS.Value)
		requireDrawable(t, path)
		require.Greater(t, path.Bat[0].TimeS, -0.6, "%s: what was thrown far out of order is not drawn", name)
		require.Greater(t, len(path.Pitch), 8, name)
		if len(path.Hit) > 0 {
			after++
		}
		if path.Contact != nil && path.Contact.Kind == schemas.ContactHit {
			hits++
		}
	}
	require.Equal(t, []int{9, 7, 8}, []int{swings, hits, after})
}

func TestAPathWithoutASwing(t *testing.T) {
	for _, tree := range []obj{aPitch(), aPitch().set("samples_bat", arr{}), aPitch().set("samples_bat", 7)} {
		_, ok := SwingPath(recordOf(tree).Value)
		require.False(t, ok)
	}
	for _, value := range []string{"", "{", "[]", "null", `{"summary_acts":{"pitch":{}}}`} {
		_, ok := SwingPath([]byte(value))
		require.False(t, ok, value)
	}
}

func TestAPathLeavesOutSamplesWithoutAPosition(t *testing.T) {
	tree := aSwing()
	all, ok := SwingPath(recordOf(tree).Value)
	require.True(t, ok)
	far := arr{1e300, -1e300, 7}
	tree = tree.set("samples_bat.3.head.pos", far).set("samples_ball.1.pos", arr{1, 2}).set("samples_ball.2", obj{{"time", "soon"}})
	some, ok := SwingPath(recordOf(tree).Value)
	require.True(t, ok)
	require.Len(t, some.Bat, len(all.Bat)-1)
	require.LessOrEqual(t, len(some.Pitch)+len(some.Hit), len(all.Pitch)+len(all.Hit))
	require.Equal(t, all.Sampled.Bat, some.Sampled.Bat)
}

func TestThinKeepsTheEnds(t *testing.T) {
	all := make([]int, 1000)
	for i := range all {
		all[i] = i
	}
	for _, n := range []int{2, 3, 60, 999, 1000, 1001} {
		got := thin(all, n)
		require.Len(t, got, min(n, len(all)))
		require.Equal(t, 0, got[0])
		require.Equal(t, 999, got[len(got)-1])
	}
}

// A foul goes on towards the plate and beyond it, so only the turn of its path distinguishes it from the
// pitch.
// guard: api: a foul is not the pitch
func TestAFoulIsNotThePitch(t *testing.T) {
	ball := make([]schemas.BallPoint, 6)
	for i := range ball[:4] { // the pitch
		ball[i] = schemas.BallPoint{TimeS: float64(i) / 100, Pos: [3]float64{0, 6 - 1.3*float64(i), 3}}
	}
	for i := range 2 { // up and backwards
		at := float64(i)
		ball[4+i] = schemas.BallPoint{TimeS: (4 + at) / 100, Pos: [3]float64{1 + at, 1.6 - 0.3*at, 5 + 2*at}}
	}
	pitch, hit := splitBall(ball, nil)
	require.Equal(t, ball[:4], pitch)
	require.Equal(t, ball[4:], hit)
}

// guard: api: samples are not compared each with each
func TestContactOfVeryManySamplesIsFoundAtOnce(t *testing.T) {
	const n = 80_000 // of which none has a place
	track := make([]batSample, n)
	var record bytes.Buffer
	record.WriteString(`{"samples_bat":[`)
	for i := range track {
		track[i] = batSample{timeS: float64(i), hasHead: true}
		fmt.Fprintf(&record, `{"time":%d,"event":"Hit"},`, n-1-i)
	}
	record.WriteString(`{}]}`)
	began := time.Now()
	require.Nil(t, drawnContact(record.Bytes(), track, nil))
	require.Less(t, time.Since(began), 3*time.Second)
}

// Values of a record that a drawing does not need take no memory, however many they are.
func TestAPathOfARecordOfMillionsOfValuesTakesLittleMemory(t *testing.T) {
	swing := recordOf(aSwing()).Value
	want, ok := SwingPath(swing)
	require.True(t, ok)
	large := append(bytes.Clone(swing[:len(swing)-1]), `,"x":[{}`+strings.Repeat(",{}", 5_000_000)+`]}`...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, ok := SwingPath(large)
	runtime.ReadMemStats(&after)
	require.True(t, ok)
	require.Equal(t, want, got)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}
