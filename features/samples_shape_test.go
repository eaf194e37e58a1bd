package features

import (
	"strings"
	"testing"
)

// Otherwise shapes would only be a complication.
func TestNearlyAllSamplesOfATrackAreReadByTheirShape(t *testing.T) {
	for name, s := range map[string]style{"python": asPython, "compact": asCompact, "pretty": asPretty} {
		d := new(decoder)
		if rej := d.decode(s.bytes(swingAndMiss(seeded(1)))); rej != nil {
			t.Fatal(rej)
		}
		if n := d.shape.Count(); n != 10 && n != 7 {
			t.Errorf("%s: the last sample's shape has %d numbers", name, n)
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
		{{"time", 1}, {"unknown", numbers(31)}}, {{"time", 1}, {"unknown", numbers(32)}},
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
