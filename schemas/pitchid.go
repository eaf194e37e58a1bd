package schemas

import (
	"encoding/hex"
	"fmt"
)

// PitchID is a pitch's UUID. Its text is lower case, 8-4-4-4-12.
type PitchID [16]byte

// ParsePitchID reads UUID text of the form 8-4-4-4-12, in either case; ok is false for anything else.
func ParsePitchID[T string | []byte](s T) (id PitchID, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return PitchID{}, false
	}
	j := 0
	for i := 0; i < 36; {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			i++
			continue
		}
		hi, lo := hexDigit(s[i]), hexDigit(s[i+1])
		if hi > 15 || lo > 15 {
			return PitchID{}, false
		}
		id[j] = hi<<4 | lo
		j++
		i += 2
	}
	return id, true
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// String is the lower-case text.
func (id PitchID) String() string {
	var b [36]byte
	id.put(&b)
	return string(b[:])
}

func (id PitchID) put(b *[36]byte) {
	hex.Encode(b[0:8], id[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], id[10:16])
}

// MarshalText gives the text of String.
func (id PitchID) MarshalText() ([]byte, error) {
	var b [36]byte
	id.put(&b)
	return b[:], nil
}

// UnmarshalText reads what ParsePitchID reads.
func (id *PitchID) UnmarshalText(b []byte) error {
	v, ok := ParsePitchID(b)
	if !ok {
		return fmt.Errorf("not UUID text (8-4-4-4-12): %q", b)
	}
	*id = v
	return nil
}
