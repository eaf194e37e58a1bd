package features

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The plain decoder: decide with the standard library whether the bytes are JSON, then build maps, slowly.

// badText is a JSON string with a lone surrogate or U+0000: no text.
type badText struct{}

// plainNumber is a number in the range of a double, and as it was written.
type plainNumber struct {
	f       float64
	written string
}

// tooLarge is a number out of the range of a double.
type tooLarge struct{}

func plainValid(b []byte) bool {
	return utf8.Valid(b) && json.Valid(b) && plainDepth(b) <= 512
}

// plainDepth is how many brackets are open at once, of valid JSON.
func plainDepth(b []byte) (most int) {
	open, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch {
		case inString && b[i] == '\\':
			i++
		case b[i] == '"':
			inString = !inString
		case inString:
		case b[i] == '{' || b[i] == '[':
			open++
			most = max(most, open)
		case b[i] == '}' || b[i] == ']':
			open--
		}
	}
	return most
}

// plainDecode makes a tree of map[string]any, []any, string, badText, plainNumber, tooLarge, bool and nil of
// valid JSON.
func plainDecode(b []byte) any {
	p := &plainParser{s: string(b)}
	return p.value()
}

type plainParser struct {
	s string
	i int
}

func (p *plainParser) peek() byte {
	for strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
	return p.s[p.i]
}

func (p *plainParser) value() any {
	switch p.peek() {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		return p.text()
	case 't':
		p.i += 4
		return true
	case 'f':
		p.i += 5
		return false
	case 'n':
		p.i += 4
		return nil
	}
	return p.number()
}

func (p *plainParser) object() any {
	m := map[string]any{}
	p.i++
	for p.peek() != '}' {
		name, known := p.text().(string)
		p.peek()
		p.i++ // the colon
		if v := p.value(); known {
			m[name] = v
		} else {
			m["\x00 a name that is no text"] = v
		}
		if p.peek() == ',' {
			p.i++
		}
	}
	p.i++
	return m
}

func (p *plainParser) array() any {
	a := []any{}
	p.i++
	for p.peek() != ']' {
		a = append(a, p.value())
		if p.peek() == ',' {
			p.i++
		}
	}
	p.i++
	return a
}

func (p *plainParser) number() any {
	from := p.i
	for p.i < len(p.s) && strings.IndexByte("+-.eE0123456789", p.s[p.i]) >= 0 {
		p.i++
	}
	written := p.s[from:p.i]
	f, err := strconv.ParseFloat(written, 64)
	if err != nil {
		return tooLarge{}
	}
	return plainNumber{f, written}
}

func (p *plainParser) text() any {
	var units []uint16 // as JSON thinks of text
	p.peek()
	for p.i++; p.s[p.i] != '"'; {
		if p.s[p.i] != '\\' {
			r, size := utf8.DecodeRuneInString(p.s[p.i:])
			units = utf16.AppendRune(units, r)
			p.i += size
			continue
		}
		if c := p.s[p.i+1]; c != 'u' {
			units = append(units, uint16("\b\f\n\r\t\"\\/"[strings.IndexByte(`bfnrt"\/`, c)]))
			p.i += 2
			continue
		}
		u, _ := strconv.ParseUint(p.s[p.i+2:p.i+6], 16, 16)
		units = append(units, uint16(u))
		p.i += 6
	}
	p.i++
	return plainText(units)
}

func plainText(units []uint16) any {
	for i := 0; i < len(units); i++ {
		switch u := rune(units[i]); {
		case u == 0:
			return badText{}
		case !utf16.IsSurrogate(u):
		case i+1 < len(units) && utf16.DecodeRune(u, rune(units[i+1])) != utf8.RuneError:
			i++
		default:
			return badText{}
		}
	}
	return string(utf16.Decode(units))
}
