package features

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// The powers are what their comment says, computed with whole numbers.
func TestPowersOfTen(t *testing.T) {
	for q := minPower; q <= maxPower; q++ {
		five := new(big.Int).Exp(big.NewInt(5), big.NewInt(int64(max(q, -q))), nil)
		want := five
		if q < 0 { // 2^n / 5^−q with some bits to spare, cut off
			want = new(big.Int).Lsh(big.NewInt(1), 512)
			want.Div(want, five)
		} else {
			want.Lsh(want, 512)
		}
		want.Rsh(want, uint(want.BitLen()-128))
		if -27 <= q && q < 0 {
			want.Add(want, big.NewInt(1))
		}
		got := powersOfTen[q-minPower]
		if have := fmt.Sprintf("%016x%016x", got[0], got[1]); have != fmt.Sprintf("%032x", want) {
			t.Errorf("10^%d is %s, want %032x", q, have, want)
		}
	}
}

// compareFloat holds readNumber to the standard library's grammar and to its rounding, bit for bit.
func compareFloat(t *testing.T, s string) {
	t.Helper()
	for _, tail := range []string{"", ",", "]}]}]}]}]}", strings.Repeat(" ", window), ", 0.123456789012345678901234567890"} {
		b := []byte(s + tail)
		f, end, ok := readNumber(b, 0)
		if skipped := skipNumber(b, 0); skipped != end {
			t.Fatalf("%q: read to %d, skipped to %d", b, end, skipped)
		}
		if end < 0 {
			if plainValid([]byte(s)) {
				t.Fatalf("%q is a number, and was not read", s)
			}
			continue
		}
		if end < len(s) { // a number and something else: what is read must be a number
			s = s[:end]
		}
		want, err := strconv.ParseFloat(s, 64)
		if !plainValid([]byte(s)) || ok != (err == nil) || ok && math.Float64bits(f) != math.Float64bits(want) {
			t.Fatalf("%q reads as %v (%v), want %v (%v)", s, f, ok, want, err)
		}
	}
}

func TestFloatEqualsStrconv(t *testing.T) {
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

// A number is what it is worth, however long it is written: also where strconv has it otherwise.
func TestLongNumbers(t *testing.T) {
	zeros, nines := strings.Repeat("0", 20_000), strings.Repeat("9", 20_000)
	half := "9007199254740993" // halfway between two doubles
	for _, c := range []struct {
		long  string
		worth float64
	}{
		{"1" + zeros + "e-20000", 1}, {"-0." + zeros + "17e20002", -17}, {"1" + zeros + "e-19692", 1e308}, {"0e" + zeros, 0},
		{"0." + nines, 1}, {nines + "e-20000", 1}, {"-0." + zeros, math.Copysign(0, -1)}, {"1e" + zeros + "2", 100}, {"1e-" + zeros + "2", 0.01},
		{"0." + zeros + "1", 0}, {"1e-999999999999999999999", 0}, {half + zeros + "e-20000", 9007199254740992},
		{half + zeros + "1e-20001", 9007199254740994}, {half + "." + zeros + "1", 9007199254740994}, {half + "." + zeros, 9007199254740992},
	} {
		f, end, ok := readNumber([]byte(c.long), 0)
		if end != len(c.long) || !ok || math.Float64bits(f) != math.Float64bits(c.worth) {
			t.Errorf("%.20s… reads as %v (%v), want %v", c.long, f, ok, c.worth)
		}
	}
	for _, out := range []string{"1" + zeros, "9" + zeros + "e-19692", "1e999999999999999999999", "-1" + zeros + "e-19000", "1.7976931348623159e308", "1e309"} {
		if f, end, ok := readNumber([]byte(out), 0); ok || end != len(out) {
			t.Errorf("%.20s… reads as %v", out, f)
		}
	}
}

func TestFloatEqualsStrconvAtRandom(t *testing.T) {
	r := seeded(3)
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	for range n {
		compareFloat(t, randomNumber(r))
	}
}

// randomNumber is one of the kinds of numbers that are hard to round, or that records hold.
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

// halfway is a number in the middle between two neighbouring doubles, as long as it may be.
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
			return // no one reads a number that does not begin like one
		}
		compareFloat(t, s)
	})
}
