// Package demo runs everything that pitchstream needs in one process, plays simulated games through it, and
// shows what comes out:
//
//	games  ->  Kafka  ->  processor  ->  Postgres  ->  Redis  ->  a table of batters
//
// Kafka and Redis are in memory or in a temporary folder; Postgres is a private server (package localpg).
// They listen on 127.0.0.1 only and are removed at the end, even after kill -9. The processor and the API are
// the real ones, which the caller hands over in Options. The demo reads the results as an application would,
// from Redis, Postgres and the topic of dead letters. At the end it compares them with a ledger of what was
// sent.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/pitchstream/pitchstream/internal/localpg"
	"github.com/pitchstream/pitchstream/internal/processor"
)

// Options describe a demo.
type Options struct {
	For     time.Duration // time to play; 0 means until the context ends
	Speed   float64       // 1 is the speed of real games, where pitches are 31 s apart on average
	Games   int           // played at the same time, 1 to 15
	Seed    uint64        // of the simulated games
	Verbose bool          // write the processor's log to Err instead of a file

	KafkaPort, APIPort, RedisPort, PostgresPort uint16 // 0 means a free one

	// Processor returns the options of a processor on these servers, with its default topics, schema and
	// prefix. Run overrides nothing but the logger.
	Processor func(Servers, *slog.Logger) (processor.Options, error)
	// Serve serves the API at addr until ctx ends. It calls started with the address when it is ready.
	Serve func(ctx context.Context, s Servers, addr string, log *slog.Logger, started func(addr string)) error

	postgres map[string]string // settings of Postgres
	addOwner bool              // Postgres has the login and the database pitchstream

	Out io.Writer // the table and the books; a terminal is redrawn in place
	Err io.Writer // progress, and the log if Verbose
}

// Servers are the addresses of the demo's servers.
type Servers struct{ KafkaAddr, PostgresURL, RedisURL string }

// retentionInterval is the time between two removals of old records from Kafka.
const retentionInterval = time.Minute

const (
	lookTimeout  = 10 * time.Second // of one look at the servers
	drainTimeout = 15 * time.Second // of processing what is left after the games were stopped
)

// Run plays until ctx ends or Options.For is over, then processes what was sent to the end and prints the
// books. It reports whether the books balance: every record that was sent is accounted for. It returns when
// nothing of the demo is left.
func Run(ctx context.Context, o Options) (balanced bool, err error) {
	began := time.Now()
	o.postgres = localpg.Throwaway()
	screen := newScreen(o)
	d, err := open(ctx, o)
	defer func() { err = errors.Join(err, d.close()) }()
	if err == nil {
		err = d.awaitFirstBatter(ctx)
	}
	if ctx.Err() != nil {
		return false, errors.New("stopped before the first row")
	}
	if err != nil {
		return false, err
	}
	screen.begin(d.about(), time.Since(began))
	err = d.show(ctx, screen)
	screen.end()
	if err != nil {
		return false, err
	}
	books, err := d.finish(ctx)
	if err != nil {
		return false, err
	}
	screen.sumUp(books)
	return books.balance(), nil
}

// demo is a running demo. close may be called however far open came.
type demo struct {
	o         Options
	servers   servers
	settings  processor.Options
	log       *processorLog
	processor *task
	api       *task
	apiAddr   string
	game      *game
	observer  *observer
	batter    int64 // the first batter in Redis, used in examples
}

// open starts everything, each part after those that it needs.
func open(ctx context.Context, o Options) (d *demo, err error) {
	d = &demo{o: o}
	fmt.Fprintln(o.Err, "starting Kafka, Redis and Postgres")
	if err := d.servers.open(ctx, o); err != nil {
		return d, err
	}
	if d.log, err = openProcessorLog(d.servers.dir, o); err != nil {
		return d, err
	}
	log := slog.New(slog.NewTextHandler(d.log, nil))
	if d.settings, err = o.Processor(d.servers.addresses(), log); err != nil {
		return d, err
	}
	if err := prepare(ctx, &d.settings); err != nil {
		return d, err
	}
	if err := d.servers.addGuest(ctx, d.settings.Postgres.Schema); err != nil {
		return d, err
	}
	if d.observer, err = openObserver(ctx, &d.servers, &d.settings); err != nil {
		return d, err
	}
	d.processor = start(ctx, func(ctx context.Context) error { return processor.Run(ctx, d.settings) })
	if err := d.serve(ctx, log); err != nil {
		return d, err
	}
	if d.game, err = openGame(ctx, o, d.settings); err != nil {
		return d, err
	}
	return d, addNames(ctx, &d.settings, d.game.sim.Players())
}

