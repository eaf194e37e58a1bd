package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pitchstream/pitchstream/schemas"
)

// metRecord is a pitch that a bat meets, or misses: a parabola, and a rigid bat that turns about moving
// hands. r decides what trackers get wrong.
func metRecord(r *rand.Rand) obj {
	plate := 0.4 + 0.05*r.Float64()
	tc := plate + 0.04*(r.Float64()-0.5)
	at := func(t float64) [3]float64 {
		return [3]float64{-2 + 4.6*t - 6*t*t, 54 - 137*t + 14*t*t, 5.5 - 3*t - 10*t*t}
	}
	noise := pick(r, []float64{0, 0, 1e-6, 0.003, 0.05})
	var ball arr
	add := func(t float64, p, v [3]float64) {
		ball = append(ball, obj{
			{"time", round7(t)},
			{"pos", arr{p[0] + noise*r.NormFloat64(), p[1] + noise*r.NormFloat64(), p[2] + noise*r.NormFloat64()}},
			{"vel", arr{v[0], v[1], v[2]}}, {"acc", arr{0.5, 20.0, -9.5}},
		})
	}
	for t := 0.01; t < tc; t += pick(r, []float64{1. / 30, 1. / 30, 1. / 100}) {
		add(t, at(t), [3]float64{(4.6 - 12*t) * 15 / 22, (-137 + 28*t) * 15 / 22, (-3 - 20*t) * 15 / 22})
	}
	if r.IntN(3) > 0 {
		for k := range 20 {
			t := tc + 0.004 + 0.05*r.Float64() + float64(k)/30
			p := at(tc)
			add(t, [3]float64{p[0] + 30*(t-tc), p[1] + 120*(t-tc), p[2] + 20*(t-tc)}, [3]float64{20, 82, 14})
		}
	}
	return pitchRecord(r, 0, metBat(r, tc, at(tc))).set("samples_ball", ball)
}

func metBat(r *rand.Rand, tc float64, ball [3]float64) (bat arr) {
	turn := 10 + 30*r.Float64()
	phase := 0.4 * r.Float64()
	noise := pick(r, []float64{0, 0.0005, 0.0005, 0.01})
	jump := pick(r, []float64{0, 0, 0.3})
	drift, steep := pick(r, []float64{4, 4, 90}), pick(r, []float64{0.4, 0.4, 2.5})
	side := pick(r, []float64{-1, 1})
	period := pick(r, []float64{1. / 300, 1. / 300, 1. / 300, 1. / 150})
	for t := tc - 0.4*r.Float64() - 0.1; t < tc+0.3; t += period {
		a := turn*0.07*math.Tanh((t-tc)/0.07) + phase
		if t > tc {
			a += jump
		}
		hands := [3]float64{ball[0] + side*(2+3*(t-tc)), ball[1] - 1 + drift*(t-tc), ball[2] + 0.8}
		reach := 2.72
		s := obj{{"time", round7(t)}}
		end := func(f float64) obj {
			return obj{{"pos", arr{
				hands[0] - side*f*math.Cos(a) + noise*r.NormFloat64(), hands[1] + f*math.Sin(a) + noise*r.NormFloat64(),
				hands[2] - steep*f*math.Cos(a-0.3) + noise*r.NormFloat64(),
			}}}
		}
		switch r.IntN(60) {
		case 0:
			s = append(s, member{"head", end(0)}, member{"handle", end(0)})
		case 1:
			s = append(s, member{"head", end(reach)})
		case 2:
			s = append(s, member{"handle", end(0)})
		default:
			s = append(s, member{"head", end(reach)}, member{"handle", end(0)})
		}
		bat = append(bat, s)
	}
	for range r.IntN(3) {
		zero := obj{{"pos", arr{0.0, 0.0, 0.0}}}
		mark := obj{
			{"event", pick(r, []string{"Hit", "Nearest"})},
			{"time", pick(r, []float64{tc, tc + 0.001, tc - 2.5, tc + 0.09})}, {"head", zero}, {"handle", zero},
		}
		bat = slices.Insert(bat, r.IntN(len(bat)), any(mark))
	}
	return bat
}

// metOutcome adds what became of the ball, and the headers of the zone.
func metOutcome(r *rand.Rand, tree obj) schemas.Record {
	if r.IntN(2) == 0 {
		tree = tree.set("summary_acts.hit.speed.mph", pick(r, []float64{60, 98, 104, 119, 130})).set("events",
			arr{battedEvent()})
	}
	rec := schemas.Record{Value: asPython.bytes(tree), Key: []byte("1")}
	for _, name := range []string{schemas.HeaderZoneTop, schemas.HeaderZoneBottom} {
		if v := pick(r, []string{"", "", "3.4", "1.6", "3.", "0.4", "6.1", "x", "+3", " 3", "3e0", "NaN"}); v != "" {
			rec.Headers = append(rec.Headers, schemas.Header{Key: name, Value: []byte(v)})
		}
	}
	return rec
}

var contactFloats = cmp.Comparer(func(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-6*max(1, math.Abs(a), math.Abs(b))
})

func TestContactEqualsThePlainComputation(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(700) {
		r := seeded(seed)
		rec := metOutcome(r, metRecord(r))
		got, rej := Transform(rec, Limits{})
		want, _ := plainTransform(rec, Limits{})
		if rej != nil {
			t.Fatal(rej)
		}
		if diff := cmp.Diff(want.Row, got.Row, contactFloats); diff != "" {
			t.Fatalf("seed %d (-plain +core)\n%s", seed, diff)
		}
		checkRow(t, got.Row)
		seen["source "+string(got.Row.ContactSource)]++
		seen["confidence "+string(got.Row.ContactConfidence)]++
		for _, doubt := range got.Row.ContactDoubts {
			seen["doubt "+doubt]++
		}
		if got.Row.IsWhiff {
			seen[fmt.Sprintf("whiff cut short %v", got.Row.IsCutShort)]++
		}
		seen[fmt.Sprintf("end %v", got.Row.EndBatSpeedMPH.Present)]++
		if slices.Contains(got.Row.Issues, "in_zone:type") {
			seen["in_zone:type"]++
		}
	}
	t.Log(seen)
	for _, what := range []string{
		"source event", "source ball", "source nearest", "source ", "confidence reliable", "confidence questionable",
		"doubt ball", "doubt bat_length", "doubt handle_speed", "doubt late_change", "doubt speed", "doubt spread",
		"doubt tilt", "doubt turn_rate", "in_zone:type", "end true", "end false",
		"whiff cut short {true true}", "whiff cut short {false true}", "whiff cut short {false false}",
	} {
		if seen[what] < 3 {
			t.Errorf("%s in %d records: too few to compare", what, seen[what])
		}
	}
}
