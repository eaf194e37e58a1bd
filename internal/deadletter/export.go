package deadletter

import (
	"fmt"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/schemas"
)

// Exported is a dead letter as a line of an export. load and process read such lines: a member that is new
// here must be one of fileinput's envelopeNames, or they take the line itself for a record.
type Exported struct {
	Source      string           `json:"source"` // topic/partition of the dead letter itself
	Record      int64            `json:"record"` // its offset
	Code        schemas.Code     `json:"code"`
	Message     string           `json:"message"`
	Key         *string          `json:"key,omitempty"`
	KeyBase64   []byte           `json:"key_base64,omitempty"`
	Headers     []ExportedHeader `json:"headers"`
	Origin      *ExportedPlace   `json:"origin,omitempty"` // nil if another program wrote it
	Attempts    int32            `json:"attempts"`
	FailedAt    schemas.TimeMS   `json:"failed_at"`
	SizeBytes   int64            `json:"size_bytes,omitempty"`  // of the whole value, if only its beginning is here
	KeyBytes    int64            `json:"key_bytes,omitempty"`   // of the whole key, if only its beginning is here
	HeadersCut  int64            `json:"headers_cut,omitempty"` // missing ones of a dead letter that was cut
	ValueBase64 []byte           `json:"value_base64"`          // null if the record has no value
}

// ExportedHeader is a header whose value is text, or base64 if it is not UTF-8.
type ExportedHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`
}

// ExportedPlace is a record's place in Kafka, with its time.
type ExportedPlace struct {
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Offset    int64          `json:"offset"`
	Timestamp schemas.TimeMS `json:"timestamp"`
}

// ExportedPlaceOf returns coordinates in the form of an export.
func ExportedPlaceOf(c schemas.Coordinates) *ExportedPlace {
	return &ExportedPlace{c.Topic, c.Partition, c.Offset, schemas.TimeMS(c.TimestampMS)}
}

// ExportedOf returns a dead letter in the form of an export. It shares key, headers and value with l.
func ExportedOf(l *Letter) Exported {
	e := Exported{
		Source: fmt.Sprintf("%s/%d", l.At.Topic, l.At.Partition), Record: l.At.Offset,
		Code: l.Code, Message: l.Message, Headers: ExportedHeaders(l.Headers),
		Attempts: l.ID.Attempts, FailedAt: l.FailedAt, ValueBase64: l.Value,
	}
	// guard: dead letters: the export of a truncated one says so
	if l.Cut != nil {
		e.SizeBytes, e.KeyBytes, e.HeadersCut = l.Cut.Bytes, l.Cut.KeyBytes, l.Cut.Headers
	}
	if l.HasOrigin {
		e.Origin = ExportedPlaceOf(l.ID.Origin)
	}
	if l.Key != nil {
		e.Key, e.KeyBase64 = textOrBase64(l.Key)
	}
	return e
}

// ExportedHeaders returns headers in the form of an export, in their order; an empty list instead of nil.
func ExportedHeaders(headers []schemas.Header) []ExportedHeader {
	all := []ExportedHeader{}
	for _, h := range headers {
		out := ExportedHeader{Key: h.Key}
		out.Value, out.ValueBase64 = textOrBase64(h.Value)
		all = append(all, out)
	}
	return all
}

// textOrBase64 returns bytes that are UTF-8 as text, and others as they are, which JSON shows in base64. One
// of the two results is nil.
func textOrBase64(b []byte) (*string, []byte) {
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	return nil, b
}

// Shown is a dead letter as dlq show --json prints it: with the decision of a person, and with the outcome if
// the record were sent again today.
type Shown struct {
	Exported
	Status   string                      `json:"status"`
	Decision *schemas.DeadLetterDecision `json:"decision,omitempty"`
	Today    string                      `json:"today"`
	Fault    Place                       `json:"fault"`
}

// Today returns in words what would become of the record if it were sent again today.
func (j *Judgement) Today() string {
	pitch := "pitch " + j.change.PitchID.String()
	return [...]string{
		NotAsked:   "not known",
		Passes:     "would pass: " + pitch,
		Superseded: "superseded: " + pitch + " has a version as new or newer; nothing would change",
		Fails:      "would fail again: " + j.Why,
	}[j.Outcome]
}
