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

// stream sends the pitches once. In each round a loop that only polls reads them, and then a processor.
func (b *run) stream(ctx context.Context, result *Result) (err error) {
	own := newScratch(b.o)
	defer own.clear(ctx, &err)
	if err := own.topics(ctx); err != nil {
		return err
	}
	var sent simulate.Tally
	err = labeled(ctx, "sending", func(ctx context.Context) (err error) {
		sent, err = b.produce(ctx, own.options.RawTopic)
		return err
	})
	if err != nil {
		return err
	}
	for round := range b.o.Rounds {
		b.announce(result.Stage, round)
		ceiling, err := b.pollOnly(ctx, own.options.RawTopic, sent.Total())
		if err != nil {
			return err
		}
		if err := b.streamRound(ctx, result, own, sent, ceiling); err != nil {
			return err
		}
	}
	return nil
}

// produce sends the pitches as simulate --produce does: compressed by zstd, acknowledged by all replicas.
func (b *run) produce(ctx context.Context, topic string) (sent simulate.Tally, err error) {
	s, err := b.o.simulator(b.o.Pitches)
	if err != nil {
		return sent, err
	}
	sink, err := simulation.OpenKafka(ctx, b.o.Processor.Kafka, topic)
	if err != nil {
		return sent, err
	}
	return simulation.Run(ctx, simulation.Options{
		Simulator: s, Sink: sink, ProgressTo: b.o.Log, Title: "bench: producing", Pitches: int64(b.o.Pitches),
	})
}

// pollOnly returns how long a client takes that only polls the topic, which is a lower bound for every
// processor.
func (b *run) pollOnly(ctx context.Context, topic string, records int64) (time.Duration, error) {
	start := kgo.NewOffset().AtStart()
	client, err := kgo.NewClient(append(slices.Clone(b.o.Processor.Kafka),
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

func (b *run) streamRound(ctx context.Context, result *Result, topics *scratch, sent simulate.Tally,
	ceiling time.Duration) (err error) {
	own := newScratch(b.o) // all but the topics, which stay for the next round
	defer own.clear(ctx, &err)
	own.useTopics(topics)
	p, err := b.startProcessor(ctx, own)
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
