package jsonscan

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The expected words are from the table that the authors of the algorithm published.
func TestPowersOfTenEqualThePublishedTable(t *testing.T) {
	for q, want := range map[int][2]uint64{
		-64: {0xa87fea27a539e9a5, 0x3f2398d747b36224}, -28: {0xfd87b5f28300ca0d, 0x8bca9d6e188853fc},
		-27: {0x9e74d1b791e07e48, 0x775ea264cf55347e}, -1: {0xcccccccccccccccc, 0xcccccccccccccccd},
		0: {0x8000000000000000, 0}, 27: {0xcecb8f27f4200f3a, 0}, 28: {0x813f3978f8940984, 0x4000000000000000},
		64: {0xc2781f49ffcfa6d5, 0x3cbf6b71c76b25fb},
	} {
		if got := powersOfTen[q-minPower]; got != want {
			t.Errorf("10^%d is %016x, want %016x", q, got, want)
		}
	}
}

// valid is the standard library's opinion.
func valid(b []byte) bool { return utf8.Valid(b) && json.Valid(b) }

// compareFloat compares ReadNumber with the standard library's grammar and with its rounding, bit for bit.
func compareFloat(t *testing.T, s string) {
	t.Helper()
	for _, tail := range []string{"", ",", "]}]}]}]}]}", strings.Repeat(" ", window), ", 0.123456789012345678901234567890"} {
		b := []byte(s + tail)
		f, end, ok := ReadNumber(b, 0)
		if skipped := SkipNumber(b, 0); skipped != end {
			t.Fatalf("%q: read to %d, skipped to %d", b, end, skipped)
		}
		if end < 0 {
			if valid([]byte(s)) {
				t.Fatalf("%q is a number, and was not read", s)
			}
			continue
		}
		if end < len(s) { // a number and something else: what is read must be a number
			s = s[:end]
		}
		want, err := strconv.ParseFloat(s, 64)
		if !valid([]byte(s)) || ok != (err == nil) || ok && math.Float64bits(f) != math.Float64bits(want) {
			t.Fatalf("%q reads as %v (%v), want %v (%v)", s, f, ok, want, err)
		}
	}
}

func TestNumbersEqualStrconv(t *testing.T) {
	for _, s := range strings.Fields(`0 -0 0.0 -0.0 1 -1 10 123456789 0.1 0.5 1e0 1E+2 1e-2 -1.5e300 1e308 1e309 -1e309 1e-400
		5e-324 2.2250738585072014e-308 1.7976931348623157e308 1.7976931348623159e308 9007199254740992 9007199254740993
		9007199254740994 9007199254740993.0 9007199254740993.00000000000000000000000000000000000001
		18446744073709551615 18446744073709551616 9999999999999999999 99999999999999999999 0.0001234567890123456
		0.00000000000000000000000000000000000000000000000000000000000000000000000001
		1e00000000000000000000002 1e-00000000000000000000002 1e99999999999999999999 0e99999999999999999999 1e-99999999999999
		8.589934592e9 4503599627370496.5 4503599627370497.5 1.00000000000000011102230246251565404236316680908203125
		1.00000000000000011102230246251565404236316680908203124 1.00000000000000011102230246251565404236316680908203126
		01 -01 00 - -a 1. .5 1.e5 1e 1e+ +1 1.5e 0x10 1_0 Inf NaN 1.. -0.e1 -a.5 -:.5 -/.5 a.5 -.5 --1.5 1-.5 12345678 123456789012345678 1.12345678 1.1234567`) {
		compareFloat(t, s)
	}
}

