package features

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"

	"github.com/pitchstream/pitchstream/schemas"
)

// pitchNamespace is the namespace of pitch ids that are name-based UUIDs (version 5):
// 6f1d3b52-5a0e-5c7e-9b7a-2f6f0b6c9d11. It must never change, because every redelivered record would get
// another id.
var pitchNamespace = [16]byte{
	0x6f, 0x1d, 0x3b, 0x52, 0x5a, 0x0e, 0x5c, 0x7e, 0x9b, 0x7a, 0x2f, 0x6f, 0x0b, 0x6c, 0x9d, 0x11,
}

// identify sets the game and the pitch id of the row (section 6 of the specification, identity). A pitch must
// get the same id when it arrives again, unchanged or corrected, from any producer. So the producer's header
// comes first, then the record's event id. Only a record without either is known by its bytes.
func (b *rowBuilder) identify(rec schemas.Record) {
	game := b.gamePK(b.h.gamePK, rec.Key)
	b.d.texts.add(&b.row.GamePK, game)
	// The producer's id comes first, because it may carry the id of a pitch that a correction is about.
	if len(b.h.pitchID) > 0 {
		id, ok := schemas.ParsePitchID(b.h.pitchID)
		if ok {
			b.row.PitchID = id
			return
		}
		b.issues.add(pitchIDType)
	}
	b.row.PitchID = b.pitchID(rec.Value, game)
}

// gamePK returns the game: the header's, else the record's key, nil if neither can be read.
func (b *rowBuilder) gamePK(header, key []byte) []byte {
	for _, source := range [...][]byte{header, key} {
		if isGamePK(source) {
			return source
		}
		if len(source) > 0 {
			b.issues.add(gamePKType)
		}
	}
	return nil
}

// pitchID returns the record's event id if that is a UUID. Otherwise it returns a UUIDv5 of the game and the
// event id. A record without an event id (a pickoff) gets a UUIDv5 of the game and the SHA-256 of its exact
// bytes. Such a pitch can only be corrected by a record that carries the header pitch_id.
func (b *rowBuilder) pitchID(record, game []byte) schemas.PitchID {
	v, eventID := b.d.values[pitchEventID], []byte(nil)
	if v.kind != missing {
		var ok bool
		if eventID, ok = v.unescaped(nil); !ok || v.kind != text {
			b.issues.add(pitchIDType)
			eventID = nil
		}
	}
	if id, ok := schemas.ParsePitchID(eventID); ok {
		return id
	}
	// Redelivering the record yields the same bytes, and so the same id.
	if eventID == nil {
		sum := sha256.Sum256(record)
		eventID = hex.AppendEncode(nil, sum[:])
	}
	return b.nameBased(game, eventID)
}

// nameBased returns the UUIDv5 of game, a line feed and event, in pitchNamespace. A missing game is the empty
// text.
func (b *rowBuilder) nameBased(game, event []byte) (id schemas.PitchID) {
	b.d.scratch = append(b.d.scratch[:0], pitchNamespace[:]...)
	b.d.scratch = append(b.d.scratch, game...)
	b.d.scratch = append(b.d.scratch, '\n')
	b.d.scratch = append(b.d.scratch, event...)
	sum := sha1.Sum(b.d.scratch)
	copy(id[:], sum[:])
	// A UUID carries its version in the seventh byte and its variant in the ninth (RFC 9562).
	id[6] = id[6]&0x0f | 0x50 // version 5
	id[8] = id[8]&0x3f | 0x80 // RFC 9562
	return id
}
