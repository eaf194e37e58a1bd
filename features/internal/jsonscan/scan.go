// Package jsonscan scans JSON in place: it validates all bytes, finds where each value begins and ends, and
// reads numbers and texts without building a tree. It knows JSON's grammar (RFC 8259) and nothing of pitches.
//
// The problem is speed: a record has 110 KB, and its reader wants some 60 KB of it. A decoder that builds
// maps or fills structs spends nearly all of its time and memory on values that are never read. A scanner
// lets the caller walk the bytes, read what it wants and skip the rest, eight bytes at a time.
//
// Every function takes the bytes and a cursor, and returns the cursor behind what it read. Three facts hold
// everywhere:
//
//   - A negative cursor is a syntax error at offset ^cursor. It needs no second result and no allocation; the
//     caller returns it as it is. NextMember, NextElement and AfterBracket pass a negative cursor on.
//   - A cursor at a value, a name or a closing bracket is always below len(b), so b[i] needs no check.
//   - There is no state but the cursor, and no stack but that of the calls. MaxDepth bounds both.
//
// An object is read by a loop of this form, and an array by the same one with FirstElement, NextElement and
// ']':
//
//	for i = FirstMember(b, i); i >= 0 && b[i] != '}'; i = NextMember(b, i) {
//		end, _ := SkipString(b, i) // the member's name is b[i+1 : end-1]
//		i = AfterName(b, end)      // now at the member's value; negative if there is none
//		i = SkipValue(b, i, depth)
//	}
//	return AfterBracket(i)
//
// The package accepts exactly the bytes that utf8.Valid and encoding/json.Valid both accept, up to MaxDepth
// open brackets. Tests compare it with those two, and its numbers with strconv.
package jsonscan

// MaxDepth is how many arrays and objects may be open at once. A deeper record is a syntax error, because
// each open bracket costs a stack frame and a record of nothing but brackets would otherwise exhaust the
// stack.
const MaxDepth = 512

// Blanks moves over white space.
func Blanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// FirstMember moves from { to the first name's quote, or to the } of an empty object.
func FirstMember(b []byte, i int) int {
	i = Blanks(b, i+1)
	if i < len(b) && (b[i] == '"' || b[i] == '}') {
		return i
	}
	return ^i
}

// NextMember moves from behind a member's value to the next name's quote, or to the object's }.
func NextMember(b []byte, i int) int {
	if i < 0 {
		return i
	}
	i = Blanks(b, i)
	if i < len(b) && b[i] == '}' {
		return i
	}
	if i < len(b) && b[i] == ',' {
		i = Blanks(b, i+1)
		if i < len(b) && b[i] == '"' {
			return i
		}
	}
	return ^i
}

// FirstElement moves from [ to the first element, or to the ] of an empty array.
func FirstElement(b []byte, i int) int {
	i = Blanks(b, i+1)
	if i < len(b) {
		return i
	}
	return ^i
}

// NextElement moves from behind an element to the next one, or to the array's ].
func NextElement(b []byte, i int) int {
	if i < 0 {
		return i
	}
	i = Blanks(b, i)
	if i < len(b) && b[i] == ']' {
		return i
	}
	if i < len(b) && b[i] == ',' {
		i = Blanks(b, i+1)
		if i < len(b) && b[i] != ']' {
			return i
		}
	}
	return ^i
}

// AfterName moves from behind a member's name to its value.
func AfterName(b []byte, i int) int {
	i = Blanks(b, i)
	if i < len(b) && b[i] == ':' {
		i = Blanks(b, i+1)
		if i < len(b) {
			return i
		}
	}
	return ^i
}

// AfterBracket moves over the closing bracket at which a loop over members or elements has ended. If the loop
// ended with an error, it returns that.
func AfterBracket(i int) int {
	if i < 0 {
		return i
	}
	return i + 1
}

// SkipValue moves over any value. depth is how many brackets are open around it.
func SkipValue(b []byte, i, depth int) int {
	switch b[i] {
	case '{':
		return SkipObject(b, i, depth+1)
	case '[':
		return skipArray(b, i, depth+1)
	case '"':
		i, _ = SkipString(b, i)
		return i
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	}
	return SkipNumber(b, i)
}

// SkipObject moves over an object. depth is how many brackets are open inside it, its own included.
func SkipObject(b []byte, i, depth int) int {
	if depth > MaxDepth {
		return ^i
	}
	for i = FirstMember(b, i); i >= 0 && b[i] != '}'; i = NextMember(b, i) {
		if i, _ = SkipString(b, i); i < 0 {
			return i
		}
		if i = AfterName(b, i); i < 0 {
			return i
		}
		i = SkipValue(b, i, depth)
	}
	return AfterBracket(i)
}

func skipArray(b []byte, i, depth int) int {
	if depth > MaxDepth {
		return ^i
	}
	for i = FirstElement(b, i); i >= 0 && b[i] != ']'; i = NextElement(b, i) {
		i = SkipValue(b, i, depth)
	}
	return AfterBracket(i)
}

// skipWord moves over true, false or null.
func skipWord(b []byte, i int, word string) int {
	// The error is at the first byte that differs, which the dead letter shows.
	for j := range len(word) {
		if i+j == len(b) || b[i+j] != word[j] {
			return ^(i + j)
		}
	}
	return i + len(word)
}
