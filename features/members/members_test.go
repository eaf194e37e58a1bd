package members

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func list(found []Member) string {
	var all []string
	for _, m := range found {
		switch m.Kind {
		case Number:
			all = append(all, fmt.Sprintf("%s=%v", m.Path, m.Number))
		case Text:
			all = append(all, fmt.Sprintf("%s=%q", m.Path, m.Text))
		default:
			all = append(all, fmt.Sprintf("%s:%d", m.Path, m.Kind))
		}
	}
	return strings.Join(all, " ")
}

func TestEveryPathIsListedOnce(t *testing.T) {
	const value = ` {"a": {"b": 1.5, "c": {}, "d": null}, "e": [], "s": [{"p": [1, 2, "x"]}, {"p": [3], "q": true}],
		"1\u00e9": "t", "77": {"z": ""}, "78": {"z": "w"}, "a": {"b": 2}} `
	const want = `a:5 a.b=1.5 a.c:1 a.d:0 e:1 s:6 s[]:5 s[].p:6 s[].p[]=1 s[].q:2 1é="t" *:5 *.z:1 *.z="w"`
	var w Walker
	for range 3 { // the paths that are kept change nothing
		found, others, ok := w.Walk([]byte(value), [2]Span{})
		if got := list(found); got != want || others != 0 || !ok {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// A track is as long as hundreds of samples, and its end is known.
// guard: members: a track is jumped over
func TestATrackIsJumpedOver(t *testing.T) {
	track := `[` + strings.Repeat(`{"t": 1},`, 50) + `{"late": 1}]`
	value := []byte(`{"s": ` + track + `, "b": 1}`)
	from := bytes.IndexByte(value, '[')
	copy(value[from+200:], "damaged") // what lies between is not read
	var w Walker
	found, _, _ := w.Walk(value, [2]Span{{From: from, To: from + len(track)}})
	if got := list(found); got != "s:6 s[]:5 s[].t=1 b=1" {
		t.Fatal(got)
	}
}

// A hostile record has 50,000 members, another one a path of a megabyte, a third is deep. None of them grows
// anything.
// guard: members: a hostile record makes no paths
// guard: members: a path has a bound
func TestAHostileRecordGrowsNothing(t *testing.T) {
	var many strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&many, `,"member %d": %d`, i, i)
	}
	long := `{"` + strings.Repeat("x", 1<<20) + `": 1, "b": 1}`
	deep := `{"b": 1, "d": ` + strings.Repeat(`{"d":`, 400) + "1" + strings.Repeat("}", 400) + `}`
	wide := `{"b": 1, "d": ` + strings.Repeat(`{"0123456789": [`, 100) + "1" + strings.Repeat("]}", 100) + `}`
	for name, value := range map[string]string{"many": `{"b": 1` + many.String() + `}`, "long": long, "deep": deep, "wide": wide} {
		t.Run(name, func(t *testing.T) {
			var w Walker
			for range 3 {
				found, others, ok := w.Walk([]byte(value), [2]Span{})
				if ok == (others == 0) || len(found) > MaxMembers || w.nodes > MaxMembers+1 {
					t.Fatalf("%d members, %d paths kept, others: %d, complete: %v", len(found), w.nodes, others, ok)
				}
				for _, m := range found {
					if len(m.Path) > MaxPathBytes {
						t.Fatalf("a path of %d bytes", len(m.Path))
					}
				}
				if !strings.Contains(list(found), "b=1") {
					t.Fatal("the member b is not listed")
				}
			}
		})
	}
}

// Records with ever new members do not grow what is kept.
func TestThePathsThatAreKeptAreBounded(t *testing.T) {
	var w Walker
	for i := range 100 {
		var value strings.Builder
		value.WriteString(`{"b": 1`)
		for k := range 400 {
			fmt.Fprintf(&value, `,"m%d-%d": 1`, i, k)
		}
		w.Walk([]byte(value.String()+"}"), [2]Span{})
		if w.nodes > maxNodes+MaxMembers {
			t.Fatal(w.nodes)
		}
	}
}

func TestALikeRecordCostsNoAllocation(t *testing.T) {
	value := []byte(`{"a": {"b": 1.5, "c": {}}, "s": [{"p": [1, 2]}, {"p": [3, 4]}], "t": "word"}`)
	var w Walker
	w.Walk(value, [2]Span{})
	if n := testing.AllocsPerRun(20, func() { w.Walk(value, [2]Span{}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
