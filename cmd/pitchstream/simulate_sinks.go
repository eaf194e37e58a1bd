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
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// messageSink takes simulated messages, in order, from one goroutine. What put was given is safe only when close has
// returned without an error; close is called once, also after a failed put or a cancelled ctx.
type messageSink interface {
	put(ctx context.Context, m *simulate.Message) error
	close(ctx context.Context) error
}

// openSink opens where the messages go, and tells where the summary goes.
func (c *simulateCmd) openSink(ctx context.Context, std *stdio) (sink messageSink, summary io.Writer, err error) {
	line := appendPlain
	if c.Envelope {
		line = appendEnvelope
	}
	switch info, statErr := os.Stat(c.Output); {
	case c.Produce:
		sink, err = c.openKafka(ctx)
		return sink, std.Out, err
	case c.Output == "" || c.Output == "-":
		if terminal.IsTerminal(std.Out) {
			return nil, nil, errors.New("standard output is a terminal, and records are 100 KB long: give -o PATH, or a pipe")
		}
		return &fileSink{line: line, w: bufio.NewWriterSize(std.Out, fileBuffer)}, std.Err, nil
	case strings.HasSuffix(c.Output, "/") || statErr == nil && info.IsDir():
		sink, err = newFolderSink(c.Output, line)
		return sink, std.Out, err
	}
	f, err := os.Create(c.Output)
	if err != nil {
		return nil, nil, err
	}
	return &fileSink{line: line, w: bufio.NewWriterSize(f, fileBuffer), f: f}, std.Out, nil
}

const fileBuffer = 1 << 18

// lineWriter appends a message as one line.
type lineWriter func(b []byte, m *simulate.Message) ([]byte, error)

func appendPlain(b []byte, m *simulate.Message) ([]byte, error) {
	return append(append(b, m.Value...), '\n'), nil
}

// envelopeLine is a message as --envelope writes it. Of Value and ValueBase64 one is there; a null value is a message
// without one.
type envelopeLine struct {
	Key         string            `json:"key"`
	Headers     map[string]string `json:"headers"`
	TimestampMS int64             `json:"timestamp_ms"`
	Value       json.RawMessage   `json:"value,omitempty"`
	ValueBase64 []byte            `json:"value_base64,omitempty"`
}

func appendEnvelope(b []byte, m *simulate.Message) ([]byte, error) {
	line := envelopeLine{Key: string(m.Key), Headers: map[string]string{}, TimestampMS: int64(m.Timestamp)}
	for _, h := range m.Headers {
		line.Headers[h.Key] = string(h.Value) // the last one of a name counts
	}
	var err error
	switch {
	case m.Value == nil:
		line.Value = json.RawMessage("null")
	case utf8.Valid(m.Value):
		line.Value, err = json.Marshal(string(m.Value))
	default:
		line.ValueBase64 = m.Value
	}
	if err != nil {
		return b, err
	}
	text, err := json.Marshal(line)
	return append(append(b, text...), '\n'), err
}

// fileSink writes one file, or standard output.
type fileSink struct {
	line lineWriter
	w    *bufio.Writer
	f    *os.File // nil: not ours to close
	buf  []byte
}

func (s *fileSink) put(_ context.Context, m *simulate.Message) (err error) {
	if s.buf, err = s.line(s.buf[:0], m); err != nil {
		return err
	}
	_, err = s.w.Write(s.buf)
	return err
}

func (s *fileSink) close(context.Context) error {
	err := s.w.Flush()
	if s.f != nil {
		err = errors.Join(err, s.f.Close())
	}
	return err
}

// folderSink writes a file a game. Few are open at a time: a day's games, and those that corrections went to.
type folderSink struct {
	folder string
	line   lineWriter
	open   map[string]*fileSink
	begun  map[string]bool // written to before: appended to, not begun anew
}

const openFiles = 64

func newFolderSink(folder string, line lineWriter) (*folderSink, error) {
	return &folderSink{folder: folder, line: line, open: map[string]*fileSink{}, begun: map[string]bool{}}, os.MkdirAll(folder, 0o777)
}

func (s *folderSink) put(ctx context.Context, m *simulate.Message) error {
	key := string(m.Key)
	f := s.open[key]
	if f == nil {
		if len(s.open) >= openFiles {
			if err := s.close(ctx); err != nil {
				return err
			}
		}
		var err error
		if f, err = s.openGame(key); err != nil {
			return err
		}
	}
	return f.put(ctx, m)
}

// openGame opens GAME_0.jsonl: names GAME_FRAME tell the other commands the game.
func (s *folderSink) openGame(key string) (*fileSink, error) {
	how := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if s.begun[key] {
		how = os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(filepath.Join(s.folder, key+"_0.jsonl"), how, 0o666)
	if err != nil {
		return nil, err
	}
	s.begun[key] = true
	s.open[key] = &fileSink{line: s.line, w: bufio.NewWriterSize(f, fileBuffer), f: f}
	return s.open[key], nil
}

func (s *folderSink) close(ctx context.Context) (err error) {
	for _, f := range s.open {
		err = errors.Join(err, f.close(ctx))
	}
	clear(s.open)
	return err
}

// flushTimeout bounds the end after an interrupt.
const flushTimeout = 30 * time.Second

// kafkaSink produces the messages, stamped by the client: the time of the game is in the header event_time.
type kafkaSink struct {
	producer *kafkasink.Producer
	sent     int64
	acked    atomic.Int64
	refused  atomic.Pointer[error] // the first refusal
}

func (c *simulateCmd) openKafka(ctx context.Context) (*kafkaSink, error) {
	client, err := config.Kafka(c.Kafka).Options()
	if err != nil {
		return nil, err
	}
	p, err := kafkasink.OpenProducer(ctx, kafkasink.ProducerOptions{Client: client, Topic: c.TopicRaw, MaxRecordBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	return &kafkaSink{producer: p}, nil
}

func (s *kafkaSink) put(ctx context.Context, m *simulate.Message) error {
	if refused := s.refused.Load(); refused != nil {
		return *refused
	}
	rec := &kgo.Record{Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if err := s.producer.Send(ctx, rec, s.answered); err != nil {
		return err
	}
	s.sent++
	return nil
}

func (s *kafkaSink) answered(err error) {
	if err == nil {
		s.acked.Add(1)
		return
	}
	s.refused.CompareAndSwap(nil, &err)
}

// close waits for what was sent; after an interrupt too, but not for long.
func (s *kafkaSink) close(ctx context.Context) error {
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
