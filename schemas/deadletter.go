package schemas

import (
	"fmt"
	"strings"
)

// Code is the reason why a record is not a row.
type Code string

// The codes, in the order in which they are checked.
const (
	CodeTooLarge           Code = "too_large"           // the value exceeds the limit
	CodeUnsupportedVersion Code = "unsupported_version" // of schema_version
	CodeSchemaViolation    Code = "schema_violation"    // a header or a member has the wrong type or form
	CodeMalformedJSON      Code = "malformed_json"
	CodeNotAPitch          Code = "not_a_pitch"
	CodeUnsupportedUnits   Code = "unsupported_units" // lengths not in foot, or speeds not in mph
	CodeSinkRejected       Code = "sink_rejected"     // the store refused the row
	CodeInternal           Code = "internal"          // the core failed: a bug
)

// Codes lists all codes in the order of their checks: of several faults the first one gives the code.
var Codes = []Code{
	CodeTooLarge, CodeUnsupportedVersion, CodeSchemaViolation, CodeMalformedJSON, CodeNotAPitch,
	CodeUnsupportedUnits, CodeSinkRejected, CodeInternal,
}

// DeadLetter is a record that could not become a row, unchanged, and the reason. Only its value may be cut.
type DeadLetter struct {
	Record  Record      // as it failed this time
	Origin  Coordinates // where it was first: Record's own, unless it was redriven
	Code    Code
	Message string // one line for a person: what was wrong and where (a JSON path or a byte offset)
}

// Names of the headers of a dead letter.
const (
	HeaderDLQPrefix          = "dlq."
	HeaderDLQCode            = "dlq.code"
	HeaderDLQMessage         = "dlq.message"
	HeaderDLQOriginTopic     = "dlq.origin.topic"
	HeaderDLQOriginPartition = "dlq.origin.partition"
	HeaderDLQOriginOffset    = "dlq.origin.offset"
	HeaderDLQOriginTimestamp = "dlq.origin.timestamp"
	HeaderDLQTopic           = "dlq.topic"
	HeaderDLQPartition       = "dlq.partition"
	HeaderDLQOffset          = "dlq.offset"
	HeaderDLQTimestamp       = "dlq.timestamp"
	HeaderDLQGroup           = "dlq.group"
	HeaderDLQBuild           = "dlq.build"
	HeaderDLQAttempts        = "dlq.attempts"
	HeaderDLQFirstFailedAt   = "dlq.first_failed_at"
	HeaderDLQFailedAt        = "dlq.failed_at"
	HeaderDLQHeadersDropped  = "dlq.headers_dropped"
	HeaderDLQTruncated       = "dlq.truncated"
	HeaderDLQValueBytes      = "dlq.value.bytes"
	HeaderDLQValueSHA256     = "dlq.value.sha256"
	HeaderDLQKeyBytes        = "dlq.key.bytes"

	HeaderConnectTopic     = "__connect.errors.topic"
	HeaderConnectPartition = "__connect.errors.partition"
	HeaderConnectOffset    = "__connect.errors.offset"
	HeaderConnectMessage   = "__connect.errors.exception.message"
	HeaderConnectClass     = "__connect.errors.exception.class.name"
)

// IsFailureHeader reports whether a header of a dead letter is only about its failure. The record is sent
// again without it. Its origin and attempts go along, because without them it would be another version.
func IsFailureHeader(key string) bool {
	switch key {
	case HeaderDLQOriginTopic, HeaderDLQOriginPartition, HeaderDLQOriginOffset, HeaderDLQOriginTimestamp,
		HeaderDLQAttempts, HeaderDLQFirstFailedAt, HeaderDLQHeadersDropped:
		return false
	}
	connect := strings.TrimSuffix(HeaderConnectTopic, "topic")
	return strings.HasPrefix(key, HeaderDLQPrefix) || strings.HasPrefix(key, connect)
}

// DeadLetterID identifies a dead letter: the first place of its record, and how many times the record has
// been rejected. Counts of dead letters count these.
type DeadLetterID struct {
	Origin   Coordinates
	Attempts int32
}

// String returns the identity for people, as pitches.raw/3@48213 attempt 2.
func (id DeadLetterID) String() string {
	at := id.Origin
	return fmt.Sprintf("%s/%d@%d attempt %d", at.Topic, at.Partition, at.Offset, id.Attempts)
}

// DeadLetterAction is a decision about a dead letter.
type DeadLetterAction string

// A retry records sending before it sends, and then retried, or open if Kafka did not take the record.
const (
	DeadLetterSending   DeadLetterAction = "sending"
	DeadLetterRetried   DeadLetterAction = "retried"
	DeadLetterDiscarded DeadLetterAction = "discarded"
	DeadLetterOpen      DeadLetterAction = "open"
)

// DeadLetterDecision is the last decision about one dead letter.
type DeadLetterDecision struct {
	ID     DeadLetterID     `json:"-"`
	Action DeadLetterAction `json:"action" enum:"sending,retried,discarded,open" doc:"retried: sent again; discarded: nobody wants it; sending: a retry is about to send it, or was killed there; open: a retry could not send it"`
	Reason string           `json:"reason,omitempty" doc:"Why; not there of a retry that succeeded"`
	By     string           `json:"by" doc:"Who decided, user@host"`
	Build  string           `json:"build" doc:"Of the program that wrote it"`
	At     TimeMS           `json:"at" doc:"When"`
	Times  int32            `json:"times" doc:"How often something was decided about it"`
	// Raw is where a retried record is now; without a topic if that is not known.
	Raw Coordinates `json:"-"`
}

