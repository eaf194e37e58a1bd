package features

import (
	"bytes"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/schemas"
)

// headers are the record headers that the core reads, each as its last occurrence has it, empty where it is missing, and
// the issues that reading them has raised. They alias the record and live no longer than one Transform.
//
// What cannot be read (a header that is not UTF-8 never can) is one of three things: a rejection, where reading on would
// be guessing (schema_version, op, revision, and the pitch_id of a delete or an identify); an issue of the row, where
// another source or none can serve; nothing, where the row has no part in it (dlq.*, traceparent).
type headers struct {
	gamePK, gameDate, venue       []byte
	eventTime, revision, op       []byte
	pitchID                       []byte
	batterID, pitcherID, teamID   []byte
	schemaVersion                 []byte
	originTopic, originPartition  []byte
	originOffset, originTimestamp []byte

	issues issueSet
}

// readHeaders takes the last of each repeated header, even an empty one; an empty header is a missing one.
func readHeaders(list []schemas.Header) headers {
	var h headers
	for i := range list {
		if slot := h.slot(list[i].Key); slot != nil {
			*slot = list[i].Value
		}
	}
	return h
}

// slot is where a header's value goes, nil for those that the core does not read. Names are exact.
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
	case schemas.HeaderSchemaVersion:
		return &h.schemaVersion
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

// checkSchemaVersion refuses every version but 1.MINOR. The major counts as written: 01 is not 1.
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

// envelope is everything of a change but its row: what is asked, at which version, and of deletes and identifies whom it
// concerns. Here are the rejections that the headers alone decide.
func (h *headers) envelope(rec schemas.Record) (schemas.Change, *Rejection) {
	op, ok := opOf(h.op)
	if !ok {
		return schemas.Change{}, reject(schemas.CodeSchemaViolation, schemas.HeaderOp, "the op %s is unknown", shown(h.op))
	}
	revision, ok := revisionOf(h.revision)
	if !ok {
		return schemas.Change{}, reject(schemas.CodeSchemaViolation, schemas.HeaderRevision,
			"the revision %s is not 1–19 digits below 2^63", shown(h.revision))
	}
	origin := h.origin(rec)
	change := schemas.Change{Op: op, Origin: origin, EventTime: h.eventTimeOr(origin.TimestampMS), Version: schemas.Version{
		Revision: revision, TimestampMS: origin.TimestampMS, Offset: origin.Offset, Partition: origin.Partition,
	}}
	if op == schemas.OpUpsert {
		return change, nil
	}
	return change, h.concern(rec, &change)
}

// concern fills in whom a delete or an identify is about. Both are headers only: a value beside them is a mistake.
func (h *headers) concern(rec schemas.Record, change *schemas.Change) *Rejection {
	id, ok := schemas.ParsePitchID(h.pitchID)
	if !ok {
		return reject(schemas.CodeSchemaViolation, schemas.HeaderPitchID,
			"a record with op %s needs a pitch_id that is UUID text, not %s", change.Op, shown(h.pitchID))
	}
	if len(rec.Value) != 0 {
		return reject(schemas.CodeSchemaViolation, "", "a record with op %s has a value of %d bytes", change.Op, len(rec.Value))
	}
	change.PitchID = id
	if change.Op != schemas.OpIdentify {
		return nil
	}
	change.IDs = h.identifiers()
	if change.IDs == (schemas.Identifiers{}) {
		return reject(schemas.CodeSchemaViolation, "", "an identify names no readable batter_id, pitcher_id or team_id")
	}
	return nil
}

// identifiers are those that the headers name and that can be read.
func (h *headers) identifiers() schemas.Identifiers {
	return schemas.Identifiers{
		BatterID: identifierText(h.batterID), PitcherID: identifierText(h.pitcherID), TeamID: identifierText(h.teamID),
	}
}

// eventTimeOr is the header event_time, or the origin's timestamp where it is missing or cannot be read.
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

// opOf reads the header op. Words are exact: what might have been meant as a delete must not become an upsert.
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

// revisionOf reads 1–19 digits below 2^63; a missing revision is 0. It is not guessed: a correction that was taken for the
// first version would be lost without a trace.
func revisionOf(b []byte) (revision int64, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	v, ok := digitsBelow(b, 1<<63)
	return int64(v), ok && len(b) <= 19
}

// digitsBelow reads one or more decimal digits, leading zeros allowed, of a number below limit ≤ 2^63+1; v is 0 where it
// is not ok.
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

// allDigits says that b is one or more of the digits 0–9.
func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// Origin is where a record first stood: itself, unless it was redriven and all four dlq.origin.* headers can be read.
func Origin(rec schemas.Record) schemas.Coordinates {
	h := readHeaders(rec.Headers)
	return h.origin(rec)
}

// origin is where the record first stood: the record itself, unless all four headers of a redriven one can be read. Three
// of them and one of the record's own would be a place where nothing ever stood.
// Timestamps before 1970 or after the year 9999 count as the nearest that is not.
func (h *headers) origin(rec schemas.Record) schemas.Coordinates {
	own := rec.Coordinates
	own.TimestampMS = clampTimestamp(own.TimestampMS)
	partition, ok1 := digitsBelow(h.originPartition, 1<<31)
	offset, ok2 := digitsBelow(h.originOffset, 1<<63)
	at, ok3 := parseRFC3339(h.originTimestamp)
	if !ok1 || !ok2 || !ok3 || !isTopic(h.originTopic) {
		return own
	}
	return schemas.Coordinates{
		Topic: string(h.originTopic), Partition: int32(partition), Offset: int64(offset), TimestampMS: clampTimestamp(at),
	}
}

// isTopic asks only what the stores need of a topic's name: text without U+0000.
func isTopic(b []byte) bool { return len(b) > 0 && utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

func clampTimestamp(ms int64) int64 { return min(max(ms, 0), schemas.MaxTimestampMS) }
