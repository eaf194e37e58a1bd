package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
)

type demoCmd struct {
	For     config.Duration `name:"for" placeholder:"TIME" help:"Play so long, as 20s or 5m, then sum up and end. Default: until Ctrl-C."`
	Speed   float64         `name:"speed" default:"100" placeholder:"X" help:"Play X times as fast as in the ball park, where a game's pitches are some 30 s apart. Default: 100."`
	Games   int             `name:"games" default:"2" placeholder:"N" help:"Games at a time, 1 to 15; when they are over, the next day's begin. Default: 2."`
	Seed    uint64          `name:"seed" default:"1" placeholder:"N" help:"Another seed plays other games. Default: 1."`
	Verbose bool            `name:"verbose" help:"Show the processor's log instead of the table."`

	KafkaPort uint16 `name:"kafka-port" placeholder:"PORT" help:"Port of Kafka. Default: a free one."`
	APIPort   uint16 `name:"api-port" placeholder:"PORT" help:"Port of the HTTP API. Default: a free one."`
	RedisPort uint16 `name:"redis-port" placeholder:"PORT" help:"Port of Redis. Default: a free one."`
}

// Help is what --help says beside the flags.
func (*demoCmd) Help() string {
	return `Everything in one process, with nothing else installed or running:

  games  ->  Kafka  ->  processor  ->  Postgres  ->  Redis  ->  this table

Kafka and Redis are in memory or in a temporary folder; Postgres is a private server made of the programs that are
installed here, else of a pinned archive, which is downloaded once. All listen on 127.0.0.1 only, and all of it is gone
when the demo ends. The processor is the one of pitchstream run, with its defaults, and the API that of pitchstream serve.

What to look at:
  The table is read from Redis, as an app would read it; batters whose last pitch is news are marked.
  The stream is not clean: of 100 pitches 5 are sent twice, 5 corrected later (some to another batter), 1 is deleted,
  5 get their batter late, 5 come out of order, and 2 are followed by a record that is broken. Rows and aggregates
  stay right all the same, and each broken record is one letter in pitches.dead.
  The addresses above the table are for your own eyes: psql (the user demo can only read; try: TABLE batter_stats;),
  a browser (the dashboard), redis-cli, curl and any Kafka client. The names of players are made up.

Ctrl-C ends it, so does --for: what was sent is processed to the end, and the books are balanced, record by record.

  pitchstream demo
  pitchstream demo --for 20s
  pitchstream demo --games 15 --speed 500`
}

// Validate says what is wrong and what would be right.
func (c *demoCmd) Validate() error {
	switch {
	case !(c.Speed > 0 && c.Speed <= 1e6):
		return fmt.Errorf("--speed=%v: want more than 0, at most 1,000,000", c.Speed)
	case c.Games < 1 || c.Games > 15:
		return fmt.Errorf("--games=%d: want 1 to 15", c.Games)
	}
	return nil
}

// Run plays until ctx ends, or for as long as was asked for, and returns when nothing of the demo is left.
func (c *demoCmd) Run(ctx context.Context, std *stdio) (err error) {
	began := time.Now()
	screen := c.newScreen(std)
	d, err := c.open(ctx, std)
	defer func() {
		err = errors.Join(err, d.close())
	}()
	if err == nil {
		err = d.firstRow(ctx)
	}
	if err != nil {
		return cmp.Or(demoInterrupted(ctx), err)
	}
	screen.begin(d.about(), time.Since(began))
	err = d.show(ctx, time.Duration(c.For), screen)
	screen.end()
	if err != nil {
		return err
	}
	books, err := d.finish(ctx)
	if err != nil {
		return err
	}
	screen.sumUp(books)
	if !books.balance() {
		return &differenceError{}
	}
	return nil
}

// interrupted is the error for somebody who did not wait for the first row; nil where ctx still stands.
func demoInterrupted(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return errors.New("stopped before the first row")
}
