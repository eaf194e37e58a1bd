package jsonscan

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// A shape reads whatever differs in numbers only, and leaves the rest to those who read members.
func TestShapes(t *testing.T) {
	const sample = `{"time": 1.25, "head": {"pos": [1, -2.5, 3e0]}, "x": [7, "8"]}`
	b := []byte(sample)
	var s Shape
	at := Offsets{0: strings.Index(sample, "1.25"), 1: strings.Index(sample, "1, -2"), 2: strings.Index(sample, "-2.5")}
	s.Learn(b, 0, len(b), &at)
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
		var n Numbers
		both := []byte(sample + story.next)
		end := s.Read(both, len(sample), &n)
		if fits := end != 0; fits != story.fits || fits && end != len(both) {
			t.Errorf("%s: read to %d of %d", story.moral, end, len(both))
		}
		for cut := range len(story.next) {
			if end := s.Read(both[:len(sample)+cut], len(sample), &n); end != 0 {
				t.Errorf("%s: cut after %d bytes it was read to %d", story.moral, cut, end)
			}
		}
	}
	var n Numbers
	s.Read([]byte(sample+`{"time": -0.5, "head": {"pos": [10, 0, 3]}, "x": [1e5, "8"]}`), len(sample), &n)
	if n[0] != -0.5 || n[1] != 10 || n[2] != 0 {
		t.Errorf("the numbers are %v", n)
	}
}

// Samples as they are usually written are read by the quick way, whatever the lengths of their numbers.
func TestShapesReadUsualSamplesQuickly(t *testing.T) {
	const sample = `{"time": -0.123456789, "head": {"pos": [12.3456789, -101.234567890123456, 3.4567890]}}`
	b := []byte(sample + strings.Repeat(" ", shapeWindow))
	var s Shape
	at := Offsets{0: strings.Index(sample, "-0.1"), 1: strings.Index(sample, "12.3"), 2: strings.Index(sample, "-101")}
	s.Learn(b, 0, len(sample), &at)
	var n Numbers
	if k, _ := s.quickly(b, 0, 0, &n); k != s.count || k != 4 {
		t.Errorf("%d of %d numbers were read quickly", k, s.count)
	}
	if n[0] != -0.123456789 || n[1] != 12.3456789 || n[2] != -101.234567890123456 {
		t.Errorf("the numbers are %v", n)
	}
}

// compareShape reads three numbers by the shape of others, and compares them with strconv, bit for bit, and
// what is no number with the standard library's grammar.
func compareShape(t *testing.T, s *Shape, learned []byte, numbers [3]string) {
	t.Helper()
	next := `{"a": ` + numbers[0] + `, "b": {"pos": [` + numbers[1] + `, 7, ` + numbers[2] + `]}}`
	for _, tail := range []string{"", ",", strings.Repeat(" ", shapeWindow)} {
		var got Numbers
		b := append(learned[:len(learned):len(learned)], next+tail...)
		end := s.Read(b, len(learned), &got)
		if end == 0 {
			if readable(numbers[:]) {
				t.Fatalf("%q does not fit", next)
			}
			continue
		}
		if end != len(learned)+len(next) || !valid([]byte(next)) {
			t.Fatalf("%q was read to %d", next, end-len(learned))
		}
		for k, number := range numbers {
			want, err := strconv.ParseFloat(number, 64)
			if err != nil || math.Float64bits(got[k]) != math.Float64bits(want) {
				t.Fatalf("%q reads as %v, want %v (%v)", number, got[k], want, err)
			}
		}
	}
}

// readable reports whether all are numbers of JSON within the range of a double.
func readable(numbers []string) bool {
	for _, number := range numbers {
		_, err := strconv.ParseFloat(number, 64)
		if err != nil || !valid([]byte(number)) || number[0] != '-' && number[0]-'0' > 9 ||
			strings.TrimSpace(number) != number {
			return false
		}
	}
	return true
}

// learnedShape is a shape of three wanted numbers and an unwanted one, and the bytes it was learned from.
func learnedShape() (*Shape, []byte) {
	learned := []byte(`{"a": 1.5, "b": {"pos": [2.5, 6, 3.5]}}`)
	at := Offsets{}
	for slot, number := range []string{"1.5", "2.5", "3.5"} {
		at[slot] = strings.Index(string(learned), number)
	}
	s := new(Shape)
	s.Learn(learned, 0, len(learned), &at)
	return s, learned
}

// Numbers of every length, with each digit and each fault in each place.
func TestShapesReadNumbersOfEveryForm(t *testing.T) {
	s, learned := learnedShape()
	for whole := range 5 {
		for fraction := range 21 {
			for _, digits := range []string{"0000000000000000000000000", "9999999999999999999999999", "1000000000000000000000001", "9007199254740993000000000", "4503599627370497500000000"} {
				number := digits[:whole] + "." + digits[whole:whole+fraction]
				for _, sign := range []string{"", "-", "--"} {
					compareShape(t, s, learned, [3]string{sign + number, number + "e2", sign + "0" + number})
					compareShape(t, s, learned, [3]string{"1.25", sign + number, "-0.0123456789012345"})
				}
			}
		}
	}
	const number = "-12.3456789012345678"
	for at := range len(number) {
		for c := range 256 {
			odd := number[:at] + string([]byte{byte(c)}) + number[at+1:]
			compareShape(t, s, learned, [3]string{"1.25", odd, "-0.0123456789012345"})
		}
	}
}

func TestShapesReadRandomNumbersAsStrconvDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 11))
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	s, learned := learnedShape()
	for range n {
		compareShape(t, s, learned, [3]string{usualNumber(r), randomNumber(r), usualNumber(r)})
	}
}

// usualNumber returns a number as trackers write them: of every one to three digits before the point, and of
// one to eighteen behind it. Some lie as close to the middle between two doubles as their digits can.
func usualNumber(r *rand.Rand) string {
	sign := []string{"", "-"}[r.IntN(2)]
	whole := strconv.Itoa(r.IntN([]int{1, 10, 100, 1000}[r.IntN(4)]))
	if r.IntN(2) == 0 {
		return sign + whole + "." + fmt.Sprintf("%018d", r.Uint64N(1e18))[:1+r.IntN(18)]
	}
	f, _ := strconv.ParseFloat(whole+fmt.Sprintf(".%016d", r.Uint64N(1e16)), 64)
	middle := new(big.Float).SetPrec(200).SetFloat64(f)
	middle.Add(middle, new(big.Float).SetFloat64(math.Nextafter(f, 1e4)))
	middle.Quo(middle, big.NewFloat(2))
	return sign + middle.Text('f', 13+r.IntN(5))
}

func FuzzShape(f *testing.F) {
	s, learned := learnedShape()
	f.Add("1.5", "-0.25", "12.3456789012345678")
	f.Add("01.5", "-0", "1e5")
	f.Add("123.4567890123456", "9.007199254740993", "-0.0000000000000001")
	f.Fuzz(func(t *testing.T, x, y, z string) {
		if x == "" || y == "" || z == "" || strings.ContainsAny(x+y+z, `",]}`) {
			return // it could have the bytes behind the number in it
		}
		compareShape(t, s, learned, [3]string{x, y, z})
	})
}
