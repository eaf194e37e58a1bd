package schemas

import (
	"cmp"
	"crypto/sha256"
)

// Header is one header of a Kafka record. A key may occur more than once; then the last one counts.
type Header struct {
	Key   string
	Value []byte
}

// headerBytes is what a header costs in memory beside its bytes. An empty one has two bytes in a batch.
const headerBytes = 40

// HeldBytes returns how much memory the header takes.
func (h *Header) HeldBytes() int {
	// guard: bytes: an empty header is not free | + headerBytes -> + headerBytes*0
	return len(h.Key) + len(h.Value) + headerBytes
}

// Record is one record of the raw topic as the core sees it: bytes and coordinates, without the types of a
// Kafka client. The core only reads it, and keeps no reference to its bytes in what it returns.
type Record struct {
	Coordinates
	Key     []byte // nil if the record has none
	Headers []Header
	Value   []byte // nil for a tombstone
	// Cut is not nil if the record is not whole: its value or key is only a beginning, or headers are
	// missing.
	Cut *Cut
}

// Cut describes a record of which a part is at hand.
type Cut struct {
	Bytes    int64 // of the whole value
	SHA256   [32]byte
	KeyBytes int64 // of the whole key; 0: Key is whole
	Headers  int64 // how many are missing, or are only a beginning
}

// DescribeWhole sets Cut from Value, which the caller is about to cut. It leaves the Cut of a value that is
// cut already, because that one describes the whole.
func (r *Record) DescribeWhole() {
	if r.Cut == nil {
		r.Cut = &Cut{Bytes: int64(len(r.Value)), SHA256: sha256.Sum256(r.Value)}
	}
}

// Size returns the bytes of the record's whole value.
func (r *Record) Size() int64 {
	if r.Cut != nil {
		return r.Cut.Bytes
	}
	return int64(len(r.Value))
}

// Names of the record headers that pitchstream reads.
const (
	HeaderGamePK        = "game_pk"
	HeaderGameDate      = "game_date"
	HeaderVenue         = "venue"
	HeaderEventTime     = "event_time"
	HeaderRevision      = "revision"
	HeaderOp            = "op"
	HeaderPitchID       = "pitch_id"
	HeaderBatterID      = "batter_id"
	HeaderPitcherID     = "pitcher_id"
	HeaderTeamID        = "team_id"
	HeaderAtBatNumber   = "at_bat_number"
	HeaderPitchNumber   = "pitch_number"
	HeaderBatterSide    = "batter_side"
	HeaderPitcherHand   = "pitcher_hand"
	HeaderSchemaVersion = "schema_version"
	HeaderTraceparent   = "traceparent"
	HeaderZoneTop       = "zone_top_ft"
	HeaderZoneBottom    = "zone_bottom_ft"
)

// IsRead reports whether the core reads a header. Without it the record would have another meaning.
func IsRead(header string) bool {
	switch header {
	case HeaderGamePK, HeaderGameDate, HeaderVenue, HeaderEventTime, HeaderRevision, HeaderOp, HeaderPitchID,
		HeaderBatterID, HeaderPitcherID, HeaderTeamID, HeaderAtBatNumber, HeaderPitchNumber, HeaderBatterSide,
		HeaderPitcherHand, HeaderSchemaVersion, HeaderZoneTop, HeaderZoneBottom, HeaderTraceparent,
		HeaderDLQOriginTopic, HeaderDLQOriginPartition, HeaderDLQOriginOffset, HeaderDLQOriginTimestamp:
		return true
	}
	return false
}

// Op is what a record asks for.
type Op uint8

const (
	// OpUpsert writes the row of a measured pitch.
	OpUpsert Op = iota
	// OpDelete removes the row and its contribution to the aggregates.
	OpDelete
	// OpIdentify names batter, pitcher, team and the place in the game. It comes from the game feed and has a
	// register of its own.
	OpIdentify
)

// String returns the value of the header op.
func (o Op) String() string {
	names := [...]string{OpUpsert: "upsert", OpDelete: "delete", OpIdentify: "identify"}
	if int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}

// Identifiers are what the game feed names for a pitch. The ids stand over those of the record. The others
// are in no record.
type Identifiers struct {
	BatterID  Opt[int64]
	PitcherID Opt[int64]
	TeamID    Opt[int64]

	AtBatNumber Opt[int16] // 1–MaxAtBatNumber
	PitchNumber Opt[int16] // 1–MaxPitchNumber
	BatterSide  Text       // BatsRight or BatsLeft
	PitcherHand Text       // ThrowsRight or ThrowsLeft
}

// The greatest numbers of an at-bat in a game, and of a pitch in an at-bat. No game has come near.
const (
	MaxAtBatNumber = 999
	MaxPitchNumber = 999
)

// NameAny reports whether a batter, a pitcher or a team is named. An identify that names none is no identify.
func (ids Identifiers) NameAny() bool {
	return ids.BatterID.Present || ids.PitcherID.Present || ids.TeamID.Present
}

// NameIn writes what is named into a row. An id that is not named leaves the row's own.
func (ids Identifiers) NameIn(r *Row) {
	r.BatterID = cmp.Or(ids.BatterID, r.BatterID)
	r.PitcherID = cmp.Or(ids.PitcherID, r.PitcherID)
	r.TeamID = cmp.Or(ids.TeamID, r.TeamID)
	r.AtBatNumber, r.PitchNumber = ids.AtBatNumber, ids.PitchNumber
	r.BatterSide, r.PitcherHand = ids.BatterSide, ids.PitcherHand
}

// Change is one record once understood: what it asks of which pitch, at which version.
type Change struct {
	Op        Op
	PitchID   PitchID
	Version   Version
	Origin    Coordinates // where the record was first written
	EventTime TimeMS
	Row       *Row        // of an upsert, else nil
	IDs       Identifiers // of an identify, else empty
}
