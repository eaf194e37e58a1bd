package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// open opens what a load needs, the cheapest to be wrong first.
func (c *loadCmd) open(ctx context.Context, stop context.CancelCauseFunc, std *stdio) (_ *loader, err error) {
	l := &loader{c: c, report: newLoadReport(c), saved: time.Now(), stop: stop}
	if c.IDs != "" {
		if l.ids, err = fileinput.LoadIDs(ctx, c.IDs); err != nil {
			return nil, fmt.Errorf("--ids: %w", err)
		}
		if c.Realtime && !c.timestamp.mtime && !l.ids.HasEventTimes() {
			return nil, fmt.Errorf("--realtime: %s has no event_time; add the column, or give --timestamp mtime", c.IDs)
		}
	}
	if c.State != "" {
		if l.state, err = fileinput.OpenCheckpoint(c.State, c.stateSettings()); err != nil {
			return nil, fmt.Errorf("--state: %w", err)
		}
		if err = l.save(); err != nil { // better now than after an hour
			return nil, err
		}
	}
	if l.in, err = fileinput.Open(ctx, l.inputOptions(std)); err != nil {
		return nil, err
	}
	if err = c.refusePipes(l.in.Files()); err == nil {
		l.out, err = c.openSender(ctx)
	}
	if err != nil {
		l.in.Close()
		return nil, err
	}
	l.progress = startReading(std.Err, "load", l.in, c.IDs, l.ids)
	return l, nil
}

// refusePipes is Validate for what only the file system tells: a named pipe is no file to come back to.
func (c *loadCmd) refusePipes(files []*fileinput.File) error {
	for _, f := range files {
		switch {
		case f.SizeBytes >= 0:
		case c.State != "":
			return fmt.Errorf("--state cannot remember %s, which is a pipe: name files", f.Path)
		case c.timestamp.mtime:
			return fmt.Errorf("--timestamp mtime: %s is a pipe and has none: name files, or give a time", f.Path)
		}
	}
	return nil
}

// stateSettings are what makes two loads of one file different loads.
func (c *loadCmd) stateSettings() map[string]string {
	return map[string]string{"topic": c.Topics.TopicRaw, "revision": strconv.FormatInt(c.Revision, 10), "game": c.Game, "timestamp": c.Timestamp, "ids": c.IDs}
}

func (l *loader) inputOptions(std *stdio) fileinput.Options {
	o := fileinput.Options{
		Paths: l.c.Paths, Game: l.c.Game, Stdin: std.In,
		// A record that the processor finds too large still goes out; it becomes a letter there.
		MaxRecordBytes: int(l.c.Limits.MaxRecordBytes) + 1<<20,
	}
	if l.c.IDs != "" {
		o.Exclude = append(o.Exclude, l.c.IDs)
	}
	if l.state != nil {
		o.Exclude = append(o.Exclude, l.c.State)
		o.Ended = l.state.Ended
		o.Skip = l.sentBefore
	}
	return o
}

func (c *loadCmd) openSender(ctx context.Context) (sender, error) {
	if c.Check {
		return nowhere{}, nil
	}
	options, err := config.Kafka(c.Kafka).Options()
	if err != nil {
		return nil, err
	}
	return kafkasink.OpenProducer(ctx, kafkasink.ProducerOptions{
		Client: options, Topic: c.Topics.TopicRaw, MaxRecordBytes: int(c.Limits.MaxRecordBytes) + 1<<20, RecordsPerSecond: c.Rate,
	})
}

// nowhere is the sender of --check.
type nowhere struct{}

func (nowhere) Send(_ context.Context, _ *kgo.Record, acked func(error)) error {
	acked(nil)
	return nil
}
func (nowhere) Refuse(err error, acked func(error)) { acked(err) }
func (nowhere) Flush(context.Context) error         { return nil }
func (nowhere) Close()                              {}
