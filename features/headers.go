package features

import (
	"bytes"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/schemas"
)

// headers holds the record headers that the core reads. If a header is repeated, the last one counts; an
// empty one counts as missing. The values alias the record and live as long as one call of Transform.
//
// A header that cannot be read, because it is not UTF-8 or not of its form, has one of three effects. It
// rejects the record where a guess could do damage: schema_version, op, revision, and the pitch_id of a
// delete or an identify. It adds an issue to the row where another source or none can serve. It is ignored
// where the row does not depend on it: dlq.* and traceparent.
type headers struct {
	gamePK, gameDate, venue       []byte
	eventTime, revision, op       []byte
	pitchID                       []byte
	batterID, pitcherID, teamID   []byte
	atBatNumber, pitchNumber      []byte
	batterSide, pitcherHand       []byte
	schemaVersion                 []byte
	originTopic, originPartition  []byte
	originOffset, originTimestamp []byte
	zoneTop, zoneBottom           []byte

	// issues are those that reading the headers has raised.
	issues issueSet
}

// readHeaders keeps the last of each repeated header, even if that is empty.
func readHeaders(list []schemas.Header) headers {
	var h headers
	for i := range list {
		if slot := h.slot(list[i].Key); slot != nil {
			*slot = list[i].Value
		}
	}
	return h
}

// slot returns the field for a header's value, nil for headers that the core does not read. Names are
// case-sensitive.
func (h *headers) slot(key string) *[]byte {
	switch key {
	case schemas.HeaderGamePK:
		return &h.gamePK
	case schemas.HeaderGameDate:
		return &h.gameDate
	case schemas.HeaderVenue:
		return &h.venue
	case schemas.HeaderEventTime:
		return &h.eventTime
	case schemas.HeaderRevision:
		return &h.revision
	case schemas.HeaderOp:
		return &h.op
	case schemas.HeaderPitchID:
		return &h.pitchID
	case schemas.HeaderBatterID:
		return &h.batterID
	case schemas.HeaderPitcherID:
		return &h.pitcherID
	case schemas.HeaderTeamID:
		return &h.teamID
	case schemas.HeaderAtBatNumber:
		return &h.atBatNumber
	case schemas.HeaderPitchNumber:
		return &h.pitchNumber
	case schemas.HeaderBatterSide:
		return &h.batterSide
	case schemas.HeaderPitcherHand:
		return &h.pitcherHand
	case schemas.HeaderSchemaVersion:
		return &h.schemaVersion
	case schemas.HeaderZoneTop:
		return &h.zoneTop
	case schemas.HeaderZoneBottom:
		return &h.zoneBottom
	case schemas.HeaderDLQOriginTopic:
		return &h.originTopic
	case schemas.HeaderDLQOriginPartition:
		return &h.originPartition
	case schemas.HeaderDLQOriginOffset:
		return &h.originOffset
	case schemas.HeaderDLQOriginTimestamp:
		return &h.originTimestamp
	}
	return nil
}

// checkSchemaVersion rejects every version but 1.MINOR: a record of another major version may mean something
// else by the same member. The major version counts as it is written, so 01 is rejected.
func (h *headers) checkSchemaVersion() *Rejection {
	if len(h.schemaVersion) == 0 {
		return nil
	}
	major, minor, dot := bytes.Cut(h.schemaVersion, []byte("."))
	if dot && allDigits(major) && allDigits(minor) && string(major) == "1" {
		return nil
	}
	return reject(schemas.CodeUnsupportedVersion, schemas.HeaderSchemaVersion,
		"the schema version %s is not 1.MINOR", shown(h.schemaVersion))
}

// envelope returns everything of a change but its row: the op, the version, the origin and the event time,
// and for deletes and identifies the pitch that they are about. It makes all rejections that the headers
// alone decide.
func (h *headers) envelope(rec schemas.Record) (schemas.Change, *Rejection) {
	op, ok := opOf(h.op)
	if !ok {
		return schemas.Change{}, violation(schemas.HeaderOp, "the op %s is unknown", shown(h.op))
	}
	revision, ok := revisionOf(h.revision)
	if !ok {
		return schemas.Change{}, violation(schemas.HeaderRevision,
			"the revision %s is not 1–19 digits below 2^63", shown(h.revision))
	}
	origin := h.origin(rec)
	change := schemas.Change{Op: op, Origin: origin, EventTime: h.eventTimeOr(origin.TimestampMS)}
	// Equal versions come from the same record, because partition and offset are part of the version.
	change.Version = schemas.Version{
		Revision: revision, TimestampMS: origin.TimestampMS, Offset: origin.Offset, Partition: origin.Partition,
	}
	if op == schemas.OpUpsert {
		return change, nil
	}
	return change, h.concern(rec, &change)
}