// serve starts the API and returns when it answers.
func (d *demo) serve(ctx context.Context, log *slog.Logger) error {
	started := make(chan string, 1)
	d.api = start(ctx, func(ctx context.Context) error {
		addr := fmt.Sprintf("127.0.0.1:%d", d.o.APIPort)
		return d.o.Serve(ctx, d.servers.addresses(), addr, log, func(addr string) { started <- addr })
	})
	select {
	case d.apiAddr = <-started:
		return nil
	case <-d.api.done:
		err := d.api.err
		d.api = nil
		return fmt.Errorf("the API: %w", err)
	}
}

// awaitFirstBatter starts the games, waits until a batter can be read from Redis, and sets d.batter.
func (d *demo) awaitFirstBatter(ctx context.Context) error {
	d.game.start(ctx)
	tick := time.Tick(20 * time.Millisecond)
	for {
		view, err := d.look(ctx)
		if err != nil {
			return err
		}
		if len(view.batters) > 0 {
			d.batter = view.batters[0].PlayerID
			return nil
		}
		if err := d.wait(ctx, tick); err != nil || ctx.Err() != nil {
			return cmp.Or(err, ctx.Err())
		}
	}
}

// show draws the state until ctx ends or the time is over.
func (d *demo) show(ctx context.Context, screen screen) error {
	if d.o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.o.For)
		defer cancel()
	}
	tick := time.Tick(screen.interval())
	cleaned := time.Now()
	for ctx.Err() == nil {
		view, err := d.look(ctx)
		if err != nil {
			return err
		}
		screen.draw(view)
		if time.Since(cleaned) > retentionInterval {
			d.servers.kafka.ApplyRetention()
			cleaned = time.Now()
		}
		if err := d.wait(ctx, tick); err != nil {
			return err
		}
	}
	return nil
}

// wait waits for the next tick or the end of ctx. It returns an error, at once, if a part of the demo has
// ended.
func (d *demo) wait(ctx context.Context, tick <-chan time.Time) error {
	select {
	case <-tick:
	case <-ctx.Done():
	case <-d.processor.done:
	case <-d.servers.postgres.Done():
	}
	return d.partError()
}

// partError returns an error if Postgres, the processor or the games have ended without having been stopped.
func (d *demo) partError() error {
	isClosed := func(done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	switch {
	case isClosed(d.servers.postgres.Done()):
		return fmt.Errorf("Postgres ended on its own; the end of its log:\n%s", d.servers.postgres.Log())
	case isClosed(d.processor.done):
		err := cmp.Or(d.processor.err, errors.New("it ended on its own"))
		return fmt.Errorf("the processor: %w\nthe end of its log:\n%s", err, d.log.last.String())
	case isClosed(d.game.task.done):
		return d.game.task.err // nil when it was stopped
	}
	return nil
}

// look reads the state of the servers. The end of ctx does not interrupt it.
func (d *demo) look(ctx context.Context) (view, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	v, err := d.observer.look(ctx, d.game.ledger)
	if err != nil {
		return v, cmp.Or(d.partError(), err)
	}
	return v, nil
}

// finish stops the games, waits until every record is processed, and makes up the books.
func (d *demo) finish(ctx context.Context) (books, error) {
	if err := d.game.close(ctx); err != nil {
		return books{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	tick := time.Tick(20 * time.Millisecond)
	for {
		caughtUp, err := d.observer.isCaughtUp(ctx)
		if err = cmp.Or(d.partError(), err); err == nil && caughtUp {
			return d.observer.readBooks(ctx, d.game.ledger)
		}
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return books{}, fmt.Errorf("waiting until every record is processed: %w", err)
		}
		select {
		case <-tick:
		case <-ctx.Done():
		}
	}
}

// close ends everything, each part before those that it uses.
func (d *demo) close() error {
	gameErr, apiErr := d.game.close(context.Background()), d.api.close()
	_ = d.processor.close() // partError has reported its error
	return errors.Join(gameErr, apiErr, d.log.close(), d.observer.close(), d.servers.close())
}
