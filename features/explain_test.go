package features

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"reflect"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// sameAsTransform holds an explanation against what the stream makes of the record, bit for bit.
func sameAsTransform(t *testing.T, rec schemas.Record) Explanation {
	t.Helper()
	change, rej := Transform(rec, Limits{})
	e := Explain(rec, Limits{})
	if !reflect.DeepEqual(rej, e.Rejection) {
		t.Fatalf("explained as %v, rejected as %v", e.Rejection, rej)
	}
	if !reflect.DeepEqual(exactly(change), exactly(e.Change)) {
		t.Fatalf("explained as\n%+v, is\n%+v", e.Change.Row, change.Row)
	}
	if _, err := json.Marshal(e); err != nil {
		t.Fatal(err)
	}
	if rej != nil || change.Row == nil {
		return e
	}
	if !reflect.DeepEqual(*change.Row, e.Validated.Row) {
		t.Fatalf("the last stage is not the row: %+v", e.Validated)
	}
	issues := map[string]bool{}
	for _, stage := range []*Stage{e.Flattened, e.Derived, e.Validated} {
		for _, i := range stage.Issues {
			issues[i] = true
		}
	}
	if len(issues) != len(change.Row.Issues) {
		t.Fatalf("the stages' issues are %v, the row's %v", issues, change.Row.Issues)
	}
	sameSwing(t, e)
	sameContact(t, e)
	return e
}

// sameContact holds what is shown of flight and contact against the row.
func sameContact(t *testing.T, e Explanation) {
	t.Helper()
	row, f, c := &e.Validated.Row, e.Flight, e.Contact
	if f == nil || f.Why == "" || (c != nil) != row.IsSwing {
		t.Fatalf("swing %v: flight %+v, contact %+v", row.IsSwing, f, c)
	}
	same := map[string][2]schemas.Opt[float64]{"plate time": {row.PlateTimeS, f.PlateS}}
	if row.FlightRMSFT.Present && row.FlightRMSFT.Value != f.RMSFT {
		t.Fatalf("flight is %v ft off, explained as %+v", row.FlightRMSFT, f)
	}
	if c != nil {
		if c.Why == "" || c.Source != row.ContactSource || len(c.Doubts) != len(row.ContactDoubts) {
			t.Fatalf("contact is from %q with %v, explained as %+v", row.ContactSource, row.ContactDoubts, c)
		}
		same["contact time"] = [2]schemas.Opt[float64]{row.ContactTimeS, c.TimeS}
		same["spread"] = [2]schemas.Opt[float64]{row.ContactBatSpeedSpreadMPH, c.SpreadMPH}
		same["error"] = [2]schemas.Opt[float64]{row.ContactBatSpeedErrorMPH, c.ErrorMPH}
		if row.ContactBatSpeedMPH.Present { // else it may be out of range
			same["speed"] = [2]schemas.Opt[float64]{row.ContactBatSpeedMPH, c.SpeedMPH}
		}
		if row.MissDistanceIn.Present {
			at, head, handle := c.Ball.Value, c.Head.Value, c.Handle.Value
			miss, _ := fromBat(point{at[0], at[1], at[2]}, point{head[0], head[1], head[2]},
				point{handle[0], handle[1], handle[2]})
			if math.Abs(12*miss-row.MissDistanceIn.Value) > 1e-9 {
				t.Fatalf("missed by %v inches, explained as %+v", row.MissDistanceIn, c)
			}
		}
	}
	for what, values := range same {
		if bitsOf(values[0]) != bitsOf(values[1]) {
			t.Fatalf("%s is %v, explained as %v", what, values[0], values[1])
		}
	}
}

// sameSwing holds the windows and the segment against the stages that keep none.
func sameSwing(t *testing.T, e Explanation) {
	t.Helper()
	if !e.Derived.Row.IsSwing {
		if e.BatSpeed != nil || e.AttackAngle != nil {
			t.Fatal("windows of no swing")
		}
		return
	}
	row := &e.Derived.Row
	if bitsOf(row.BatSpeedMPH) != bitsOf(e.BatSpeed.SpeedMPH) || row.SpeedConfidence != e.BatSpeed.Confidence {
		t.Fatalf("bat speed is %v %s, explained as %+v", row.BatSpeedMPH, row.SpeedConfidence, e.BatSpeed)
	}
	if bitsOf(row.AttackAngleDeg) != bitsOf(e.AttackAngle.AngleDeg) {
		t.Fatalf("attack angle is %v, explained as %v", row.AttackAngleDeg, e.AttackAngle)
	}
	if fastest := e.BatSpeed.Fastest; (fastest >= 0) != row.BatSpeedMPH.Present {
		t.Fatalf("the fastest window is %d of a speed %v", fastest, row.BatSpeedMPH)
	} else if fastest >= 0 && bitsOf(e.BatSpeed.Windows[fastest].SpeedMPH) != bitsOf(row.BatSpeedMPH) {
		t.Fatalf("bat speed is %v, the fastest window %+v", row.BatSpeedMPH, e.BatSpeed.Windows[fastest])
	}
	accepted, rejected := 0, 0
	for _, w := range e.BatSpeed.Windows {
		switch {
		case w.SpeedMPH.Present == (w.Reason != ""):
			t.Fatalf("a window is accepted and has a reason, or neither: %+v", w)
		case w.SpeedMPH.Present:
			accepted++
		default:
			rejected++
		}
	}
	if accepted != e.BatSpeed.Accepted || rejected != e.BatSpeed.Rejected ||
		len(e.BatSpeed.Without)+e.BatSpeed.Spots != e.BatSpeed.Samples {
		t.Fatalf("the counts do not add up: %+v", e.BatSpeed)
	}
}

