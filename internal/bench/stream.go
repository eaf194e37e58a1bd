package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/simulation"
	"github.com/pitchstream/pitchstream/simulate"
)

// measureStream sends the pitches once. In each round a loop that only polls reads them, then a processor.
func measureStream(ctx context.Context, o *Options, result *Result) (err error) {
	own := newScratch(o)
	defer own.clear(ctx, &err)
	if err := own.topics(ctx); err != nil {
		return err
	}
	var sent simulate.Tally
	err = labeled(ctx, "sending", func(ctx context.Context) (err error) {
		sent, err = produce(ctx, o, own.options.RawTopic)
		return err
	})
	if err != nil {
		return err
	}
	return o.eachRound(result.Stage, func() error {
		ceiling, err := pollOnly(ctx, o, own.options.RawTopic, sent.Total())
		if err != nil {
			return err
		}
		return streamRound(ctx, o, result, own, sent, ceiling)
	})
}

// produce sends the pitches as simulate --produce does: compressed by zstd, acknowledged by all replicas.
func produce(ctx context.Context, o *Options, topic string) (sent simulate.Tally, err error) {
	s, err := o.simulator(o.Pitches)
	if err != nil {
		return sent, err
	}
	sink, err := simulation.OpenKafka(ctx, o.Processor.Kafka, topic)
	if err != nil {
		return sent, err
	}
	return simulation.Run(ctx, simulation.Options{
		Simulator: s, Sink: sink, ProgressTo: o.Log, Title: "bench: producing", Pitches: int64(o.Pitches),
	})
}

// pollOnly returns how long a client takes that only polls the topic, which is a lower bound for every
// processor.
func pollOnly(ctx context.Context, o *Options, topic string, records int64) (time.Duration, error) {
	start := kgo.NewOffset().AtStart()
	client, err := kgo.NewClient(append(slices.Clone(o.Processor.Kafka),
		kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(start), kgo.ConsumeResetOffset(start))...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, 10*stallLimit,
		fmt.Errorf("the topic %s was not read within %v", topic, 10*stallLimit))
	defer cancel()
	began := time.Now()
	for records > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if err := fetches.Err(); err != nil {
			return 0, fmt.Errorf("kafka: %w", err)
		}
		records -= int64(fetches.NumRecords())
	}
	return time.Since(began), nil
}

// steps are the steps of a batch in their order. They overlap, because polls are decoded while others are
// stored.
var steps = []string{"decode", "postgres", "redis", "produce", "commit"}

func streamRound(ctx context.Context, o *Options, result *Result, topics *scratch, sent simulate.Tally,
	ceiling time.Duration) (err error) {
	own := newScratch(o) // all but the topics, which stay for the next round
	defer own.clear(ctx, &err)
	own.options.RawTopic, own.options.RowsTopic = topics.options.RawTopic, topics.options.RowsTopic
	own.options.DeadTopic = topics.options.DeadTopic
	p, err := startProcessor(ctx, o, own)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := p.wait(ctx, sent.Total()); err != nil {
		return err
	}
	took, cpu, inStep := p.observer.took()
	result.throughput(sent.Total(), sent.Bytes, took, cpu)
	result.add("a loop that only polls", "records/s", float64(sent.Total())/ceiling.Seconds())
	result.add("share of that loop", "%", 100*ceiling.Seconds()/took.Seconds())
	for _, name := range steps {
		result.add("time in "+name, "s", inStep[name].Seconds())
	}
	return nil
}
