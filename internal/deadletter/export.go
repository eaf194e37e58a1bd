package deadletter

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/schemas"
)

// ExportFile writes the dead letters that a filter takes to a new file, which appears complete or not at
// all. An existing file is an error.
func (d *Desk) ExportFile(ctx context.Context, f Filter, name string) (n int64, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return 0, err
	}
	if _, err := os.Stat(name); err == nil {
		return 0, fmt.Errorf("%s is there already: name another folder", name)
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".rejected-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	n, err = d.Export(ctx, f, file)
	if err = errors.Join(err, file.Sync(), file.Chmod(0o644), file.Close()); err != nil {
		return n, err
	}
	return n, os.Link(file.Name(), name) // not Rename, because Link fails if the file exists by now
}

// Export writes the dead letters that a filter takes as JSON Lines and returns their number.
func (d *Desk) Export(ctx context.Context, f Filter, out io.Writer) (n int64, err error) {
	w := bufio.NewWriterSize(out, 64<<10)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	err = d.Each(ctx, f, func(l *Letter) (bool, error) {
		n++
		return true, e.Encode(ExportedOf(l))
	})
	return n, errors.Join(err, w.Flush())
}

// Exported is a dead letter as a line of an export.
type Exported struct {
	Source      string           `json:"source"`
	Record      int64            `json:"record"`
	Code        schemas.Code     `json:"code"`
	Message     string           `json:"message"`
	Key         *string          `json:"key,omitempty"`
	KeyBase64   []byte           `json:"key_base64,omitempty"`
	Headers     []ExportedHeader `json:"headers"`
	Origin      *ExportedPlace   `json:"origin,omitempty"`
	Attempts    int32            `json:"attempts"`
	FailedAt    schemas.TimeMS   `json:"failed_at"`
	ValueBase64 []byte           `json:"value_base64"` // null if the record has no value
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

// ShownOf returns a dead letter, its judgement and the place of its fault as one JSON object.
func ShownOf(l *Letter, j *Judgement, p Place) Shown {
	return Shown{ExportedOf(l), j.Status.String(), j.Decision, j.Today(), p}
}

// Today returns the outcome of a judgement as text.
func (j *Judgement) Today() string {
	switch j.Outcome {
	case Passes:
		return "would pass: pitch " + j.PitchID.String()
	case Superseded:
		return "superseded: pitch " + j.PitchID.String() +
			" stands at a version as new or newer; nothing would change"
	case Fails:
		return "would fail again: " + j.Why
	}
	return "not known"
}