// DeadLetterSums count dead letters, each identity once.
type DeadLetterSums struct {
	Letters     int64 `json:"letters" doc:"Letters, each identity once"`
	Open        int64 `json:"open" doc:"Nobody has decided, and the record has not failed again"`
	Retried     int64 `json:"retried" doc:"Their records were sent again"`
	Discarded   int64 `json:"discarded" doc:"Nobody wants them"`
	FailedAgain int64 `json:"failed_again" doc:"The record has failed again since: a later letter speaks for it"`
	Foreign     int64 `json:"foreign" doc:"Not written by pitchstream, as their headers say"`
}

// DeadLetterGroup counts the dead letters of one code whose messages differ only in numbers, identifiers and
// quoted data.
type DeadLetterGroup struct {
	Code  Code   `json:"code" doc:"Why the records are no rows"`
	Shape string `json:"shape" doc:"The messages without what differs"`
	DeadLetterSums
	Share   float64           `json:"share" doc:"Of all letters, 0 to 1"`
	First   TimeMS            `json:"first" doc:"When the first of them failed"`
	Last    TimeMS            `json:"last" doc:"When the last of them failed"`
	Example DeadLetterExample `json:"example" doc:"One of them"`
}

// DeadLetterExample is one dead letter of a group, and its place in the dead-letter topic.
type DeadLetterExample struct {
	Partition int32  `json:"partition" doc:"In the dead-letter topic"`
	Offset    int64  `json:"offset" doc:"In the dead-letter topic"`
	GamePK    string `json:"game_pk,omitempty" doc:"The game; not there where the record names none"`
	Message   string `json:"message" doc:"What was wrong and where"`
}

// DeadLetterReport summarizes the dead-letter topic.
type DeadLetterReport struct {
	DeadLetterSums
	Groups []DeadLetterGroup `json:"groups" doc:"The largest first"`
	ReadAt TimeMS            `json:"read_at" doc:"When the topic was read: the letters up to then"`
}

// DeadLetterView is one dead letter for a person to read.
type DeadLetterView struct {
	Partition     int32               `json:"partition" doc:"In the dead-letter topic"`
	Offset        int64               `json:"offset" doc:"In the dead-letter topic"`
	Code          Code                `json:"code" doc:"Why the record is no row"`
	Message       string              `json:"message" doc:"What was wrong and where"`
	GamePK        string              `json:"game_pk,omitempty" doc:"The game; not there where the record names none"`
	Attempts      int32               `json:"attempts" doc:"How many times the record has been rejected"`
	FirstFailedAt TimeMS              `json:"first_failed_at" doc:"When the record was rejected for the first time"`
	FailedAt      TimeMS              `json:"failed_at" doc:"When it was rejected last"`
	Group         string              `json:"group" doc:"The consumer group that rejected it"`
	Build         string              `json:"build" doc:"The build that rejected it"`
	Origin        *DeadLetterPlace    `json:"origin,omitempty" doc:"Where the record first stood; not there of a foreign letter"`
	Failed        *DeadLetterPlace    `json:"failed,omitempty" doc:"The record that failed last"`
	Status        string              `json:"status" enum:"open,retried,discarded,foreign" doc:"Where it stands; whether the record has failed again since is not said here"`
	Decision      *DeadLetterDecision `json:"decision,omitempty" doc:"What was decided; not there where nothing was"`
	Today         string              `json:"today" enum:"passes,superseded,fails,unknown" doc:"What would become of the record if it were sent again now; superseded: what stands is as new or newer"`
	Why           string              `json:"why,omitempty" doc:"It would fail"`
	Key           string              `json:"key,omitempty" doc:"The record's key; what is no UTF-8 is replaced"`
	Headers       []DeadLetterHeader  `json:"headers" doc:"The record's own, in their order; what is no UTF-8 is replaced"`
	Bytes         int                 `json:"bytes" doc:"Of the record's value"`
	SHA256        string              `json:"sha256" doc:"Of the record's value, in hexadecimal digits"`
	Path          string              `json:"path,omitempty" doc:"The JSON path, or the header, that the message names"`
	At            *int                `json:"at,omitempty" doc:"The byte of the value where the fault is, or where what holds it begins"`
	Excerpt       string              `json:"excerpt" doc:"The value around that place, a character for what does not print"`
	MarkFrom      int                 `json:"mark_from" doc:"The first character of the excerpt that is meant; −1: none"`
	MarkTo        int                 `json:"mark_to" doc:"The first one that is not meant any more"`
}

// DeadLetterPlace is where a record is or was.
type DeadLetterPlace struct {
	Topic     string `json:"topic" doc:"The topic"`
	Partition int32  `json:"partition" doc:"The partition"`
	Offset    int64  `json:"offset" doc:"The offset"`
	Timestamp TimeMS `json:"timestamp" doc:"The record's timestamp"`
}

// DeadLetterHeader is a record's header as text.
type DeadLetterHeader struct {
	Key   string `json:"key" doc:"Its name"`
	Value string `json:"value" doc:"Its value"`
}
