package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// benchSend is one pitch on its way.
type benchSend struct {
	rec         *kgo.Record
	sent, acked time.Time
}

// latency sends pitches at the rate to a processor that has nothing else to do, and looks at Redis from outside.
func (b *benchRun) latency(ctx context.Context, result *benchResult) (err error) {
	scratch := newBenchScratch(b.c)
	defer scratch.clear(ctx, &err)
	topics, err := scratch.topics(ctx)
	if err != nil {
		return err
	}
	p, err := b.startProcessor(ctx, scratch, topics)
	if err != nil {
		return err
	}
	defer p.stop()
	each := max(1, int(b.c.Rate*b.c.For.Seconds()))
	warm := max(1, int(b.c.Rate)) // connections, statements, caches
	l := &benchLatency{p: p, topic: topics.TopicRaw, limiter: rate.NewLimiter(rate.Limit(b.c.Rate), 1)}
	if l.pitches, err = b.c.simulator(warm + b.c.Rounds*each); err != nil {
		return err
	}
	closeClients, err := l.open(ctx, config.Kafka(b.c.Kafka))
	if err != nil {
		return err
	}
	defer closeClients()
	if _, err := l.round(ctx, warm); err != nil {
		return err
	}
	for round := range b.c.Rounds {
		b.says(result.Stage, round)
		clock := startClock()
		sends, err := l.round(ctx, each)
		if err != nil {
			return err
		}
		_, processor := clock.stop()
		l.tell(result, sends)
		result.add("CPU for 1,000 records, with sender and reader", "s", processor.Seconds()/float64(len(sends))*1000)
	}
	return nil
}

// benchLatency is the sender, and the reader that waits.
type benchLatency struct {
	p       *benchProcessor
	topic   string
	pitches *simulate.Simulator
	limiter *rate.Limiter
	kafka   *kgo.Client
	reader  *redissink.Reader
	total   int64
	seen    map[string][]time.Time // by the field of applied: when each offset was readable
}

func (l *benchLatency) open(ctx context.Context, k config.Kafka) (closeAll func(), err error) {
	cfg, err := redisConfig(l.p.redis)
	if err != nil {
		return nil, err
	}
	l.seen = map[string][]time.Time{}
	if l.reader, err = redissink.OpenReader(cfg); err != nil {
		return nil, err
	}
	err = labelled(ctx, "sending", func(context.Context) (err error) {
		l.kafka, err = connect(k, kgo.DefaultProduceTopic(l.topic), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
			kgo.ProducerBatchCompression(kgo.ZstdCompression()))
		return err
	})
	if err != nil {
		_ = l.reader.Close()
		return nil, err
	}
	return func() { l.kafka.Close(); _ = l.reader.Close() }, ctx.Err()
}

// round sends so many pitches, and returns when all are readable and committed.
func (l *benchLatency) round(ctx context.Context, pitches int) ([]*benchSend, error) {
	var sends []*benchSend
	var err error
	l.total += int64(pitches)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := make(chan error, 1)
	go func() {
		read <- labelled(ctx, "sending", func(ctx context.Context) error { return l.watch(ctx, l.total) })
	}()
	err = labelled(ctx, "sending", func(ctx context.Context) (err error) {
		sends, err = l.send(ctx, pitches)
		return err
	})
	if err == nil {
		select {
		case err = <-read:
			read = nil
		case <-l.p.ended:
			err = fmt.Errorf("the processor ended: %w\n%s", l.p.err, l.p.log.String())
		}
	}
	cancel()
	if read != nil {
		<-read
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	return sends, l.p.wait(context.WithoutCancel(ctx), l.total)
}

// send sends, and returns when all is acknowledged.
func (l *benchLatency) send(ctx context.Context, pitches int) (sends []*benchSend, _ error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range pitches {
		if err := l.limiter.Wait(ctx); err != nil {
			return nil, cmp.Or(context.Cause(ctx), err)
		}
		m, ok := l.pitches.Next()
		if !ok {
			return nil, fmt.Errorf("the simulator ended after %d pitches", len(sends))
		}
		s := &benchSend{rec: &kgo.Record{Key: m.Key, Value: m.Value}, sent: time.Now()}
		for _, h := range m.Headers {
			s.rec.Headers = append(s.rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		sends = append(sends, s)
		all.Add(1)
		l.kafka.Produce(ctx, s.rec, func(_ *kgo.Record, err error) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			s.acked = time.Now()
			if err != nil && failed == nil {
				failed = fmt.Errorf("kafka: %w", err)
			}
		})
	}
	all.Wait()
	return sends, failed
}

// watch looks at applied every millisecond, until so many records are in the batters of Redis.
func (l *benchLatency) watch(ctx context.Context, until int64) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	progress, seen := time.Now(), int64(0)
	for _, times := range l.seen {
		seen += int64(len(times))
	}
	for seen < until {
		applied, err := l.reader.Applied(ctx)
		if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		now := time.Now()
		for field, next := range applied {
			for int64(len(l.seen[field])) < next {
				l.seen[field] = append(l.seen[field], now)
				seen, progress = seen+1, now
			}
		}
		if now.Sub(progress) > stallLimit {
			return fmt.Errorf("nothing came to Redis for %v\n%s", stallLimit, l.p.log.String())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// tell notes the times of a round.
func (l *benchLatency) tell(result *benchResult, sends []*benchSend) {
	names := []string{"sent to acknowledged", "sent to polled", "sent to decoded", "sent to stored in Postgres", "sent to readable in Redis", "sent to committed"}
	times := make([][]time.Duration, len(names))
	marks := l.p.marks()
	for _, s := range sends {
		readable := l.seen[l.topic+"/"+strconv.Itoa(int(s.rec.Partition))][s.rec.Offset]
		m := pollOf(marks, s.sent, readable)
		for n, at := range []time.Time{s.acked, m.polled, m.decoded, m.stored, readable, m.committed} {
			times[n] = append(times[n], at.Sub(s.sent))
		}
	}
	for n, name := range names {
		result.percentiles(name, times[n])
	}
}

// pollOf is the poll that a record was in: the first one that was polled after it was sent and stored before it was
// readable, as far as the clock can tell them apart.
func pollOf(marks []benchMarks, sent, readable time.Time) benchMarks {
	var last benchMarks
	for _, m := range marks {
		if m.stored.IsZero() || m.stored.After(readable) {
			break
		}
		if last = m; m.decoded.After(sent) {
			break
		}
	}
	return last
}