// concern sets the pitch, and the identifiers, that a delete or an identify is about. Both ops consist of
// headers only: a value beside them is a mistake of the producer, and the record is rejected.
func (h *headers) concern(rec schemas.Record, change *schemas.Change) *Rejection {
	id, ok := schemas.ParsePitchID(h.pitchID)
	if !ok {
		return violation(schemas.HeaderPitchID,
			"a record with op %s needs a pitch_id that is UUID text, not %s", change.Op, shown(h.pitchID))
	}
	// A delete or an identify with a value contradicts itself: the producer may have meant an upsert.
	if len(rec.Value) != 0 {
		return violation("", "a record with op %s has a value of %d bytes", change.Op, len(rec.Value))
	}
	change.PitchID = id
	if change.Op != schemas.OpIdentify {
		return nil
	}
	change.IDs = h.identifiers()
	if !change.IDs.NameAny() {
		return violation("", "an identify names no readable batter_id, pitcher_id or team_id")
	}
	return nil
}

// identifiers returns what the headers of an identify name, as far as it can be read.
func (h *headers) identifiers() schemas.Identifiers {
	return schemas.Identifiers{
		BatterID:    identifierText(h.batterID),
		PitcherID:   identifierText(h.pitcherID),
		TeamID:      identifierText(h.teamID),
		AtBatNumber: ordinal(h.atBatNumber, schemas.MaxAtBatNumber),
		PitchNumber: ordinal(h.pitchNumber, schemas.MaxPitchNumber),
		BatterSide:  rightOrLeft(h.batterSide),
		PitcherHand: rightOrLeft(h.pitcherHand),
	}
}

// ordinal reads digits of a number from 1 to most; anything else is missing.
func ordinal(b []byte, most uint64) schemas.Opt[int16] {
	// guard: identify: a number out of its range is missing | !ok || v == 0 -> !ok
	if v, ok := digitsBelow(b, most+1); !ok || v == 0 {
		return schemas.Opt[int16]{}
	} else {
		return schemas.Some(int16(v))
	}
}

// rightOrLeft reads R or L; anything else is missing.
func rightOrLeft(b []byte) schemas.Text {
	switch string(b) {
	case "R":
		return "R"
	case "L":
		return "L"
	}
	return ""
}

// eventTimeOr returns the header event_time, or the origin's timestamp (Unix milliseconds) if that is missing
// or unreadable.
func (h *headers) eventTimeOr(originMS int64) schemas.TimeMS {
	if len(h.eventTime) == 0 {
		return schemas.TimeMS(originMS)
	}
	ms, ok := parseRFC3339(h.eventTime)
	if !ok {
		h.issues.add(eventTimeType)
		return schemas.TimeMS(originMS)
	}
	return schemas.TimeMS(ms)
}

// opOf reads the header op; a missing one means upsert. Words must match exactly, because a misspelled delete
// must not become an upsert.
func opOf(b []byte) (op schemas.Op, ok bool) {
	switch string(b) {
	case "", "upsert":
		return schemas.OpUpsert, true
	case "delete":
		return schemas.OpDelete, true
	case "identify":
		return schemas.OpIdentify, true
	}
	return 0, false
}

// revisionOf reads a revision: 1–19 digits below 2^63; a missing one is 0. An unreadable revision is never
// guessed, because a correction taken for revision 0 would be superseded without a trace.
func revisionOf(b []byte) (revision int64, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	v, ok := digitsBelow(b, 1<<63)
	return int64(v), ok && len(b) <= 19
}

// digitsBelow reads one or more decimal digits, leading zeros allowed, of a number below limit ≤ 2^63+1. v is
// 0 if ok is false.
func digitsBelow(b []byte, limit uint64) (v uint64, ok bool) {
	if !allDigits(b) {
		return 0, false
	}
	for _, c := range b {
		if v > limit/10 {
			return 0, false
		}
		if v = v*10 + uint64(c-'0'); v >= limit {
			return 0, false
		}
	}
	return v, true
}

// allDigits reports whether b is one or more of the digits 0–9.
func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// Origin returns where a record was first written: its own coordinates, or those of a redriven record's
// dlq.origin.* headers.
func Origin(rec schemas.Record) schemas.Coordinates {
	h := readHeaders(rec.Headers)
	return h.origin(rec)
}

// origin returns the coordinates of the record itself, unless all four dlq.origin.* headers can be read.
// Fewer than four are ignored, because three of them with one of the record's own would name a place that
// never existed. The origin is part of the version, so a redriven record keeps the version that it had before
// it failed.
func (h *headers) origin(rec schemas.Record) schemas.Coordinates {
	own := rec.Coordinates
	// A producer may set any timestamp; the stores hold the years 1970–9999.
	own.TimestampMS = clampTimestamp(own.TimestampMS)
	partition, ok1 := digitsBelow(h.originPartition, 1<<31)
	offset, ok2 := digitsBelow(h.originOffset, 1<<63)
	at, ok3 := parseRFC3339(h.originTimestamp)
	// A record that was never redriven has none of the four headers.
	if !ok1 || !ok2 || !ok3 || !isTopic(h.originTopic) {
		return own
	}
	return schemas.Coordinates{
		Topic: string(h.originTopic), Partition: int32(partition),
		Offset: int64(offset), TimestampMS: clampTimestamp(at),
	}
}

// isTopic reports whether b can be stored as a topic's name: text without U+0000.
func isTopic(b []byte) bool { return len(b) > 0 && utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// clampTimestamp moves a timestamp into the years 1970–9999, the range of the column record_ts_ms.
func clampTimestamp(ms int64) int64 { return min(max(ms, 0), schemas.MaxTimestampMS) }
