package jsonscan

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// compareScan compares SkipValue with the standard library, and the text of a string with what json.Unmarshal
// reads. It does so once more with blanks behind the value, because the words of eight bytes are not read
// near the end.
func compareScan(t *testing.T, b []byte) {
	t.Helper()
	for _, b := range [][]byte{b, append(b[:len(b):len(b)], strings.Repeat(" ", 2*window)...)} {
		i := Blanks(b, 0)
		end := -1
		if i < len(b) {
			if end = SkipValue(b, i, 0); end >= 0 && Blanks(b, end) != len(b) {
				end = -1
			}
		}
		if (end >= 0) != valid(b) {
			t.Fatalf("%q: scanned to %d, the standard library says %v", b, end, valid(b))
		}
		if end < 0 || b[i] != '"' {
			continue
		}
		var want string
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		got, ok := AppendUnescaped(nil, b[i+1:end-1])
		if storable := !strings.ContainsAny(want, "\x00\ufffd"); ok != storable || ok && string(got) != want {
			t.Fatalf("%q reads as %q (%v), want %q (%v)", b, got, ok, want, storable)
		}
	}
}

func TestRandomTextIsJSONExactlyIfTheStandardLibrarySaysSo(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 7))
	pieces := strings.Split(`{|}|[|]|,|:|"|\|/|u|u00e9|\ud800|\udc00|\n|\x|a|é|😀|0|1|9|12345678|-|+|.|e|E|`+
		"true|false|null|nul|NaN| |\t|\n|\r|\v|\x00|\x1f|\x7f|\xff|\xc3|\xed\xa0\x80|\ufeff|\u2028|"+
		`"a"|""|{}|[]|"a":1|[1,2]|1.5e-3|aaaaaaaa|\"`, "|")
	n := 60_000
	if testing.Short() {
		n = 10_000
	}
	accepted := 0
	for range n {
		var b []byte
		for range 1 + r.IntN(9) {
			b = append(b, pieces[r.IntN(len(pieces))]...)
		}
		compareScan(t, b)
		if valid(b) {
			accepted++
		}
	}
	if accepted < n/100 {
		t.Errorf("only %d of %d were JSON", accepted, n)
	}
}

// Strings of every length lie on every side of the words that are read at once, with one byte in them that is
// not plain.
func TestStringsOfAllLengthsAreScanned(t *testing.T) {
	for length := range 40 {
		for at := range length {
			for _, odd := range []string{"\"", "\\", "\\n", "\x1f", "\x7f", "\x80", "é", "\xff", "\\u00e9", " ", "\\ud83d\\ude00"} {
				s := strings.Repeat("x", at) + odd + strings.Repeat("y", length-at-1)
				compareScan(t, []byte(`"`+s+`"`))
				compareScan(t, []byte(`{"`+s+`":["`+s+`"]}`))
				compareScan(t, []byte(`"`+s))
			}
		}
	}
}
