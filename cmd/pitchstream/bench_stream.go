package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/simulate"
)

// stream produces the pitches once, and reads them in each round by a loop that only polls, and by a processor.
func (b *benchRun) stream(ctx context.Context, result *benchResult) (err error) {
	scratch := newBenchScratch(b.c)
	defer scratch.clear(ctx, &err)
	topics, err := scratch.topics(ctx)
	if err != nil {
		return err
	}
	var sent simulate.Tally
	err = labelled(ctx, "sending", func(ctx context.Context) (err error) {
		sent, err = b.produce(ctx, topics.TopicRaw)
		return err
	})
	if err != nil {
		return err
	}
	for round := range b.c.Rounds {
		b.says(result.Stage, round)
		ceiling, err := b.bare(ctx, topics.TopicRaw, sent.Total())
		if err != nil {
			return err
		}
		if err := b.streamRound(ctx, result, topics, sent, ceiling); err != nil {
			return err
		}
	}
	return nil
}

// produce sends the pitches as simulate --produce does: zstd, acknowledged by all replicas.
func (b *benchRun) produce(ctx context.Context, topic string) (sent simulate.Tally, err error) {
	s, err := b.c.simulator(b.c.Pitches)
	if err != nil {
		return sent, err
	}
	sink, err := (&simulateCmd{Kafka: b.c.Kafka, TopicRaw: topic}).openKafka(ctx)
	if err != nil {
		return sent, err
	}
	p := terminal.StartProgress(b.log, terminal.ProgressOptions{Title: "bench: producing", Noun: "pitches", TotalRecords: int64(b.c.Pitches)})
	defer p.Stop()
	sent, err = playAll(ctx, s, (&simulateCmd{}).pace(), sink, p)
	if failed := sink.close(ctx); err == nil {
		err = failed
	}
	return sent, err
}

// bare is how long a client takes that polls the topic and looks at nothing: no processor can be faster here.
func (b *benchRun) bare(ctx context.Context, topic string, records int64) (time.Duration, error) {
	client, err := connect(config.Kafka(b.c.Kafka), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, 10*stallLimit, fmt.Errorf("the topic %s was not read within %v", topic, 10*stallLimit))
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

// benchSteps are the steps of a batch in their order. Polls are decoded while others are stored.
var benchSteps = []string{"decode", "postgres", "redis", "produce", "commit"}

func (b *benchRun) streamRound(ctx context.Context, result *benchResult, topics config.Topics, sent simulate.Tally, ceiling time.Duration) (err error) {
	scratch := newBenchScratch(b.c) // the processor's own: the topics stay
	defer scratch.clear(ctx, &err)
	p, err := b.startProcessor(ctx, scratch, topics)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := p.wait(ctx, sent.Total()); err != nil {
		return err
	}
	took, processor, steps := p.took()
	result.throughput(sent.Total(), sent.Bytes, took, processor)
	result.add("a loop that only polls", "records/s", float64(sent.Total())/ceiling.Seconds())
	result.add("share of that loop", "%", 100*ceiling.Seconds()/took.Seconds())
	for _, name := range benchSteps {
		result.add("time in "+name, "s", steps[name].Seconds())
	}
	return nil
}
