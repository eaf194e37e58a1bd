package bench

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
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
	producer, err := kafkasink.OpenProducer(ctx, kafkasink.ProducerOptions{
		Client: b.o.Processor.Kafka, Topic: topic, MaxRecordBytes: 1 << 20,
	})
	if err != nil {
		return sent, err
	}
	defer producer.Close()
	p := terminal.StartProgress(b.o.Log, terminal.ProgressOptions{
		Title: "bench: producing", Noun: "pitches", TotalRecords: int64(b.o.Pitches),
	})
	defer p.Stop()
	var refused atomic.Pointer[error] // the first record that Kafka did not take
	acked := func(err error) {
		if err != nil {
			refused.CompareAndSwap(nil, &err)
		}
	}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		if err := producer.Send(ctx, kafkaRecord(&m), acked); err != nil {
			return sent, err
		}
		sent.Add(&m)
		p.AddRecords(1)
		p.AddBytes(int64(len(m.Value)))
	}
	err = producer.Flush(ctx)
	if failed := refused.Load(); failed != nil {
		err = *failed
	}
	return sent, err
}

func kafkaRecord(m *simulate.Message) *kgo.Record {
	r := &kgo.Record{Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
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
	took, cpu, inStep := p.took()
	result.throughput(sent.Total(), sent.Bytes, took, cpu)
	result.add("a loop that only polls", "records/s", float64(sent.Total())/ceiling.Seconds())
	result.add("share of that loop", "%", 100*ceiling.Seconds()/took.Seconds())
	for _, name := range steps {
		result.add("time in "+name, "s", inStep[name].Seconds())
	}
	return nil
}