// Some of these numbers strconv reads wrongly.
func TestNumbersOfAnyLengthAreReadExactly(t *testing.T) {
	zeros, nines := strings.Repeat("0", 20_000), strings.Repeat("9", 20_000)
	half := "9007199254740993" // halfway between two doubles
	for _, c := range []struct {
		long string
		want float64
	}{
		{"1" + zeros + "e-20000", 1}, {"-0." + zeros + "17e20002", -17}, {"1" + zeros + "e-19692", 1e308}, {"0e" + zeros, 0},
		{"0." + nines, 1}, {nines + "e-20000", 1}, {"-0." + zeros, math.Copysign(0, -1)}, {"1e" + zeros + "2", 100}, {"1e-" + zeros + "2", 0.01},
		{"0." + zeros + "1", 0}, {"1e-999999999999999999999", 0}, {half + zeros + "e-20000", 9007199254740992},
		{half + zeros + "1e-20001", 9007199254740994}, {half + "." + zeros + "1", 9007199254740994}, {half + "." + zeros, 9007199254740992},
	} {
		f, end, ok := ReadNumber([]byte(c.long), 0)
		if end != len(c.long) || !ok || math.Float64bits(f) != math.Float64bits(c.want) {
			t.Errorf("%.20s… reads as %v (%v), want %v", c.long, f, ok, c.want)
		}
	}
	for _, out := range []string{"1" + zeros, "9" + zeros + "e-19692", "1e999999999999999999999", "-1" + zeros + "e-19000", "1.7976931348623159e308", "1e309"} {
		if f, end, ok := ReadNumber([]byte(out), 0); ok || end != len(out) {
			t.Errorf("%.20s… reads as %v", out, f)
		}
	}
}

func TestRandomNumbersEqualStrconv(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	for range n {
		compareFloat(t, randomNumber(r))
	}
}

// randomNumber returns a number of a kind that is hard to round, or that records hold.
func randomNumber(r *rand.Rand) string {
	switch r.IntN(8) {
	case 0: // any double, shortest
		return finite(strconv.FormatFloat(math.Float64frombits(r.Uint64()), 'g', -1, 64))
	case 1: // a measure, as JSON writers write it
		return strconv.FormatFloat(r.NormFloat64()*math.Pow10(r.IntN(8)-4), 'f', -1, 64)
	case 2: // 17 to 19 digits, somewhere
		return fmt.Sprintf("%de%d", r.Uint64(), r.IntN(140)-70)
	case 3: // halfway between two doubles, exactly, or nearly
		return halfway(r)
	case 4:
		return fmt.Sprintf("%d.%d", r.IntN(100), r.Uint64())
	case 5:
		return fmt.Sprintf("-0.%0*d", 1+r.IntN(24), r.Uint64N(1e17))
	case 6: // a whole number near a power of two
		return strconv.FormatUint(1<<r.IntN(64)+uint64(r.IntN(5))-2, 10)
	}
	return fmt.Sprintf("%d.%dE%+d", r.IntN(10), r.Uint64N(1e16), r.IntN(700)-350)
}

func finite(s string) string {
	if strings.ContainsAny(s, "IN") {
		return "0"
	}
	return s
}

// halfway returns the decimal number exactly in the middle between two neighbouring doubles, or one cut off
// close to it.
func halfway(r *rand.Rand) string {
	m := new(big.Int).SetUint64(1<<53 | r.Uint64N(1<<53))
	m.Lsh(m, 1).Add(m, big.NewInt(1))
	exponent := r.IntN(120) - 80
	f := new(big.Float).SetPrec(400).SetMantExp(new(big.Float).SetInt(m), exponent)
	s := f.Text('f', -1)
	if r.IntN(2) == 0 && len(s) > 20 {
		return f.Text('e', 17+r.IntN(4)) // cut off: near the middle, on one side
	}
	return s
}

func FuzzFloat(f *testing.F) {
	for _, s := range []string{"0", "-0.5e-3", "9007199254740993", "1e309", "1.00000000000000011102230246251565404236", "01", "1.", "12345678.12345678e1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || s[0] != '-' && s[0]-'0' > 9 {
			return // ReadNumber is only called where a number begins
		}
		compareFloat(t, s)
	})
}
