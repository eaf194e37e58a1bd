package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/demo"
	stream "github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/server"
)

type demoCmd struct {
	For     config.Duration `env:"-" name:"for" placeholder:"TIME" help:"Play for this time, such as 20s or 5m, then print the books and end. Default: until Ctrl-C."`
	Speed   float64         `env:"-" name:"speed" default:"100" placeholder:"X" help:"Play X times as fast as real games, where pitches are 31 s apart on average. Default: 100."`
	Games   int             `env:"-" name:"games" default:"2" placeholder:"N" help:"Games played at the same time, 1 to 15. When they are over, those of the next day begin. Default: 2."`
	Seed    uint64          `env:"-" name:"seed" default:"1" placeholder:"N" help:"Another seed plays other games. Default: 1."`
	Verbose bool            `env:"-" name:"verbose" help:"Print the processor's log instead of the table."`
	Servers bool            `env:"-" name:"servers" help:"Play nothing: only run Kafka, Postgres and Redis, empty, for other commands, until Ctrl-C."`

	KafkaPort    uint16 `env:"-" name:"kafka-port" placeholder:"PORT" help:"Port of Kafka. Default: a free one, 9092 with --servers."`
	APIPort      uint16 `env:"-" name:"api-port" placeholder:"PORT" help:"Port of the HTTP API. Default: a free one."`
	RedisPort    uint16 `env:"-" name:"redis-port" placeholder:"PORT" help:"Port of Redis. Default: a free one, 6379 with --servers."`
	PostgresPort uint16 `env:"-" name:"postgres-port" placeholder:"PORT" help:"Port of Postgres. Default: a free one, 5432 with --servers."`
}

// Help returns the text that --help prints above the flags.
func (*demoCmd) Help() string {
	return `Runs everything in one process. Nothing else needs to be installed or running:

  games  ->  Kafka  ->  processor  ->  Postgres  ->  Redis  ->  this table

Kafka and Redis are in memory or in a temporary folder. Postgres is a private server: it runs the programs installed here,
or those of a pinned archive, which is downloaded once. All servers listen on 127.0.0.1 only and are removed when the demo
ends. The processor is the one of pitchstream run with its defaults, and the API that of pitchstream serve.

What to look at:
  The table is read from Redis, as an application would read it. A mark shows the batters who have just changed.
  The stream has disorder. Of 100 pitches 5 are sent twice, 5 are corrected later (some to another batter), 1 is deleted,
  5 get their batter late, 5 arrive out of order, and 2 are followed by a broken record. Rows and aggregates are right all
  the same, and each broken record becomes one dead letter in pitches.dead.
  The addresses above the table are for you: psql (the user demo can only read; try TABLE batter_stats;), a browser (the
  dashboard), redis-cli, curl and any Kafka client. The names of players are made up.

At Ctrl-C, or after --for, everything that was sent is processed, and the books are balanced, record by record.

  pitchstream demo
  pitchstream demo --for 20s
  pitchstream demo --games 15 --speed 500

With --servers it plays nothing: it is Kafka, Postgres and Redis at their usual ports, for trying the other commands where
neither containers nor servers are installed. DANGER: never for data that must be kept; everything is gone at its end.

  pitchstream demo --servers`
}

// Validate returns an error that says which flag is wrong and what is allowed.
func (c *demoCmd) Validate() error {
	switch {
	case !(c.Speed > 0 && c.Speed <= 1e6):
		return fmt.Errorf("--speed=%v: want more than 0, at most 1,000,000", c.Speed)
	case c.Games < 1 || c.Games > 15:
		return fmt.Errorf("--games=%d: want 1 to 15", c.Games)
	}
	return nil
}

// Run runs the demo.
func (c *demoCmd) Run(ctx context.Context, std *stdio) error {
	o := demo.Options{
		For: time.Duration(c.For), Speed: c.Speed, Games: c.Games, Seed: c.Seed, Verbose: c.Verbose,
		KafkaPort: c.KafkaPort, APIPort: c.APIPort, RedisPort: c.RedisPort, PostgresPort: c.PostgresPort,
		Processor: demoProcessor, Serve: demoServe, Out: std.Out, Err: std.Err,
	}
	if c.Servers {
		o.KafkaPort, o.RedisPort = cmp.Or(o.KafkaPort, 9092), cmp.Or(o.RedisPort, 6379)
		o.PostgresPort = cmp.Or(o.PostgresPort, 5432)
		return demo.OnlyServers(ctx, o)
	}
	balanced, err := demo.Run(ctx, o)
	return orDifference(err, !balanced)
}

// withDefaults sets the fields of a command from these flags and the defaults. It ignores the environment and
// the settings file, because they describe other servers.
func withDefaults(command any, flags ...string) error {
	parser, err := kong.New(command)
	if err != nil {
		return err
	}
	_, err = parser.Parse(flags)
	return err
}

func demoProcessor(s demo.Servers, log *slog.Logger) (stream.Options, error) {
	var c runCmd
	err := withDefaults(&c, "--kafka-brokers="+s.KafkaAddr, "--postgres-url="+s.PostgresURL,
		"--redis-url="+s.RedisURL, "--admin-addr=off")
	if err != nil {
		return stream.Options{}, err
	}
	return c.options(config.Live, log)
}

func demoServe(
	ctx context.Context, s demo.Servers, addr string, log *slog.Logger, started func(addr string),
) error {
	var c serveCmd
	err := withDefaults(&c, "--postgres-url="+s.PostgresURL, "--redis-url="+s.RedisURL,
		"--kafka-brokers="+s.KafkaAddr, "--admin-addr=off", "--api-addr="+addr)
	if err != nil {
		return err
	}
	o, err := c.options(log)
	if err != nil {
		return err
	}
	o.Started = started
	return server.Run(ctx, o)
}
