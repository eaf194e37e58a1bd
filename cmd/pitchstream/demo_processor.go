package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/localpg/child"
	stream "github.com/pitchstream/pitchstream/internal/processor"
)

// demoProcessor is pitchstream run, in this process.
type demoProcessor struct {
	stop context.CancelFunc
	done chan struct{} // closed when it has ended
	err  error         // why; for after done
	log  *os.File      // nil: it goes to the screen
	last child.Tail    // the end of the log, for when it fails
}

// demoDefaults fills in a command as its flags alone would, whatever the user's environment and settings file say: they
// are about other servers than these.
func demoDefaults(command any, flags ...string) error {
	parser, err := kong.New(command)
	if err != nil {
		return err
	}
	_, err = parser.Parse(flags)
	return err
}

// prepare does what a person does before the first run: the topics and the schema, by the commands for it.
func (s *demoServers) prepare(ctx context.Context, log io.Writer) error {
	var topics topicsCmd
	if err := demoDefaults(&topics, "--kafka-brokers="+s.kafkaAddr()); err != nil {
		return err
	}
	if err := topics.Run(ctx, &stdio{Out: log, Err: log}); err != nil {
		return err
	}
	var migrate migrateCmd
	if err := demoDefaults(&migrate, "--postgres-url="+s.postgres.URL); err != nil {
		return err
	}
	return migrate.Run(ctx, &stdio{Out: log, Err: log})
}

// settings are those of pitchstream run for these servers.
func (s *demoServers) settings() (*runCmd, error) {
	c := &runCmd{}
	return c, demoDefaults(c, "--kafka-brokers="+s.kafkaAddr(), "--postgres-url="+s.postgres.URL, "--redis-url="+s.redisURL(), "--admin-addr=off")
}

// openLog is where the processor's log goes: a file, or err where it is to be seen.
func (p *demoProcessor) openLog(path string, verbose bool, err io.Writer) (w io.Writer, failed error) {
	w = err
	if !verbose {
		if p.log, failed = os.Create(path); failed != nil {
			return nil, failed
		}
		w = p.log
	}
	return io.MultiWriter(w, &p.last), nil
}

// start runs the processor until close, whatever becomes of ctx: it is stopped after those who feed it.
func (p *demoProcessor) start(ctx context.Context, run *runCmd, log io.Writer) {
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		var o stream.Options
		if o, p.err = run.options(config.Live, slog.New(slog.NewTextHandler(log, nil))); p.err == nil {
			p.err = stream.Run(ctx, o)
		}
		if p.err == nil && ctx.Err() == nil {
			p.err = fmt.Errorf("it ended by itself")
		}
	}()
}

// failure is the error of a processor that has ended before it was told to.
func (p *demoProcessor) failure() error {
	return fmt.Errorf("the processor: %w\nthe end of its log:\n%s", p.err, p.last.String())
}

func (p *demoProcessor) close() error {
	if p.stop != nil {
		p.stop()
		<-p.done
	}
	if p.log != nil {
		return p.log.Close()
	}
	return nil
}
