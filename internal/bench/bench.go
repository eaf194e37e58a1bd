// Package bench measures the stages of the pipeline on this machine with simulated pitches: decoding, the
// stores, the stream from Kafka, and the latency of one pitch.
//
//	report, err := bench.Run(ctx, bench.Options{Pitches: 10_000, Rounds: 3, Out: os.Stdout, Log: os.Stderr, …})
//
// Every stage runs several rounds; the report has each figure of each round and their median. Whatever a
// stage creates on the servers has names of its own and is removed at the end, also when ctx ends.
package bench

import (
	"context"
	"fmt"
	"io"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/simulate"
)

// Options describe what is measured.
type Options struct {
	Stages  []string           // names of Stages; empty means all
	Skip    func(Stage) string // returns why a stage cannot run, "" when it can
	Pitches int                // in a round
	Seed    uint64             // the same seed makes the same pitches, byte for byte
	Rounds  int
	Rate    float64       // of the stage latency, in pitches per second
	For     time.Duration // of a round of the stage latency

	// Processor has the servers and the settings of the processor that is measured. Its group, topics, schema
	// and prefix are replaced by new ones.
	Processor processor.Options
	Memory    config.Memory // the limit that the processor runs with

	Out io.Writer // the table; nil: none
	Log io.Writer // says which stage is running
}

// Stage is one thing that is measured.
type Stage struct {
	Name, About            string
	Kafka, Postgres, Redis bool // the servers that it needs

	run func(context.Context, *Options, *Result) error
}

// Stages are all stages in the order in which Run runs them.
var Stages = []Stage{
	{"decode", "bytes of a record to its row, one core", false, false, false, measureDecode},
	{"transform", "the same on all cores", false, false, false, measureTransform},
	{"postgres", "batches into a schema of its own", false, true, false, measurePostgres},
	{"redis", "their batters below a prefix of its own", false, false, true, measureRedis},
	{"stream", "Kafka to Postgres, Redis and Kafka, beside a loop that only polls", true, true, true,
		measureStream},
	{"latency", "from the moment a pitch is sent, at a live rate", true, true, true, measureLatency},
}

// Run measures the stages one after the other. It ends at the first stage that fails.
func Run(ctx context.Context, o Options) (*Report, error) {
	report := &Report{
		Conditions: conditions(),
		Data:       fmt.Sprintf("as simulate --seed %d --pitches %d --feed-ids makes them", o.Seed, o.Pitches),
	}
	if o.Out != nil {
		report.printHead(o.Out)
	}
	for _, s := range Stages {
		if len(o.Stages) > 0 && !slices.Contains(o.Stages, s.Name) {
			continue
		}
		result := &Result{Stage: s.Name, About: s.About, Skipped: o.Skip(s)}
		if result.Skipped == "" {
			err := labeled(ctx, s.Name, func(ctx context.Context) error { return s.run(ctx, &o, result) })
			if err != nil {
				return report, fmt.Errorf("bench %s: %w", s.Name, err)
			}
		}
		report.Stages = append(report.Stages, result)
		if o.Out != nil {
			result.print(o.Out)
		}
	}
	return report, nil
}

// labeled runs do with a label in CPU profiles: go tool pprof -tagfocus NAME.
func labeled(ctx context.Context, name string, do func(context.Context) error) (err error) {
	pprof.Do(ctx, pprof.Labels("stage", name), func(ctx context.Context) { err = do(ctx) })
	return err
}

// eachRound measures the rounds of a stage, and says on Log which one is running.
func (o *Options) eachRound(stage string, measure func() error) error {
	for round := range o.Rounds {
		fmt.Fprintf(o.Log, "bench: %s, round %d of %d\n", stage, round+1, o.Rounds)
		if err := measure(); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) simulator(pitches int) (*simulate.Simulator, error) {
	return simulate.New(simulate.Options{Seed: o.Seed, Pitches: pitches, FeedIDs: true})
}
