package features

import (
	"math"
	"slices"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// bat is a track of n samples, period seconds apart, whose ends are where a function of time puts them.
func bat(n int, period float64, ends func(t float64) (head, handle point)) []batSample {
	samples := make([]batSample, n)
	for i := range samples {
		t := float64(i) * period
		head, handle := ends(t)
		samples[i] = batSample{timeS: t, head: head, handle: handle, hasHead: true, hasHandle: true, seq: int32(i)}
	}
	return samples
}

const frameS = 1.0 / 300

// moving is a bat of 2.5 ft, upright, that moves at a constant velocity in ft/s.
func moving(vx, vy, vz float64) func(t float64) (head, handle point) {
	return func(t float64) (point, point) {
		at := point{vx * t, vy * t, vz * t}
		return point{at.x, at.y, at.z + 2.5}, at
	}
}

func near(got schemas.Opt[float64], want float64) bool {
	return got.Present && math.Abs(got.Value-want) <= 1e-9*max(1, math.Abs(want))
}

// In uniform motion every segment and window has the same speed and direction, in closed form.
func TestUniformMotion(t *testing.T) {
	for _, v := range []point{{30, 40, 0}, {-60, 0, 10}, {0, 80, -80}, {1, 1, 1}, {3, 0, 0}} {
		samples := bat(40, frameS, moving(v.x, v.y, v.z))
		speed, confidence := batSpeed(samples, nil)
		want := math.Sqrt(v.x*v.x+v.y*v.y+v.z*v.z) * 0.681818
		if !near(speed, want) || confidence != schemas.SpeedReliable {
			t.Errorf("%v: %v %s, want %v", v, speed, confidence, want)
		}
		angle := attackAngle(samples, nil)
		if want := math.Atan2(v.z, math.Hypot(v.x, v.y)) * 180 / math.Pi; !near(angle, want) {
			t.Errorf("%v: attack angle %v, want %v", v, angle, want)
		}
	}
}

// The bat turns about its handle. The sweet spot is half a foot from the head, and a window measures the
// chord of its arc.
func TestBatSpeedOfARotationIsThatOfTheChord(t *testing.T) {
	const omega, length = 35.0, 2.75 // rad/s, ft
	turning := func(t float64) (head, handle point) {
		return point{length * math.Cos(omega*t), length * math.Sin(omega*t), 3}, point{0, 0, 3}
	}
	speed, confidence := batSpeed(bat(60, frameS, turning), nil)
	chord := 2 * (length - 0.5) * math.Sin(omega*3*frameS/2)
	if want := chord / (3 * frameS) * 0.681818; !near(speed, want) || confidence != schemas.SpeedReliable {
		t.Errorf("%v %s, want %v", speed, confidence, want)
	}
	if angle := attackAngle(bat(60, frameS, turning), nil); !near(angle, 0) {
		t.Errorf("attack angle %v of a level turn", angle)
	}
}

// In a constant acceleration the last segment is the fastest: its mean direction is that of the middle of its
// time.
func TestConstantAcceleration(t *testing.T) {
	const n = 30
	falling := func(t float64) (head, handle point) {
		at := point{10*t + 200*t*t, 0, 50*t - 150*t*t}
		return at, point{at.x, at.y, at.z - 2}
	}
	middle := (n - 1.5) * frameS
	want := math.Atan2(50-300*middle, 10+400*middle) * 180 / math.Pi
	if angle := attackAngle(bat(n, frameS, falling), nil); !near(angle, want) {
		t.Errorf("%v, want %v", angle, want)
	}
}

// A bat speed needs ten sweet spots, and windows of about 10 ms without jumps.
func TestBatSpeedBoundaries(t *testing.T) {
	still := point{}
	without := func(end string) []batSample {
		samples := bat(20, frameS, moving(10, 0, 0))
		for i := range samples { // what is not there is at zero, as far from the other end as a bat is long
			samples[i].hasHead, samples[i].hasHandle = end != "head", end != "handle"
			samples[i].head, samples[i].handle = point{0, 0, 2}, point{0, 0, 2}
			if end == "head" {
				samples[i].head = still
			} else {
				samples[i].handle = still
			}
		}
		return samples
	}
	length := func(ft float64) func(t float64) (point, point) {
		return func(t float64) (point, point) { return point{10 * t, 0, ft}, point{10 * t, 0, 0} }
	}
	fast := func(mph float64) func(t float64) (point, point) { return moving(mph/0.681818, 0, 0) }
	jumping := func(after float64) func(t float64) (point, point) {
		return func(t float64) (point, point) {
			if t > after {
				return point{9, 0, 2.5}, point{9, 0, 0}
			}
			return point{0, 0, 2.5}, still
		}
	}
	for _, story := range []struct {
		moral   string
		samples []batSample
		present bool
		want    schemas.Text
	}{
		{"ten spots are enough", bat(10, frameS, moving(50, 0, 0)), true, schemas.SpeedReliable},
		{"nine are not", bat(9, frameS, moving(50, 0, 0)), false, schemas.SpeedQuestionable},
		{"a spot needs a handle", without("handle"), false, schemas.SpeedQuestionable},
		{"and a head", without("head"), false, schemas.SpeedQuestionable},
		{"no bat is shorter than 1.5 ft", bat(20, frameS, length(1.49)), false, schemas.SpeedQuestionable},
		{"a short one is one", bat(20, frameS, length(1.5)), true, schemas.SpeedReliable},
		{"so is a long one", bat(20, frameS, length(4)), true, schemas.SpeedReliable},
		{"but none is longer", bat(20, frameS, length(4.01)), false, schemas.SpeedQuestionable},
		{"a window may last 8 ms", bat(20, 0.008/3+1e-9, moving(50, 0, 0)), true, schemas.SpeedReliable},
		{"not less", bat(20, 0.008/3-1e-9, moving(50, 0, 0)), false, schemas.SpeedQuestionable},
		{"nor more than 15", bat(20, 0.005+1e-9, moving(50, 0, 0)), false, schemas.SpeedQuestionable},
		{"just below 15 it counts", bat(20, 0.005-1e-9, moving(50, 0, 0)), true, schemas.SpeedReliable},
		{"a spot may go 2 ft in a window, but that is not to be trusted", bat(20, frameS, moving(199.9, 0, 0)), true, schemas.SpeedQuestionable},
		{"it goes no further", bat(20, frameS, moving(200.1, 0, 0)), false, schemas.SpeedQuestionable},
		{"95 mph can be", bat(20, frameS, fast(94.99999)), true, schemas.SpeedReliable},
		{"more is doubtful", bat(20, frameS, fast(95.00001)), true, schemas.SpeedQuestionable},
		{"3 of 15 windows may be rejected", bat(18, frameS, jumping(9.5*frameS)), true, schemas.SpeedReliable},
		{"3 of 14 are too many", bat(17, frameS, jumping(9.5*frameS)), true, schemas.SpeedQuestionable},
		{"a still bat has a speed, which is 0", bat(20, frameS, moving(0, 0, 0)), true, schemas.SpeedReliable},
	} {
		speed, confidence := batSpeed(story.samples, nil)
		if speed.Present != story.present || confidence != story.want {
			t.Errorf("%s: %v %s", story.moral, speed, confidence)
		}
	}
}

// Fewer than five accepted windows are not to be trusted, however few were rejected.
func TestFewWindowsAreQuestionable(t *testing.T) {
	// Twelve spots in three groups of four: one good window within each, six across the gaps between them.
	samples := bat(12, frameS, moving(50, 0, 0))
	for i := range samples {
		samples[i].timeS += float64(i / 4)
	}
	if speed, confidence := batSpeed(samples, nil); !near(speed, 50*0.681818) ||
		confidence != schemas.SpeedQuestionable {
		t.Errorf("%v %s", speed, confidence)
	}
}

// The attack angle needs three heads and motion over the ground; the first of equally fast segments has it.
func TestAttackAngleBoundaries(t *testing.T) {
	heads := func(points ...point) []batSample {
		samples := make([]batSample, len(points))
		for i, p := range points {
			samples[i] = batSample{timeS: float64(i), head: p, hasHead: true}
		}
		return samples
	}
	without := heads(point{0, 0, 0}, point{9, 9, 9}, point{1, 0, 1}, point{1.5, 0, 0})
	without[1].hasHead = false
	for _, story := range []struct {
		moral   string
		samples []batSample
		want    schemas.Opt[float64]
	}{
		{"two heads are too few", heads(point{0, 0, 0}, point{1, 0, 1}), schemas.Opt[float64]{}},
		{"three will do", heads(point{0, 0, 0}, point{1, 0, 1}, point{1.5, 0, 1}), schemas.Some(45.0)},
		{"samples without a head are not there", without, schemas.Some(45.0)},
		{"up and down is no direction", heads(point{0, 0, 0}, point{0, 0, 1}, point{0, 0, 3}), schemas.Opt[float64]{}},
		{"nor is standing still", heads(point{1, 2, 3}, point{1, 2, 3}, point{1, 2, 3}), schemas.Opt[float64]{}},
		{"the fastest counts", heads(point{0, 0, 0}, point{1, 0, 1}, point{1, 2, -1}), schemas.Some(-45.0)},
		{"of equally fast ones the first", heads(point{0, 0, 0}, point{1, 0, 1}, point{1, 1, 0}), schemas.Some(45.0)},
		{"heights do not make it faster", heads(point{0, 0, 0}, point{2, 0, 2}, point{3, 0, 99}), schemas.Some(45.0)},
		{"the ground is x and y", heads(point{0, 0, 0}, point{3, 4, 5}, point{3, 4, 5}), schemas.Some(45.0)},
		{"far out numbers are numbers", heads(point{-1e308, 0, 0}, point{1e308, 0, 0}, point{0, 0, 0}), schemas.Some(0.0)},
		{"and tiny ones", heads(point{0, 0, 0}, point{3e-300, 4e-300, 5e-300}, point{0, 1e-320, 0}), schemas.Some(45.0)},
	} {
		got := attackAngle(story.samples, nil)
		if got.Present != story.want.Present || got.Present && !near(got, story.want.Value) {
			t.Errorf("%s: %v, want %v", story.moral, got, story.want)
		}
	}
}

// Lengths are right over the whole range of doubles.
func TestLength2(t *testing.T) {
	for _, c := range [][3]float64{
		{3, 4, 5}, {-3, 4, 5}, {0, 0, 0}, {0, -7, 7}, {3e200, 4e200, 5e200},
		{3e-200, 4e-200, 5e-200}, {5e-324, 0, 5e-324},
		{math.Inf(1), 1, math.Inf(1)}, {-math.Inf(1), -math.Inf(1), math.Inf(1)},
		{math.MaxFloat64, math.MaxFloat64, math.Inf(1)},
		{1e150, 1e-150, 1e150}, {0x1p500, 0, 0x1p500}, {0x1p-500, 0, 0x1p-500},
	} {
		if got := length2(c[0], c[1]); got != c[2] && math.Abs(got-c[2]) > 1e-15*c[2] {
			t.Errorf("(%g, %g) is %g long, want %g", c[0], c[1], got, c[2])
		}
	}
}

func TestSwingContactAndConfidence(t *testing.T) {
	here := obj{{"pos", arr{1, 2, 3}}}
	no, head := obj{{"event", "No"}}, obj{{"time", 1}, {"head", here}}
	for _, story := range []struct {
		moral          string
		bat            any
		exit           any
		action, result string
		swing, contact bool
		confidence     schemas.Text
	}{
		{"an untracked bat is no swing", arr{}, nil, "Called", "Strike", false, false, ""},
		{"nor is a missing one", nil, nil, "Swinging", "Strike", false, false, ""},
		{"the sample No says so", arr{no}, nil, "Called", "Strike", false, false, ""},
		{"two of them say nothing", arr{no, no}, nil, "Called", "Strike", false, false, ""},
		{"a lone No is no swing wherever the bat is", arr{head.set("event", "No")}, nil, "Called", "Strike", false, false, ""},
		{"among others it is a sample", arr{no, head}, nil, "Called", "Strike", true, false, "suspected"},
		{"a head is enough", arr{head}, nil, "Swinging", "Strike", true, false, "confirmed"},
		{"so is a handle", arr{obj{{"time", 1}, {"handle", here}}}, nil, "", "", true, false, "suspected"},
		{"also without a time", arr{obj{{"handle", here}}}, nil, "", "", true, false, "suspected"},
		{"a position is three numbers", arr{obj{{"time", 1}, {"head", obj{{"pos", arr{1, 2}}}}}}, nil, "", "", false, false, ""},
		{"no more", arr{obj{{"time", 1}, {"head", obj{{"pos", arr{1, 2, 3, 4}}}}}}, nil, "", "", false, false, ""},
		{"all of them numbers", arr{obj{{"time", 1}, {"head", obj{{"pos", arr{1, 2, nil}}}}}}, nil, "", "", false, false, ""},
		{"that a double can hold", arr{obj{{"time", 1}, {"head", obj{{"pos", arr{1, 2, raw("1e999")}}}}}}, nil, "", "", false, false, ""},
		{"what was dropped as a duplicate makes no swing", arr{obj{{"time", 1}}, head}, nil, "", "", false, false, ""},
		{"a No that stays alone is no swing", arr{obj{{"time", 1}, {"event", "No"}, {"head", here}}, head}, nil, "", "", false, false, ""},
		{"a No that was dropped says nothing", arr{head, obj{{"time", 1}, {"event", "No"}}}, nil, "", "", true, false, "suspected"},

		{"an exit velocity is contact", arr{head}, 95.5, "", "Strike", true, true, "suspected"},
		{"out of range too", arr{head}, 300, "", "Strike", true, true, "suspected"},
		{"as text it is none", arr{head}, "95", "", "Strike", true, false, "suspected"},
		{"a foul is contact", arr{head}, nil, "Foul", "Strike", true, true, "confirmed"},
		{"also with no bat", arr{no}, nil, "Foul", "Strike", false, true, ""},
		{"a ball in play was swung at", arr{head}, nil, "", "HitIntoPlay", true, false, "confirmed"},
		{"words are exact", arr{head}, nil, "foul", "hitintoplay", true, false, "suspected"},
	} {
		tree := aPitch().set("samples_bat", story.bat).set("summary_acts.hit.speed.mph", story.exit)
		tree = tree.set("summary_acts.pitch.action", story.action).set("summary_acts.pitch.result", story.result)
		row := rowOf(t, recordOf(tree))
		whiff := story.swing && !story.contact
		if row.IsSwing != story.swing || row.IsContact != story.contact ||
			row.IsWhiff != whiff || row.SwingConfidence != story.confidence {
			t.Errorf("%s: swing %v, contact %v, whiff %v, %q", story.moral, row.IsSwing, row.IsContact, row.IsWhiff, row.SwingConfidence)
		}
		if (row.SpeedConfidence == "") == story.swing {
			t.Errorf("%s: the speed's confidence is %q", story.moral, row.SpeedConfidence)
		}
	}
}

// Samples with the same time are duplicates; the first one in the record stays, wherever the others are.
func TestDuplicates(t *testing.T) {
	at := func(time any, x float64) obj { return obj{{"time", time}, {"head", obj{{"pos", arr{x, 0, 0}}}}} }
	for _, story := range []struct {
		moral         string
		bat           arr
		kept, dropped int32
		conflict      bool
	}{
		{"none", arr{at(1, 0), at(2, 0)}, 2, 0, false},
		{"side by side", arr{at(1, 5), at(1, 5), at(2, 0)}, 2, 1, false},
		{"far apart", arr{at(1, 5), at(2, 0), at(0, 0), at(1, 5)}, 3, 1, false},
		{"however the number is written", arr{at(1, 5), at(raw("10e-1"), 5)}, 1, 1, false},
		{"minus zero is zero", arr{at(0, 5), at(raw("-0.0"), 5)}, 1, 1, false},
		{"so for heads", arr{at(1, 0), at(1, math.Copysign(0, -1))}, 1, 1, false},
		{"elsewhere is a conflict", arr{at(1, 5), at(1, 6)}, 1, 1, true},
		{"nowhere too", arr{at(1, 5), obj{{"time", 1}}}, 1, 1, true},
		{"for either", arr{obj{{"time", 1}}, at(1, 0)}, 1, 1, true},
		{"a position that is none is none", arr{obj{{"time", 1}}, obj{{"time", 1}, {"head", obj{{"pos", arr{0, 0}}}}}}, 1, 1, false},
		{"handles count", arr{obj{{"time", 1}, {"handle", obj{{"pos", arr{1, 2, 3}}}}}, obj{{"time", 1}, {"handle", obj{{"pos", arr{1, 2, 4}}}}}}, 1, 1, true},
		{"a handle at zero is somewhere", arr{obj{{"time", 1}}, obj{{"time", 1}, {"handle", obj{{"pos", arr{0, 0, 0}}}}}}, 1, 1, true},
		{"each is compared with the one that stays", arr{at(1, 5), at(2, 0), at(1, 5), at(1, 6)}, 2, 2, true},
		{"events do not count", arr{at(1, 5), append(at(1, 5), member{"event", "Hit"})}, 1, 1, false},
		{"without a time there are none", arr{obj{}, obj{}, at(nil, 5), at(nil, 5), at("1", 5), at(raw("1e999"), 5), at(raw("1e999"), 5)}, 7, 0, false},
	} {
		row := rowOf(t, recordOf(aPitch().set("samples_bat", story.bat).set("samples_ball", arr{})))
		if row.BatSamples != story.kept || row.DuplicateSamples != story.dropped || slices.Contains(row.Issues, "bat_samples:conflict") != story.conflict {
			t.Errorf("%s: %d kept, %d dropped, %v", story.moral, row.BatSamples, row.DuplicateSamples, row.Issues)
		}
	}
	ball := arr{obj{{"time", 2}, {"pos", arr{1}}}, obj{{"time", 1}}, obj{{"time", 2}}, obj{}, obj{{"time", "2"}}}
	row := rowOf(t, recordOf(aPitch().set("samples_ball", ball)))
	if row.BallSamples != 4 || row.DuplicateSamples != 1 || len(row.Issues) > 0 {
		t.Errorf("ball: %d kept, %d dropped, %v", row.BallSamples, row.DuplicateSamples, row.Issues)
	}
}

// Out of order or not, the same samples make the same swing.
func TestOrderOfSamplesDoesNotMatter(t *testing.T) {
	want := rowOf(t, recordOf(aSwing()))
	if !want.AttackAngleDeg.Present || !want.BatSpeedMPH.Present {
		t.Fatalf("no swing: %+v", want)
	}
	for seed := range uint64(10) {
		r, tree := seeded(seed), aSwing()
		bat := &tree[len(tree)-1].value
		shuffled := slices.Clone((*bat).(arr))
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		*bat = shuffled
		got := rowOf(t, recordOf(tree))
		if got.AttackAngleDeg != want.AttackAngleDeg || got.BatSpeedMPH != want.BatSpeedMPH ||
			got.SpeedConfidence != want.SpeedConfidence {
			t.Errorf("seed %d: %v %v", seed, got.AttackAngleDeg, got.BatSpeedMPH)
		}
	}
}
