package schemas

// Header is one header of a Kafka record. A key may stand more than once; of a repeated one the last counts.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of the raw topic as the core sees it: bytes and coordinates, nothing of a Kafka client.
//
// The core only reads Key, Headers and Value, and keeps no reference to them in what it returns.
type Record struct {
	Coordinates
	Key     []byte // nil where the record has none
	Headers []Header
	Value   []byte // nil for a tombstone
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
	HeaderSchemaVersion = "schema_version"
	HeaderTraceparent   = "traceparent"
)

// Op is what a record asks for.
type Op uint8

const (
	OpUpsert   Op = iota // a measured pitch: write its row
	OpDelete             // remove the row and what it contributed
	OpIdentify           // identifiers from the game feed, a register of its own
)

// String is the value of the header op.
func (o Op) String() string {
	switch o {
	case OpUpsert:
		return "upsert"
	case OpDelete:
		return "delete"
	case OpIdentify:
		return "identify"
	}
	return "unknown"
}

// Identifiers are what the game feed names of a pitch.
type Identifiers struct {
	BatterID  Opt[int64]
	PitcherID Opt[int64]
	TeamID    Opt[int64]
}

// Change is one record understood: what it asks of which pitch, at which version.
type Change struct {
	Op        Op
	PitchID   PitchID
	Version   Version
	Origin    Coordinates // where the record first stood
	EventTime TimeMS
	Row       *Row        // of an upsert, else nil
	IDs       Identifiers // of an identify, else empty
}
