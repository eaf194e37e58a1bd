package simulate

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// identity returns the pitch's id: its eventId, or what the specification (features.md §6) derives for a
// record without one.
func identity(p *pitch, pk []byte) schemas.PitchID {
	if p.id != (schemas.PitchID{}) {
		return p.id
	}
	bytes := sha256.Sum256(p.value)
	name := slices.Concat(identityNamespace[:], pk, []byte{'\n'}, []byte(hex.EncodeToString(bytes[:])))
	hash := sha1.Sum(name)
	id := schemas.PitchID(hash[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

var identityNamespace, _ = schemas.ParsePitchID("6f1d3b52-5a0e-5c7e-9b7a-2f6f0b6c9d11")
