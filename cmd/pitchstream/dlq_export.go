package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/fileprocess"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

type dlqExportCmd struct {
	Dir string `env:"-" short:"o" name:"output" placeholder:"DIR" help:"Write DIR/rejected.jsonl, which must not be there yet, instead of standard output."`

	Which   dlqFilter  `embed:""`
	Servers dlqServers `embed:""`
}

// Help is what dlq export --help says below its first line.
func (*dlqExportCmd) Help() string {
	return `
A JSON object a letter and line, as process writes rejected.jsonl: source (the dead-letter topic and its partition), record
(the letter's offset there), code, message, value_base64; and beside them key, headers (each key and value; bytes that are
no UTF-8 as key_base64, value_base64), origin, attempts, failed_at. Letters that were decided about are among them.

  pitchstream dlq export > letters.jsonl
  pitchstream dlq export --code malformed_json -o broken/
  pitchstream dlq export --since 24h | jq -r .value_base64 | head -1 | base64 -d

Exit status: 0 well; 1 it failed; 2 wrong usage.`
}

// Validate says what is wrong and what would be right.
func (c *dlqExportCmd) Validate() error {
	if _, err := c.Which.filter(time.Now()); err != nil {
		return err
	}
	return c.Servers.validate(false)
}

// Run exports, and says how many on stderr.
func (c *dlqExportCmd) Run(ctx context.Context, std *stdio) error {
	filter, err := c.Which.filter(time.Now())
	if err != nil {
		return err
	}
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "dlq export", Noun: "letters"})
	defer bar.Stop()
	ctx, desk, done, err := c.Servers.open(ctx, deskOptions{progress: bar.Set})
	if err != nil {
		return err
	}
	defer done()
	if c.Dir == "" {
		_, err = exportLetters(ctx, desk, filter, std.Out)
		return err
	}
	name := filepath.Join(c.Dir, fileprocess.RejectedName)
	n, err := exportFile(ctx, desk, filter, name)
	if err == nil {
		fmt.Fprintf(std.Out, "%s in %s\n", terminal.Counted(n, "letter"), name)
	}
	return err
}

// exportFile writes a file that is there when it is whole.
func exportFile(ctx context.Context, desk *deadletter.Desk, filter deadletter.Filter, name string) (n int64, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return 0, err
	}
	if _, err := os.Stat(name); err == nil {
		return 0, fmt.Errorf("%s is there already: name another folder", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".rejected-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	n, err = exportLetters(ctx, desk, filter, f)
	if err = errors.Join(err, f.Sync(), f.Chmod(0o644), f.Close()); err != nil {
		return n, err
	}
	return n, os.Link(f.Name(), name) // which fails where the file has come to be since
}

func exportLetters(ctx context.Context, desk *deadletter.Desk, filter deadletter.Filter, out io.Writer) (n int64, err error) {
	w := bufio.NewWriterSize(out, 64<<10)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	err = desk.Each(ctx, filter, func(l *deadletter.Letter) (bool, error) {
		n++
		return true, e.Encode(exportedOf(l))
	})
	return n, errors.Join(err, w.Flush())
}

// exportedLetter is a line of an export, and of dlq show --json.
type exportedLetter struct {
	Source      string           `json:"source"`
	Record      int64            `json:"record"`
	Code        schemas.Code     `json:"code"`
	Message     string           `json:"message"`
	Key         *string          `json:"key,omitempty"`
	KeyBase64   []byte           `json:"key_base64,omitempty"`
	Headers     []exportedHeader `json:"headers"`
	Origin      *exportedPlace   `json:"origin,omitempty"`
	Attempts    int32            `json:"attempts"`
	FailedAt    schemas.TimeMS   `json:"failed_at"`
	ValueBase64 []byte           `json:"value_base64"` // null where the record has none
}

type exportedHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`
}

type exportedPlace struct {
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Offset    int64          `json:"offset"`
	Timestamp schemas.TimeMS `json:"timestamp"`
}

func placeJSON(c schemas.Coordinates) *exportedPlace {
	return &exportedPlace{c.Topic, c.Partition, c.Offset, schemas.TimeMS(c.TimestampMS)}
}

func exportedOf(l *deadletter.Letter) exportedLetter {
	e := exportedLetter{
		Source: fmt.Sprintf("%s/%d", l.At.Topic, l.At.Partition), Record: l.At.Offset, Code: l.Code, Message: l.Message,
		Headers: exportedHeaders(l.Headers), Attempts: l.ID.Attempts, FailedAt: l.FailedAt, ValueBase64: l.Value,
	}
	if l.Ours {
		e.Origin = placeJSON(l.ID.Origin)
	}
	if l.Key != nil {
		e.Key, e.KeyBase64 = textAndBytes(l.Key)
	}
	return e
}

func exportedHeaders(headers []schemas.Header) []exportedHeader {
	all := []exportedHeader{}
	for _, h := range headers {
		out := exportedHeader{Key: h.Key}
		out.Value, out.ValueBase64 = textAndBytes(h.Value)
		all = append(all, out)
	}
	return all
}

// textAndBytes is UTF-8 as text, anything else as bytes.
func textAndBytes(b []byte) (*string, []byte) {
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	return nil, b
}

// shownLetter is an object of dlq show --json.
type shownLetter struct {
	exportedLetter
	Status   string                      `json:"status"`
	Decision *schemas.DeadLetterDecision `json:"decision,omitempty"`
	Today    string                      `json:"today"`
	Fault    deadletter.Place            `json:"fault"`
}

func letterJSONOf(l *deadletter.Letter, j *deadletter.Judgement, p deadletter.Place) shownLetter {
	return shownLetter{exportedLetter: exportedOf(l), Status: j.Status.String(), Decision: j.Decision, Today: outcomeText(j), Fault: p}
}
