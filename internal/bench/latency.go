package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/pitchstream/pitchstream/internal/simulation"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// sentPitch is a pitch that was sent.
type sentPitch struct {
	record      *kgo.Record
	sent, acked time.Time
}

// measureLatency sends pitches at a live rate to a processor that has nothing else to do, and polls Redis
// as a reader.
func measureLatency(ctx context.Context, o *Options, result *Result) (err error) {
	own := newScratch(o)
	defer own.clear(ctx, &err)
	if err := own.topics(ctx); err != nil {
		return err
	}
	p, err := startProcessor(ctx, o, own)
	if err != nil {
		return err
	}
	defer p.stop()
	each := max(1, int(o.Rate*o.For.Seconds()))
	warmUp := max(1, int(o.Rate)) // fills connections, statements and caches
	l := &latencyTest{
		p: p, topic: own.options.RawTopic, limiter: rate.NewLimiter(rate.Limit(o.Rate), 1),
		seen: map[string][]time.Time{},
	}
	if l.pitches, err = o.simulator(warmUp + o.Rounds*each); err != nil {
		return err
	}
	if l.reader, err = redissink.OpenReader(p.redis); err != nil {
		return err
	}
	defer l.reader.Close()
	err = labeled(ctx, "sending", func(context.Context) (err error) {
		l.kafka, err = kgo.NewClient(append(slices.Clone(own.options.Kafka), kgo.DefaultProduceTopic(l.topic),
			kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
			kgo.ProducerBatchCompression(kgo.ZstdCompression()))...)
		return err
	})
	if err != nil {
		return err
	}
	defer l.kafka.Close()
	if _, err := l.round(ctx, warmUp); err != nil {
		return err
	}
	return o.eachRound(result.Stage, func() error {
		watch := startClock()
		sent, err := l.round(ctx, each)
		if err != nil {
			return err
		}
		_, cpu := watch.stop()
		l.addTo(result, sent)
		result.add("CPU for 1,000 records, with sender and reader", "s", cpu.Seconds()/float64(len(sent))*1000)
		return nil
	})
}

// latencyTest is the sender of pitches, and the reader of Redis that waits for them.
type latencyTest struct {
	p       *watchedProcessor
	topic   string
	pitches *simulate.Simulator
	limiter *rate.Limiter
	kafka   *kgo.Client
	reader  *redissink.Reader
	total   int64                  // sent in all rounds
	seen    map[string][]time.Time // when each offset became readable, by the field of applied; watch writes it
}

// round sends pitches and returns when all of them are readable and committed.
func (l *latencyTest) round(ctx context.Context, pitches int) ([]*sentPitch, error) {
	var sends []*sentPitch
	var err error
	l.total += int64(pitches)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := make(chan error, 1)
	go func() {
		read <- labeled(ctx, "sending", func(ctx context.Context) error { return l.watch(ctx, l.total) })
	}()
	err = labeled(ctx, "sending", func(ctx context.Context) (err error) {
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
		<-read //nolint:errcheck // only that it has ended counts
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	return sends, l.p.wait(context.WithoutCancel(ctx), l.total)
}

// send sends pitches and returns when all of them are acknowledged.
func (l *latencyTest) send(ctx context.Context, pitches int) (sends []*sentPitch, _ error) {
	var all sync.WaitGroup
	var mu sync.Mutex // guards failed and acked
	var failed error
	for range pitches {
		if err := l.limiter.Wait(ctx); err != nil {
			return nil, cmp.Or(context.Cause(ctx), err)
		}
		m, ok := l.pitches.Next()
		if !ok {
			return nil, fmt.Errorf("the simulator ended after %d pitches", len(sends))
		}
		s := &sentPitch{record: simulation.Record(&m), sent: time.Now()}
		sends = append(sends, s)
		all.Add(1)
		l.kafka.Produce(ctx, s.record, func(_ *kgo.Record, err error) {
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

// watch reads applied every millisecond, until Redis has this number of records.
func (l *latencyTest) watch(ctx context.Context, until int64) error {
	tick := time.Tick(time.Millisecond)
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
			return fmt.Errorf("Redis has received nothing for %v\n%s", stallLimit, l.p.log.String())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick:
		}
	}
	return nil
}

// addTo adds the times of a round to the result.
func (l *latencyTest) addTo(result *Result, sends []*sentPitch) {
	names := []string{"sent to acknowledged", "sent to polled", "sent to decoded",
		"sent to stored in Postgres", "sent to readable in Redis", "sent to committed"}
	times := make([][]time.Duration, len(names))
	polls := l.p.observer.polls()
	for _, s := range sends {
		readable := l.seen[l.topic+"/"+strconv.Itoa(int(s.record.Partition))][s.record.Offset]
		m := pollOf(polls, s.sent, readable)
		for n, at := range []time.Time{s.acked, m.polled, m.decoded, m.stored, readable, m.committed} {
			times[n] = append(times[n], at.Sub(s.sent))
		}
	}
	for n, name := range names {
		result.percentiles(name, times[n])
	}
}

// pollOf returns the poll that had a record: the first one that was decoded after the record was sent and
// stored before it was readable.
func pollOf(polls []marks, sent, readable time.Time) marks {
	var last marks
	for _, m := range polls {
		if m.stored.IsZero() || m.stored.After(readable) {
			break
		}
		if last = m; m.decoded.After(sent) {
			break
		}
	}
	return last
}
