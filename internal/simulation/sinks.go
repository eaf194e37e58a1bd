package simulation

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

const fileBuffer = 1 << 18

// AppendLine appends a message to b as one line: Values or Envelopes.
type AppendLine func(b []byte, m *simulate.Message) ([]byte, error)

// Values writes only the value of a message, without key and headers.
func Values(b []byte, m *simulate.Message) ([]byte, error) {
	return append(append(b, m.Value...), '\n'), nil
}

// envelope is a line of Envelopes. It has one of Value and ValueBase64. Value is a JSON string that holds the
// text of the value, or null for a message without a value; it is raw, because omitempty would drop null.
type envelope struct {
	Key         string            `json:"key"`
	Headers     map[string]string `json:"headers"`
	TimestampMS int64             `json:"timestamp_ms"`
	Value       json.RawMessage   `json:"value,omitempty"`
	ValueBase64 []byte            `json:"value_base64,omitempty"`
}

// Envelopes writes a message as a JSON object with its key, headers, time and value.
func Envelopes(b []byte, m *simulate.Message) ([]byte, error) {
	line := envelope{Key: string(m.Key), Headers: map[string]string{}, TimestampMS: int64(m.Timestamp)}
	for _, h := range m.Headers {
		line.Headers[h.Key] = string(h.Value) // if a name is repeated, the last one counts
	}
	switch {
	case m.Value == nil:
		line.Value = json.RawMessage("null")
	case utf8.Valid(m.Value):
		line.Value, _ = json.Marshal(string(m.Value)) // a string can always be marshalled
	default:
		line.ValueBase64 = m.Value
	}
	text, err := json.Marshal(line)
	return append(append(b, text...), '\n'), err
}

// file writes lines to one file, or to a writer that it does not close.
type file struct {
	appendLine AppendLine
	w          *bufio.Writer
	f          *os.File // nil if Close closes nothing
	buf        []byte
}

// ToWriter writes lines to w. Close does not close w.
func ToWriter(w io.Writer, line AppendLine) Sink {
	return &file{appendLine: line, w: bufio.NewWriterSize(w, fileBuffer)}
}

// ToFile writes lines to a file, which it creates or replaces, as os.Create does.
func ToFile(path string, line AppendLine) (Sink, error) {
	return openFile(path, os.O_RDWR|os.O_TRUNC, line)
}

func openFile(path string, mode int, line AppendLine) (*file, error) {
	f, err := os.OpenFile(path, os.O_CREATE|mode, 0o666)
	return &file{appendLine: line, w: bufio.NewWriterSize(f, fileBuffer), f: f}, err
}

func (s *file) Put(_ context.Context, m *simulate.Message) (err error) {
	if s.buf, err = s.appendLine(s.buf[:0], m); err != nil {
		return err
	}
	_, err = s.w.Write(s.buf)
	return err
}

func (s *file) Close(context.Context) error {
	err := s.w.Flush()
	if s.f != nil {
		err = errors.Join(err, s.f.Close())
	}
	return err
}

// folder writes a file per game. Messages of a season come day by day, each day's games mixed. So the folder
// closes all files when maxOpenFiles are open, and opens those again that get more messages.
type folder struct {
	path    string
	line    AppendLine
	open    map[string]*file // by game
	created map[string]bool  // by game: opened before, so that it is appended to
}

const maxOpenFiles = 64

// ToFolder writes a file GAME_0.jsonl per game into a folder, which it creates if necessary. Commands that
// read files take the game from names GAME_FRAME.jsonl, as cameras write them. The frame is always 0 here.
func ToFolder(path string, line AppendLine) (Sink, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	return &folder{path: path, line: line, open: map[string]*file{}, created: map[string]bool{}}, nil
}

func (s *folder) Put(ctx context.Context, m *simulate.Message) error {
	game := string(m.Key)
	if s.open[game] == nil {
		if len(s.open) >= maxOpenFiles {
			if err := s.closeFiles(ctx); err != nil {
				return err
			}
		}
		mode := os.O_WRONLY | os.O_TRUNC
		if s.created[game] {
			mode = os.O_WRONLY | os.O_APPEND
		}
		f, err := openFile(filepath.Join(s.path, game+"_0.jsonl"), mode, s.line)
		if err != nil {
			return err
		}
		s.created[game], s.open[game] = true, f
	}
	return s.open[game].Put(ctx, m)
}

func (s *folder) Close(ctx context.Context) error { return s.closeFiles(ctx) }

// closeFiles closes the open files. A later Put may open one of them again.
func (s *folder) closeFiles(ctx context.Context) (err error) {
	for _, f := range s.open {
		err = errors.Join(err, f.Close(ctx))
	}
	clear(s.open)
	return err
}

// flushTimeout bounds how long Close waits for acknowledgements after an interrupt.
const flushTimeout = 30 * time.Second

// Kafka produces messages. Their records get the present time, from the client or the broker, as those of a
// live camera. The time in the game is in the header event_time.
type Kafka struct {
	producer *kafkasink.Producer
	sent     int64 // the goroutine of Put owns it
	acked    atomic.Int64
	refused  atomic.Pointer[error] // the first refusal
}

// OpenKafka opens a sink that produces to an existing topic. client are the options that reach the brokers.
func OpenKafka(ctx context.Context, client []kgo.Opt, topic string) (*Kafka, error) {
	// 1 MiB is Kafka's default for a topic whose own limit cannot be read.
	options := kafkasink.ProducerOptions{Client: client, Topic: topic, MaxRecordBytes: 1 << 20}
	p, err := kafkasink.OpenProducer(ctx, options)
	if err != nil {
		return nil, err
	}
	return &Kafka{producer: p}, nil
}

// Put produces a message. It fails if Kafka has refused an earlier one.
func (s *Kafka) Put(ctx context.Context, m *simulate.Message) error {
	if refused := s.refused.Load(); refused != nil {
		return *refused
	}
	err := s.producer.Send(ctx, Record(m), func(err error) {
		if err == nil {
			s.acked.Add(1)
		} else {
			s.refused.CompareAndSwap(nil, &err)
		}
	})
	if err == nil {
		s.sent++
	}
	return err
}

// Record returns the Kafka record of a message. It shares the bytes of m.
func Record(m *simulate.Message) *kgo.Record {
	r := &kgo.Record{Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	return r
}

// Close waits for the acknowledgements, after an interrupt at most flushTimeout. It returns an error if a
// record was not acknowledged.
func (s *Kafka) Close(ctx context.Context) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
	}
	err := s.producer.Flush(ctx)
	s.producer.Close()
	if refused := s.refused.Load(); refused != nil {
		err = *refused
	}
	if acked := s.acked.Load(); acked != s.sent {
		return fmt.Errorf("%s of %s records acknowledged: %w", terminal.Count(acked), terminal.Count(s.sent), err)
	}
	return err
}
