package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
)

type benchCmd struct {
	Stages []string `arg:"" optional:"" name:"STAGE" help:"What to measure: decode, transform, postgres, redis, stream, latency. Default: all whose servers are given."`

	Pitches int           `name:"pitches" default:"10000" placeholder:"N" help:"Simulated pitches of a round, some 50 KB each. Default: 10000."`
	Seed    uint64        `name:"seed" default:"1" placeholder:"N" help:"The same seed plays the same pitches, byte for byte. Default: 1."`
	Rounds  int           `name:"rounds" default:"3" placeholder:"N" help:"Runs of each stage; what is told is their median. Default: 3."`
	Rate    float64       `name:"rate" default:"100" placeholder:"N" help:"latency: pitches a second. Default: 100."`
	For     time.Duration `name:"for" default:"10s" placeholder:"DURATION" help:"latency: how long a round sends. Default: 10s."`
	JSON    bool          `name:"json" help:"One JSON object with every run, instead of the table."`
	Pprof   string        `name:"pprof" placeholder:"FILE" help:"Write a processor profile of all stages to this file, for go tool pprof."`

	Kafka    optionalKafka    `embed:"" group:"Kafka (stream, latency)"`
	Postgres optionalPostgres `embed:"" group:"Postgres (postgres, stream, latency)"`
	Redis    optionalRedis    `embed:"" group:"Redis (redis, stream, latency)"`
}

// The groups without their checks: a stage whose server is not given is left out.
type (
	optionalPostgres config.Postgres
	optionalRedis    config.Redis
)

// benchStage is one thing that is measured.
type benchStage struct {
	name, about            string
	kafka, postgres, redis bool // the servers that it needs
	run                    func(*benchRun, context.Context, *benchResult) error
}

var benchStages = []benchStage{
	{"decode", "bytes of a record to its row, one core", false, false, false, (*benchRun).decode},
	{"transform", "the same on all cores", false, false, false, (*benchRun).transform},
	{"postgres", "batches into a schema of its own", false, true, false, (*benchRun).postgres},
	{"redis", "their batters below a prefix of its own", false, false, true, (*benchRun).redis},
	{"stream", "Kafka to Postgres, Redis and Kafka, beside a loop that only polls", true, true, true, (*benchRun).stream},
	{"latency", "from the moment a pitch is sent, at a live rate", true, true, true, (*benchRun).latency},
}

// Help is what --help says beside the flags.
func (*benchCmd) Help() string {
	return `
Measures each stage of the pipeline on this machine, with simulated pitches, and prints the conditions beside the figures.

  pitchstream bench                      what needs no server; with servers in the settings, all
  pitchstream bench decode transform     only the core
  pitchstream bench stream --pitches 20000 --kafka-brokers localhost:9092 --postgres-url … --redis-url …
  pitchstream bench latency --rate 100
  pitchstream bench stream --pprof cpu.out && go tool pprof -tagfocus stream -top cpu.out

decode and transform need nothing. postgres needs --postgres-url, redis --redis-url, stream and latency all three servers.
A stage that was not named and lacks its server is left out, and a line says so.

Everything it creates has names of its own (topics and group pitchstream-bench-…, schema pitchstream_bench_…, keys below
ps:bench:…) and is removed at the end, also after Ctrl-C: --kafka-group, --postgres-schema and --redis-prefix do not matter
here. After kill -9 it stays, and these names tell what may go. stream and latency create topics, delete them and the group;
postgres creates a schema and drops it: a user without these rights is told so.

How to read it: medians of the rounds, and the least and the most of them. CPU is that of this process (the servers' own is
not in it), in seconds for 1,000 records: on a busy machine it is steadier than records a second. stream: "share" is against
a loop that polls the same topic and does nothing else, in turn with the processor. latency: every time counts from the send
of the pitch; what was sent is readable when the field of its partition in Redis' applied has passed it.

In a profile each stage is a tag (-tagfocus latency), and what sends to it another one (-tagfocus sending).

Exit status: 0 well; 1 a stage failed, or it was interrupted; 2 wrong usage.`
}

// Validate says what is wrong and what would be right.
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
	for _, name := range c.Stages {
		i := slices.IndexFunc(benchStages, func(s benchStage) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("stage %q: want decode, transform, postgres, redis, stream or latency", name)
		}
		if without := c.lacks(benchStages[i]); without != nil {
			return fmt.Errorf("stage %s: %w", name, without)
		}
	}
	return errors.Join(c.given()...)
}

// given are the faults of settings that are there.
func (c *benchCmd) given() (errs []error) {
	if len(c.Kafka.Brokers) > 0 {
		errs = append(errs, config.Kafka(c.Kafka).Validate())
	}
	if c.Postgres.URL.Reveal() != "" {
		errs = append(errs, config.Postgres(c.Postgres).Validate())
	}
	if c.Redis.URL.Reveal() != "" {
		errs = append(errs, config.Redis(c.Redis).Validate())
	}
	return errs
}

// lacks says which setting a stage cannot do without; nil where all are there.
func (c *benchCmd) lacks(s benchStage) error {
	var missing []string
	if s.kafka && len(c.Kafka.Brokers) == 0 {
		missing = append(missing, "--kafka-brokers")
	}
	if s.postgres && c.Postgres.URL.Reveal() == "" {
		missing = append(missing, "--postgres-url")
	}
	if s.redis && c.Redis.URL.Reveal() == "" {
		missing = append(missing, "--redis-url")
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("%s not given (as a flag, an environment variable or in --config)", strings.Join(missing, " and "))
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
	run := &benchRun{c: c, log: std.Err}
	report := benchReport{Conditions: conditions(), Data: c.data()}
	if !c.JSON {
		report.head(std.Out)
	}
	for _, s := range benchStages {
		if len(c.Stages) > 0 && !slices.Contains(c.Stages, s.name) {
			continue
		}
		result := &benchResult{Stage: s.name, About: s.about}
		if without := c.lacks(s); without != nil {
			result.Skipped = without.Error()
		} else if err := labelled(ctx, s.name, func(ctx context.Context) error { return s.run(run, ctx, result) }); err != nil {
			return fmt.Errorf("bench %s: %w", s.name, err)
		}
		report.Stages = append(report.Stages, result)
		if !c.JSON {
			result.print(std.Out)
		}
	}
	if !c.JSON {
		return nil
	}
	out := json.NewEncoder(std.Out)
	out.SetIndent("", "  ")
	return out.Encode(report)
}

// labelled lets a profile tell what is done for what: go tool pprof -tagfocus NAME.
func labelled(ctx context.Context, name string, do func(context.Context) error) (err error) {
	pprof.Do(ctx, pprof.Labels("stage", name), func(ctx context.Context) { err = do(ctx) })
	return err
}
