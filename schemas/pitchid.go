package schemas

import (
	"encoding/hex"
	"fmt"
)

// PitchID is the UUID of a pitch. Its text is lower case, 8-4-4-4-12.
type PitchID [16]byte

// ParsePitchID reads UUID text of the form 8-4-4-4-12, in either case. ok is false for anything else. It does
// not allocate, because it runs for every record.
func ParsePitchID[T string | []byte](s T) (id PitchID, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return PitchID{}, false
	}
	var digits [32]byte
	n := copy(digits[:], s[:8])
	n += copy(digits[n:], s[9:13])
	n += copy(digits[n:], s[14:18])
	n += copy(digits[n:], s[19:23])
	copy(digits[n:], s[24:])
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return PitchID{}, false
	}
	return id, true
}

// String returns the lower-case text.
func (id PitchID) String() string {
	var b [36]byte
	id.put(&b)
	return string(b[:])
}

// put writes the lower-case text.
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

// MarshalText returns the text of String.
func (id PitchID) MarshalText() ([]byte, error) {
	var b [36]byte
	id.put(&b)
	return b[:], nil
}

// UnmarshalText reads the text that ParsePitchID reads.
func (id *PitchID) UnmarshalText(b []byte) error {
	v, ok := ParsePitchID(b)
	if !ok {
		return fmt.Errorf("not UUID text (8-4-4-4-12): %q", b)
	}
	*id = v
	return nil
}
