package demo

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// task is work in a goroutine of its own.
type task struct {
	stop context.CancelFunc
	done chan struct{} // closed when the work has ended
	err  error         // written before done is closed
}

// start runs work until close. It ignores the end of ctx, because parts of the demo are stopped in their
// order.
func start(ctx context.Context, work func(context.Context) error) *task {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	t := &task{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		t.err = work(ctx)
	}()
	return t
}

// close stops the work, waits for its end and returns its error. A nil task may be closed.
func (t *task) close() error {
	if t == nil {
		return nil
	}
	t.stop()
	<-t.done
	return t.err
}

// prepare creates the topics and the schema, as the commands topics and migrate do before the first run.
func prepare(ctx context.Context, o *processor.Options) error {
	client, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return err
	}
	defer client.Close()
	topics := kafkasink.Topics(kafkasink.TopicsConfig{
		Raw: o.RawTopic, Rows: o.RowsTopic, Dead: o.DeadTopic,
		Partitions: 6, Replication: -1, MaxMessageBytes: 20 << 20,
	})
	if _, err := kafkasink.EnsureTopics(ctx, kadm.NewClient(client), topics, false); err != nil {
		return err
	}
	store, err := o.OpenStore()
	if err != nil {
		return err
	}
	defer store.Close()
	_, err = pgadmin.New(store.DB()).Migrate(ctx)
	return err
}

// processorLog is the processor's log: a file, or the screen if Options.Verbose. It keeps the last lines, to
// print them when the processor fails.
type processorLog struct {
	io.Writer
	file *os.File // nil: the log is on the screen
	last child.Tail
}

func openProcessorLog(dir string, o Options) (l *processorLog, err error) {
	l = &processorLog{}
	if o.Verbose {
		l.Writer = io.MultiWriter(o.Err, &l.last)
		return l, nil
	}
	l.file, err = os.Create(filepath.Join(dir, "processor.log"))
	l.Writer = io.MultiWriter(l.file, &l.last)
	return l, err
}

func (l *processorLog) close() error {
	if l == nil || l.file == nil {
		return nil
	}
	if err := l.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
