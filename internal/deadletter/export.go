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
	SizeBytes   int64            `json:"size_bytes,omitempty"` // of the whole value, if only its beginning is here
	ValueBase64 []byte           `json:"value_base64"`         // null if the record has no value
}

// ExportedHeader is a header whose value is text, or base64 if it is not UTF-8.
type ExportedHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`
}

// ExportedPlace is the coordinates of a record.
type ExportedPlace struct {
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Offset    int64          `json:"offset"`
	Timestamp schemas.TimeMS `json:"timestamp"`
}

// PlaceOf returns coordinates as an export has them.
func PlaceOf(c schemas.Coordinates) *ExportedPlace {
	return &ExportedPlace{c.Topic, c.Partition, c.Offset, schemas.TimeMS(c.TimestampMS)}
}

// ExportedOf returns a dead letter as an export has it.
func ExportedOf(l *Letter) Exported {
	e := Exported{
		Source: fmt.Sprintf("%s/%d", l.At.Topic, l.At.Partition), Record: l.At.Offset,
		Code: l.Code, Message: l.Message, Headers: ExportedHeaders(l.Headers),
		Attempts: l.ID.Attempts, FailedAt: l.FailedAt, ValueBase64: l.Value,
	}
	// guard: dead letters: the export of a truncated one says so
	if l.Cut != nil {
		e.SizeBytes = l.Cut.Bytes
	}
	if l.Ours {
		e.Origin = PlaceOf(l.ID.Origin)
	}
	if l.Key != nil {
		e.Key, e.KeyBase64 = textOrBase64(l.Key)
	}
	return e
}

// ExportedHeaders returns headers as an export has them, never nil.
func ExportedHeaders(headers []schemas.Header) []ExportedHeader {
	all := []ExportedHeader{}
	for _, h := range headers {
		out := ExportedHeader{Key: h.Key}
		out.Value, out.ValueBase64 = textOrBase64(h.Value)
		all = append(all, out)
	}
	return all
}

// textOrBase64 returns UTF-8 as text, anything else as bytes.
func textOrBase64(b []byte) (*string, []byte) {
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	return nil, b
}

// Shown is a dead letter with its judgement, as dlq show --json prints it.
type Shown struct {
	Exported
	Status   string                      `json:"status"`
	Decision *schemas.DeadLetterDecision `json:"decision,omitempty"`
	Today    string                      `json:"today"`
	Fault    Place                       `json:"fault"`
}

// Today returns the outcome of a judgement as text.
func (j *Judgement) Today() string {
	pitch := "pitch " + j.change.PitchID.String()
	return [...]string{
		NotAsked:   "not known",
		Passes:     "would pass: " + pitch,
		Superseded: "superseded: " + pitch + " stands at a version as new or newer; nothing would change",
		Fails:      "would fail again: " + j.Why,
	}[j.Outcome]
}
