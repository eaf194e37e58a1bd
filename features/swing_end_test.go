package features

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// endOf returns the columns of a recorded pitch about the end of its swing, after change has changed the
// record. The plain computation must have the same.
func endOf(t *testing.T, file string, change func(pitch map[string]any, bat []any) []any) *schemas.Row {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(realFiles(t)[file], &tree); err != nil {
		t.Fatal(err)
	}
	acts := tree["summary_acts"].(map[string]any)
	tree["samples_bat"] = change(acts["pitch"].(map[string]any), tree["samples_bat"].([]any))
	delete(acts, "hit")
	value, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	rec := schemas.Record{Value: value}
	core, rej := Transform(rec, Limits{})
	if rej != nil {
		t.Fatal(rej)
	}
	plain, _ := plainTransform(rec, Limits{})
	row, want := core.Row, plain.Row
	if row.IsCutShort != want.IsCutShort || !agrees(row.EndBatSpeedMPH, want.EndBatSpeedMPH) {
		t.Errorf("%v %v, plain has %v %v", row.EndBatSpeedMPH, row.IsCutShort, want.EndBatSpeedMPH, want.IsCutShort)
	}
	return row
}

func agrees(a, b schemas.Opt[float64]) bool {
	return a.Present == b.Present && math.Abs(a.Value-b.Value) < 1e-6
}

// aStoppedSwing is a recorded foul whose bat stays in front of the plate, and aFullSwing a recorded miss.
const aStoppedSwing, aFullSwing = "12345636_46490.jsonl", "12345634_1020.jsonl"

// missed makes a swinging strike of a pitch.
func missed(pitch map[string]any, bat []any) []any {
	pitch["action"], pitch["result"] = map[string]any{}, "Strike"
	return bat
}

// guard: features: a swing that the umpire did not call is not cut short
func TestABatThatStaysInFrontOfThePlateWasCutShort(t *testing.T) {
	yes, no := schemas.Some(true), schemas.Some(false)
	as := func(action, result string) func(map[string]any, []any) []any {
		return func(pitch map[string]any, bat []any) []any {
			pitch["action"], pitch["result"] = action, result
			return bat
		}
	}
	for what, c := range map[string]struct {
		file   string
		change func(map[string]any, []any) []any
		want   schemas.Opt[bool]
	}{
		"a bat that stays in front": {aStoppedSwing, missed, yes},
		"a bat that comes around":   {aFullSwing, missed, no},
		"a foul":                    {aStoppedSwing, as("Foul", "Strike"), no},
		"a foul tip":                {aStoppedSwing, as("FoulTip", "Strike"), no},
		"a called strike":           {aStoppedSwing, as("Called", "Strike"), no},
		"a ball":                    {aStoppedSwing, as("", "Ball"), no},
		"a result that is unknown":  {aStoppedSwing, as("", "Whatever"), schemas.Opt[bool]{}},
	} {
		row := endOf(t, c.file, c.change)
		if row.IsCutShort != c.want {
			t.Errorf("%s: %v", what, row.IsCutShort)
		}
		if mph := row.EndBatSpeedMPH; !mph.Present || mph.Value < 5 || mph.Value > 13 {
			t.Errorf("%s: %v mph at the end", what, mph)
		}
	}
}

// guard: features: a track that ends in the swing does not show its end
// guard: features: a bat that is lost does not come back
func TestATrackThatIsLostSaysNothingAboutTheEndOfASwing(t *testing.T) {
	timeOf := func(sample any) float64 {
		at, _ := sample.(map[string]any)["time"].(float64)
		return at
	}
	upTo := func(lastS float64) func(map[string]any, []any) []any {
		return func(pitch map[string]any, bat []any) (kept []any) {
			for _, s := range missed(pitch, bat) {
				if timeOf(s) <= lastS {
					kept = append(kept, s)
				}
			}
			return kept
		}
	}
	row := endOf(t, aStoppedSwing, missed)
	contactS := row.ContactTimeS.Value
	row = endOf(t, aStoppedSwing, upTo(contactS+0.21))
	if !row.EndBatSpeedMPH.Present || !row.IsCutShort.Present {
		t.Errorf("a track of 0.21 s after contact: %v %v", row.EndBatSpeedMPH, row.IsCutShort)
	}
	// A full swing has its head in front of the plate now, and has not slowed down.
	row = endOf(t, aStoppedSwing, upTo(contactS+0.19))
	if row.ContactTimeS != schemas.Some(contactS) || row.EndBatSpeedMPH.Present || row.IsCutShort.Present {
		t.Errorf("a track of 0.19 s after contact: %v %v", row.EndBatSpeedMPH, row.IsCutShort)
	}
	nowhere := map[string]any{"pos": []any{0, 0, 0}}
	row = endOf(t, aStoppedSwing, func(pitch map[string]any, bat []any) []any {
		for _, s := range missed(pitch, bat) {
			if at := timeOf(s); contactS+0.1 < at && at < contactS+0.12 {
				s.(map[string]any)["head"], s.(map[string]any)["handle"] = nowhere, nowhere
			}
		}
		return bat
	})
	if row.IsCutShort != schemas.Some(true) {
		t.Errorf("a bat that was lost for 20 ms: %v", row.IsCutShort)
	}
}
