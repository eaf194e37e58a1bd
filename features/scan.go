package features

// The scanner is the lowest floor of the decoder: what JSON's grammar (RFC 8259) says, and nothing of pitches. It
// accepts what utf8.Valid and encoding/json.Valid accept together, up to maxDepth open brackets.
//
// Every function takes the record's bytes and a cursor and returns the cursor behind what it read. A negative cursor is
// a syntax error at offset ^cursor (so that errors need no second result and no allocation); whoever gets one returns
// it. A cursor at a value, a name or a closing bracket is always below len(b). There is no other state and no stack but
// that of the calls, which maxDepth bounds.

// maxDepth is how many arrays and objects may be open at once.
const maxDepth = 512

// blanks moves over white space.
func blanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// firstMember moves from { to the first name's quote, or to the } of an empty object.
func firstMember(b []byte, i int) int {
	i = blanks(b, i+1)
	if i < len(b) && (b[i] == '"' || b[i] == '}') {
		return i
	}
	return ^i
}

// nextMember moves from behind a member's value to the next name's quote, or to the object's }.
func nextMember(b []byte, i int) int {
	if i < 0 {
		return i
	}
	i = blanks(b, i)
	if i < len(b) && b[i] == '}' {
		return i
	}
	if i < len(b) && b[i] == ',' {
		i = blanks(b, i+1)
		if i < len(b) && b[i] == '"' {
			return i
		}
	}
	return ^i
}

// firstElement moves from [ to the first element, or to the ] of an empty array.
func firstElement(b []byte, i int) int {
	i = blanks(b, i+1)
	if i < len(b) {
		return i
	}
	return ^i
}

// nextElement moves from behind an element to the next one, or to the array's ].
func nextElement(b []byte, i int) int {
	if i < 0 {
		return i
	}
	i = blanks(b, i)
	if i < len(b) && b[i] == ']' {
		return i
	}
	if i < len(b) && b[i] == ',' {
		i = blanks(b, i+1)
		if i < len(b) && b[i] != ']' {
			return i
		}
	}
	return ^i
}

// afterName moves from behind a name to its value.
func afterName(b []byte, i int) int {
	i = blanks(b, i)
	if i < len(b) && b[i] == ':' {
		i = blanks(b, i+1)
		if i < len(b) {
			return i
		}
	}
	return ^i
}

// skipValue moves over any value within depth open brackets.
func skipValue(b []byte, i, depth int) int {
	switch b[i] {
	case '{':
		return skipObject(b, i, depth+1)
	case '[':
		return skipArray(b, i, depth+1)
	case '"':
		i, _ = skipString(b, i)
		return i
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	}
	return skipNumber(b, i)
}

// skipObject moves over an object; depth counts the brackets that are open within it.
func skipObject(b []byte, i, depth int) int {
	if depth > maxDepth {
		return ^i
	}
	for i = firstMember(b, i); i >= 0 && b[i] != '}'; i = nextMember(b, i) {
		if i, _ = skipString(b, i); i < 0 {
			return i
		}
		if i = afterName(b, i); i < 0 {
			return i
		}
		i = skipValue(b, i, depth)
	}
	return closed(i)
}

// skipArray moves over an array; depth counts the brackets that are open within it.
func skipArray(b []byte, i, depth int) int {
	if depth > maxDepth {
		return ^i
	}
	for i = firstElement(b, i); i >= 0 && b[i] != ']'; i = nextElement(b, i) {
		i = skipValue(b, i, depth)
	}
	return closed(i)
}

// closed moves over the closing bracket that a loop over members or elements has ended at, if it has not failed.
func closed(i int) int {
	if i < 0 {
		return i
	}
	return i + 1
}

// skipWord moves over true, false or null.
func skipWord(b []byte, i int, word string) int {
	for j := range len(word) {
		if i+j == len(b) || b[i+j] != word[j] {
			return ^(i + j)
		}
	}
	return i + len(word)
}
