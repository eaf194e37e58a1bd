package features

import (
	"bytes"
	"math"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
	"github.com/pitchstream/pitchstream/schemas"
)

// kind classifies a value of the record as far as columns need it. Trackers write {} where they have nothing
// to report, so every empty value counts as missing (section 2 of the specification, reading values).
type kind uint8

const (
	// missing is the kind of a value that is absent, or is one of {} [] null "".
	missing kind = iota // absent, or one of {} [] null ""
	// number is a number within the range of a double.
	number
	// text is a text that is not empty.
	text
	// object is an object that is not empty. Only the check of summary_acts.pitch asks for this kind.
	object
	// array is an array that is not empty.
	array
	// other is true, false, or a number outside of the range of a double: present, but of no column's type.
	other
)

// value is one scalar of the record, or an object or array of which only the kind and the count matter. It
// aliases the record's bytes.
type value struct {
	kind kind
	// escaped reports that raw, a text, contains escapes.
	escaped bool
	// count is the number of elements of an array.
	count int
	// num is the value of a number.
	num float64
	// raw is a number as it is written, or the bytes between a text's quotes.
	raw []byte
}

// readValue reads the value at i. depth is how many brackets are open around it.
func readValue(b []byte, i, depth int) (value, int) {
	switch b[i] {
	case '"':
		end, escaped := jsonscan.SkipString(b, i)
		if end < 0 || end == i+2 {
			return value{}, end
		}
		return value{kind: text, escaped: escaped, raw: b[i+1 : end-1]}, end
	case 'n':
		return value{}, jsonscan.SkipValue(b, i, depth)
	// true and false are values of no column, so only their presence counts.
	case 't', 'f':
		return value{kind: other}, jsonscan.SkipValue(b, i, depth)
	case '{':
		return readPlainObject(b, i, depth+1)
	case '[':
		return readPlainArray(b, i, depth+1)
	}
	f, end, ok := jsonscan.ReadNumber(b, i)
	if !ok {
		return value{kind: other}, end
	}
	return value{kind: number, num: f, raw: b[i:end]}, end
}

// readPlainObject moves over an object and reports whether it has members: an empty one is missing.
func readPlainObject(b []byte, i, depth int) (v value, next int) {
	if next = jsonscan.SkipObject(b, i, depth); next >= 0 && b[jsonscan.Blanks(b, i+1)] != '}' {
		v.kind = object
	}
	return v, next
}

// readPlainArray counts an array's elements. It need not check the depth itself, because no path that is read
// is close to jsonscan.MaxDepth.
func readPlainArray(b []byte, i, depth int) (v value, next int) {
	for i = jsonscan.FirstElement(b, i); i >= 0 && b[i] != ']'; i = jsonscan.NextElement(b, i) {
		i = jsonscan.SkipValue(b, i, depth)
		v.kind = array
		v.count++
	}
	return v, jsonscan.AfterBracket(i)
}

// is reports whether the value is exactly this text, once unescaped.
func (v value) is(want string) bool {
	// The length is compared first, so that a long text is not unescaped for nothing.
	if !v.escaped || len(v.raw) > jsonscan.MaxEscapeBytes*len(want) {
		return v.kind == text && string(v.raw) == want
	}
	got, ok := v.unescaped(nil)
	return ok && string(got) == want
}

// unescaped returns the text that v stands for, in the record's bytes or appended to buf. ok is false if no
// store could keep it, as for jsonscan.AppendUnescaped.
func (v value) unescaped(buf []byte) (text []byte, ok bool) {
	if !v.escaped {
		return v.raw, true
	}
	return jsonscan.AppendUnescaped(buf, v.raw)
}

// identifier reads the id of a batter, pitcher or team (section 3 of the specification, columns). It accepts
// a number written without fraction and exponent, exactly, within signed 64 bits. It accepts other integral
// numbers of magnitude below 2^53, because doubles are still exact there. It accepts the text of an integer.
func (v value) identifier() schemas.Opt[int64] {
	switch v.kind {
	case text:
		if raw, ok := v.unescaped(nil); ok {
			return identifierText(raw)
		}
	case number:
		// The written digits are read, because a double would round an id above 2^53 to that of another person.
		if !bytes.ContainsAny(v.raw, ".eE") {
			return parseInt64(v.raw)
		}
		if v.num == math.Trunc(v.num) && math.Abs(v.num) < 1<<53 {
			return schemas.Some(int64(v.num))
		}
	}
	return schemas.Opt[int64]{}
}

// identifierText reads the text of an integer. A sign, leading zeros and white space around it are allowed.
func identifierText(b []byte) schemas.Opt[int64] {
	return parseInt64(bytes.Trim(b, " \t\r\n"))
}

// parseInt64 reads [+-]?[0-9]+ within signed 64 bits.
func parseInt64(b []byte) schemas.Opt[int64] {
	digits, negative := b, len(b) > 0 && b[0] == '-'
	if negative || len(b) > 0 && b[0] == '+' {
		digits = b[1:]
	}
	// The magnitude of the least 64-bit integer is one more than that of the greatest.
	if negative {
		v, ok := digitsBelow(digits, 1<<63+1)
		return schemas.Opt[int64]{Value: int64(-v), Present: ok}
	}
	v, ok := digitsBelow(digits, 1<<63)
	return schemas.Opt[int64]{Value: int64(v), Present: ok}
}
