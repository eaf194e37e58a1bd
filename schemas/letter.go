package schemas

// Code says why a record is not a row. The codes and the order in which they are checked are the
// specification's.
type Code string

const (
	CodeTooLarge           Code = "too_large"
	CodeUnsupportedVersion Code = "unsupported_version"
	CodeSchemaViolation    Code = "schema_violation"
	CodeMalformedJSON      Code = "malformed_json"
	CodeNotAPitch          Code = "not_a_pitch"
	CodeUnsupportedUnits   Code = "unsupported_units"
	CodeSinkRejected       Code = "sink_rejected"
	CodeInternal           Code = "internal"
)

// Codes are all codes, in the order in which they are checked.
var Codes = []Code{
	CodeTooLarge, CodeUnsupportedVersion, CodeSchemaViolation, CodeMalformedJSON, CodeNotAPitch, CodeUnsupportedUnits,
	CodeSinkRejected, CodeInternal,
}

// DeadLetter is a record that could not become a row, whole and unchanged, and why.
type DeadLetter struct {
	Record  Record      // as it failed this time
	Origin  Coordinates // where it first stood: Record's own, unless it was redriven
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

	HeaderConnectTopic     = "__connect.errors.topic"
	HeaderConnectPartition = "__connect.errors.partition"
	HeaderConnectOffset    = "__connect.errors.offset"
	HeaderConnectMessage   = "__connect.errors.exception.message"
	HeaderConnectClass     = "__connect.errors.exception.class.name"
)
