package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/bench"
	"github.com/pitchstream/pitchstream/internal/config"
)

type benchCmd struct {
	Stages []string `arg:"" optional:"" name:"STAGE" help:"What to measure: decode, transform, postgres, redis, stream, latency; or accuracy, alone. Default: all but accuracy whose servers are given."`

	Pitches int           `env:"-" name:"pitches" default:"10000" placeholder:"N" help:"Simulated pitches of a round, some 50 KB each. Default: 10000."`
	Seed    uint64        `env:"-" name:"seed" default:"1" placeholder:"N" help:"The same seed plays the same pitches, byte for byte. Default: 1."`
	Rounds  int           `env:"-" name:"rounds" default:"3" placeholder:"N" help:"Rounds of each stage; the table has their median. Default: 3."`
	Rate    float64       `env:"-" name:"rate" default:"100" placeholder:"N" help:"latency: pitches a second. Default: 100."`
	For     time.Duration `env:"-" name:"for" default:"10s" placeholder:"DURATION" help:"latency: how long a round sends. Default: 10s."`
	JSON    bool          `env:"-" name:"json" help:"One JSON object with every run, instead of the table."`
	Pprof   string        `env:"-" name:"pprof" placeholder:"FILE" help:"Write a processor profile of all stages to this file, for go tool pprof."`

	Kafka    optionalKafka    `embed:"" group:"Kafka (stream, latency)"`
	Postgres optionalPostgres `embed:"" group:"Postgres (postgres, stream, latency)"`
	Redis    optionalRedis    `embed:"" group:"Redis (redis, stream, latency)"`
}

// Help returns the text that --help prints above the flags.
func (*benchCmd) Help() string {
	return `
Measures each stage of the pipeline on this machine, with simulated pitches, and prints the conditions beside the figures.

  pitchstream bench                      what needs no server; with servers in the settings, all
  pitchstream bench decode transform     only the core
  pitchstream bench stream --pitches 20000 --kafka-brokers localhost:9092 --postgres-url … --redis-url …
  pitchstream bench latency --rate 100
  pitchstream bench accuracy --seed 7    how far the core's columns are from the truth of simulated swings
  pitchstream bench stream --pprof cpu.out && go tool pprof -tagfocus stream -top cpu.out

accuracy needs no server. It prints bias ± root mean square error of every column of core 2, in tracks as the bats moved
("clean") and in tracks with the faults of real ones ("tracked", where the columns at contact are those of reliable swings),
at 300, 200, 150 and 100 samples of the bat a second. Beside them are the two columns of core 1, against the truth at contact. In
brackets after contact_bat_speed_mph: in how many percent of swings its error is within one and two standard errors.

decode and transform need nothing. postgres needs --postgres-url, redis --redis-url, stream and latency all three servers.
A stage that was not named and lacks its server is skipped, and a line says so.

Everything it creates has names of its own (topics and group pitchstream-bench-…, schema pitchstream_bench_…, keys below
ps:bench:…) and is removed at the end, also after Ctrl-C: --kafka-group, --postgres-schema and --redis-prefix do not matter
here. After kill -9 it stays; remove what has these names. stream and latency create topics, and delete them and the group.
postgres creates a schema and drops it. A user without these rights gets an error.

How to read it: medians of the rounds, and the least and the most of them. CPU is that of this process (the servers' own is
not in it), in seconds for 1,000 records: on a busy machine it is steadier than records a second. stream: "share" is against
a loop that polls the same topic and does nothing else, in turn with the processor. latency: every time counts from the send
of the pitch; what was sent is readable when the field of its partition in Redis' applied has passed it.

In a profile each stage is a tag (-tagfocus latency), and what sends to it another one (-tagfocus sending).

Exit status: 0 success; 1 a stage failed, or it was interrupted; 2 wrong usage.`
}

// Validate returns an error that says which flag is wrong and what is allowed.
func (c *benchCmd) Validate() error {
	switch {
	case c.Pitches < 10:
		return fmt.Errorf("--pitches=%d: want 10 or more", c.Pitches)
	case c.Rounds < 1:
		return fmt.Errorf("--rounds=%d: want 1 or more", c.Rounds)
	case !(c.Rate > 0 && c.Rate <= 10_000):
		return fmt.Errorf("--rate=%v: want more than 0, up to 10000 pitches a second", c.Rate)
	case c.For < 100*time.Millisecond:
		return fmt.Errorf("--for=%v: want 100ms or more", c.For)
	}
	if slices.Contains(c.Stages, accuracyStage) {
		if len(c.Stages) > 1 {
			return errors.New("give accuracy alone: it is no stage of the pipeline")
		}
		return nil
	}
	for _, name := range c.Stages {
		i := slices.IndexFunc(bench.Stages, func(s bench.Stage) bool { return s.Name == name })
		if i < 0 {
			return fmt.Errorf("stage %q: want decode, transform, postgres, redis, stream, latency or accuracy", name)
		}
		if missing := c.missing(bench.Stages[i]); missing != "" {
			return fmt.Errorf("stage %s: %s", name, missing)
		}
	}
	var errs []error
	for _, server := range optionalServers(c.Kafka, c.Postgres, c.Redis) {
		if server.isGiven {
			errs = append(errs, server.validate())
		}
	}
	return errors.Join(errs...)
}

// missing returns which settings a stage needs and does not have, or "".
func (c *benchCmd) missing(s bench.Stage) string {
	var missing []string
	needed := []bool{s.Kafka, s.Postgres, s.Redis}
	for i, server := range optionalServers(c.Kafka, c.Postgres, c.Redis) {
		if needed[i] && !server.isGiven {
			missing = append(missing, "--"+server.flag)
		}
	}
	if missing == nil {
		return ""
	}
	return strings.Join(missing, " and ") + " not given (as a flag, an environment variable or in --config)"
}

// Run measures, and prints the table or the JSON.
func (c *benchCmd) Run(ctx context.Context, std *stdio) error {
	if c.Pprof != "" {
		f, err := os.Create(c.Pprof)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if slices.Contains(c.Stages, accuracyStage) {
		return c.accuracy(ctx, std)
	}
	o := bench.Options{
		Stages: c.Stages, Skip: c.missing, Pitches: c.Pitches, Seed: c.Seed, Rounds: c.Rounds,
		Rate: c.Rate, For: c.For, Out: std.Out, Log: std.Err,
	}
	if c.JSON {
		o.Out = nil
	}
	var run runCmd // for the defaults of the processor
	err := withDefaults(&run, "--kafka-brokers=default", "--postgres-url=postgres://h/d", "--redis-url=default")
	if err != nil {
		return err
	}
	run.Kafka, run.Postgres = config.Kafka(c.Kafka), config.Postgres(c.Postgres)
	run.Redis = config.Redis(c.Redis)
	if o.Processor, err = run.options(config.Live, nil); err != nil {
		return err
	}
	o.Memory = run.Memory
	report, err := bench.Run(ctx, o)
	if err != nil || !c.JSON {
		return err
	}
	return printIndented(std.Out, report)
}

// printIndented prints a report as JSON that people read, too.
func printIndented(w io.Writer, report any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(report)
}

// accuracyStage is the argument that measures the core's columns instead of its speed.
const accuracyStage = "accuracy"

func (c *benchCmd) accuracy(ctx context.Context, std *stdio) error {
	report, err := bench.Accuracy(ctx, bench.AccuracyOptions{
		Pitches: c.Pitches, Seed: c.Seed, Rates: bench.AccuracyRates,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printIndented(std.Out, report)
	}
	report.Print(std.Out)
	return nil
}
