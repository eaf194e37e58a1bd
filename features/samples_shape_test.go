package features

import (
	"strings"
	"testing"
)

// A shape reads whatever differs in numbers only, and leaves the rest to those who read members.
func TestShapes(t *testing.T) {
	const sample = `{"time": 1.25, "head": {"pos": [1, -2.5, 3e0]}, "x": [7, "8"]}`
	b := []byte(sample)
	var s shape
	at := wantedAt{slotTime: strings.Index(sample, "1.25"), slotHead: strings.Index(sample, "1, -2"), slotHead + 1: strings.Index(sample, "-2.5")}
	s.learn(b, 0, len(b), &at)
	for _, story := range []struct {
		moral, next string
		fits        bool
	}{
		{"itself", sample, true},
		{"other numbers", `{"time": -0.5, "head": {"pos": [10, 0, 3]}, "x": [1e5, "8"]}`, true},
		{"numbers in texts are no numbers", `{"time": 1.25, "head": {"pos": [1, -2.5, 3e0]}, "x": [7, "9"]}`, false},
		{"another name", `{"tame": 1.25, "head": {"pos": [1, -2.5, 3e0]}, "x": [7, "8"]}`, false},
		{"other white space", `{"time":1.25, "head": {"pos": [1, -2.5, 3e0]}, "x": [7, "8"]}`, false},
		{"another value", `{"time": null, "head": {"pos": [1, -2.5, 3e0]}, "x": [7, "8"]}`, false},
		{"no number of JSON's", `{"time": 01.25, "head": {"pos": [1, -2.5, 3e0]}, "x": [7, "8"]}`, false},
		{"a wanted number out of range", `{"time": 1e999, "head": {"pos": [1, -2.5, 3e0]}, "x": [7, "8"]}`, false},
		{"an unwanted one does not matter", `{"time": 1, "head": {"pos": [1, -2.5, 3e0]}, "x": [1e999, "8"]}`, true},
		{"one more", `{"time": 1, "head": {"pos": [1, -2.5, 3e0, 4]}, "x": [1e999, "8"]}`, false},
		{"one less", `{"time": 1, "head": {"pos": [1, -2.5]}, "x": [1e999, "8"]}`, false},
	} {
		var n wanted
		both := []byte(sample + story.next)
		end := s.read(both, len(sample), &n)
		if fits := end != 0; fits != story.fits || fits && end != len(both) {
			t.Errorf("%s: read to %d of %d", story.moral, end, len(both))
		}
		for cut := range len(story.next) {
			if end := s.read(both[:len(sample)+cut], len(sample), &n); end != 0 {
				t.Errorf("%s: cut after %d bytes it was read to %d", story.moral, cut, end)
			}
		}
	}
	var n wanted
	s.read([]byte(sample+`{"time": -0.5, "head": {"pos": [10, 0, 3]}, "x": [1e5, "8"]}`), len(sample), &n)
	if n[slotTime] != -0.5 || n[slotHead] != 10 || n[slotHead+1] != 0 {
		t.Errorf("the numbers are %v", n)
	}
}

// Otherwise shapes would only be a complication.
func TestNearlyAllSamplesOfATrackAreReadByTheirShape(t *testing.T) {
	for name, s := range map[string]style{"python": asPython, "compact": asCompact, "pretty": asPretty} {
		d := new(decoder)
		if rej := d.decode(s.bytes(swingAndMiss(seeded(1)))); rej != nil {
			t.Fatal(rej)
		}
		if d.shape.count != 10 && d.shape.count != 7 {
			t.Errorf("%s: the last sample's shape has %d numbers", name, d.shape.count)
		}
	}
}

// A sample out of the ordinary among others is read as it is, and so is the next one.
func TestOddSamplesAmongOthers(t *testing.T) {
	ordinary := func(i int) obj {
		return obj{{"time", i}, {"head", obj{{"pos", arr{i, 2, 3}}}}, {"handle", obj{{"pos", arr{i, 2, 5}}}}}
	}
	odd := []obj{
		{}, {{"event", "No"}}, {{"time", nil}}, {{"time", raw("1e999")}, {"head", obj{{"pos", arr{1, 2, 3}}}}},
		{{"time", 5}, {"time", nil}}, {{"head", obj{{"pos", arr{1, 2, 3}}}}, {"time", 7}},
		{{"time", 5}, {"head", obj{{"pos", arr{1, 2, raw("1e999")}}}}, {"handle", obj{{"pos", arr{5, 2, 5}}}}},
		{{"time", 5}, {"head", obj{{"pos", arr{1, 2, 3}}}}, {"head", obj{}}, {"handle", obj{{"pos", arr{5, 2, 5}}}}},
		{{"time", 5}, {"head", obj{{"pos", arr{1, 2, 3}}, {"pos", arr{1, 2}}}}}, {{"t\\u0069me", 5}},
		{{"time", 5}, {"head", obj{{"pos", arr{9, 9, 9}}}}, {"handle", obj{{"pos", arr{5, 2, 5}}}}, {"head", obj{{"pos", arr{8, 2, 3}}}}},
		{{"time", 1}, {"unknown", numbers(maxParts - 1)}}, {{"time", 1}, {"unknown", numbers(maxParts)}},
	}
	for k := range odd {
		for _, twice := range []bool{false, true} {
			track := arr{ordinary(1), ordinary(2), odd[k], ordinary(3), ordinary(4), ordinary(2)}
			if twice {
				like := asPython.bytes(odd[k])
				track = append(track, odd[k], raw(strings.ReplaceAll(string(like), "1e999", "44")), ordinary(9))
			}
			rowOf(t, recordOf(aPitch().set("samples_bat", track).set("samples_ball", track)))
		}
	}
}

func numbers(n int) (list arr) {
	for i := range n {
		list = append(list, i)
	}
	return list
}