func bitsOf(o schemas.Opt[float64]) [2]uint64 {
	if !o.Present {
		return [2]uint64{}
	}
	return [2]uint64{1, math.Float64bits(o.Value)}
}

// exactly makes numbers comparable by their bits.
func exactly(c schemas.Change) any {
	if c.Row == nil {
		return c
	}
	row := *c.Row
	c.Row = nil
	return []any{c, row, bitsOf(row.BatSpeedMPH), bitsOf(row.AttackAngleDeg), bitsOf(row.ExitVelocityMPH)}
}

// guard: explain: the window that won is the first of the fastest
// guard: explain: rejected windows count
// guard: explain: few spots give no speed
func TestVectorsExplainedAsTheyAre(t *testing.T) {
	n := 0
	for _, file := range vectorFiles(t, "features*.jsonl") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(b))
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var v featureVector
			decodeNumbers(t, lines.Bytes(), &v)
			sameAsTransform(t, v.record(t))
			n++
		}
	}
	t.Logf("%d records explained", n)
}

// guard: explain: the window that won is the first of the fastest
// guard: explain: rejected windows count
// guard: explain: few spots give no speed
func TestExplanationsAtRandom(t *testing.T) {
	r := seeded(12)
	swings := 0
	for range 150 {
		tree := swingAndMiss(r)
		samples := batSamples(r, 5+r.IntN(60))
		for i := range samples { // windows that jump, gaps in time, ends that are lost
			switch r.IntN(12) {
			case 0:
				samples[i] = samples[i].(obj).without("handle")
			case 1:
				samples[i] = samples[i].(obj).set("head.pos", arr{r.Float64() * 9, r.Float64() * 9, r.Float64() * 9})
			case 2:
				samples[i] = samples[i].(obj).set("time", r.Float64()-0.5)
			}
		}
		e := sameAsTransform(t, recordOf(tree.set("samples_bat", samples)))
		if e.BatSpeed != nil && e.BatSpeed.Rejected > 0 {
			swings++
		}
	}
	if swings < 50 {
		t.Fatalf("only %d swings had a rejected window", swings)
	}
}

// guard: explain: the window that won is the first of the fastest
// guard: explain: rejected windows count
// guard: explain: few spots give no speed
func TestEachReasonForNoSpeedIsTold(t *testing.T) {
	at := func(ms, x float64) batSample {
		return batSample{
			timeS: ms / 1000, head: point{x: x}, handle: point{x: x, y: 3}, hasHead: true, hasHandle: true,
		}
	}
	steady := func(n int, ms, ft float64) (out []batSample) {
		for i := range n {
			out = append(out, at(float64(i)*ms, float64(i)*ft))
		}
		return out
	}
	for _, c := range []struct {
		name    string
		samples []batSample
		why     string
		reason  string
	}{
		{"few", steady(9, 3.3, 0.3), "fewer than 10", ""},
		{"slow frames", steady(12, 10, 0.3), "no window was accepted", ReasonDuration},
		{"jumps", steady(12, 3.3, 0.9), "no window was accepted", ReasonDistance},
		{"too fast", steady(12, 3.3, 0.66), "more than 95 mph", ""},
		{"fine", steady(30, 3.3, 0.3), "0.0 % rejected", ""},
		{"some frames missing", append(steady(10, 3.3, 0.3), at(60, 3), at(63.3, 3.3), at(66.6, 3.6)), "of the windows were rejected", ReasonDuration},
	} {
		v := new(BatSpeedView)
		speed, confidence := batSpeed(c.samples, v)
		if speed != v.SpeedMPH || confidence != v.Confidence {
			t.Errorf("%s: %v %s, explained as %v %s", c.name, speed, confidence, v.SpeedMPH, v.Confidence)
		}
		if !bytes.Contains([]byte(v.Why), []byte(c.why)) {
			t.Errorf("%s: %s", c.name, v.Why)
		}
		found := c.reason == ""
		for _, w := range v.Windows {
			found = found || w.Reason == c.reason
		}
		if !found {
			t.Errorf("%s: no window was rejected as %s", c.name, c.reason)
		}
	}
}
