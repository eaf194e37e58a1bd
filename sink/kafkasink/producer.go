package kafkasink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// Producer sends records to one topic. It is idempotent, waits for all in-sync replicas, packs with zstd,
// keeps the order within each partition, and bounds the bytes in flight. One goroutine sends.
//
// Every record given to Send or Refuse has its acked called exactly once, at the latest within Close. The
// calls come in the order in which the records were given, whatever the order in which the partitions
// answered. They come one at a time, from another goroutine, and must not call the Producer.
type Producer struct {
	o     ProducerOptions
	lanes [2]*kgo.Client // small records, large ones (nil until there is one); the sending goroutine owns it
	lane  int            // the index in lanes that is in use; the other client has nothing in flight
	room  *semaphore.Weighted
	pace  *rate.Limiter // nil: no limit
	acks  ackQueue
	limit int32 // the topic's max.message.bytes, as an upper bound for batches
	// replacesTimes reports that the topic replaces the timestamps of records by the times of their arrival.
	replacesTimes bool
	keeps         time.Duration // for how long the topic keeps records; 0: for ever, or not known
	// trouble is why the last connection to a broker failed, nil after one that succeeded. A time-out quotes it.
	trouble atomic.Pointer[error]
}

// ProducerOptions say where to produce and how fast.
type ProducerOptions struct {
	// Client are the options that reach the brokers.
	Client []kgo.Opt
	Topic  string
	// MaxRecordBytes bounds a batch if the topic's own limit cannot be read.
	MaxRecordBytes int
	// MaxInFlightBytes bounds what was sent and is not acknowledged; Send waits. 0 means 32 MiB.
	MaxInFlightBytes int64
	// RecordsPerSecond limits Send; 0 means no limit.
	RecordsPerSecond float64
}

const (
	defaultInFlightBytes = 32 << 20
	// smallBatchBytes bounds a batch of ordinary records, before compression. They stay small although the topic
	// takes large records, because a replay holds whole batches in memory.
	smallBatchBytes = 1 << 20
	maxBatchBytes   = 96 << 20 // a request has at most 100 MiB
	recordOverhead  = 128      // upper bound in bytes for a batch header and a record's frame
	// deliveryTimeout is how long a record waits for unavailable brokers before it fails.
	deliveryTimeout = 2 * time.Minute
	reachTimeout    = 15 * time.Second
)

const (
	laneSmall = iota
	laneLarge
)

var (
	// ErrTooLarge is an error for Refuse: the caller has not even read the whole record, because it is too
	// large.
	ErrTooLarge = errors.New("larger than the largest record that is sent")
	// ErrNotSent is given to records that Close found neither acknowledged nor refused.
	ErrNotSent = errors.New("not acknowledged before the end")
	// errTimeout is given to records that waited for deliveryTimeout.
	errTimeout = fmt.Errorf("not acknowledged within %v", deliveryTimeout)
)

// OpenProducer connects to the brokers and checks that the topic exists. It creates none. The caller must
// call Close.
func OpenProducer(ctx context.Context, o ProducerOptions) (_ *Producer, err error) {
	o.MaxInFlightBytes = cmp.Or(o.MaxInFlightBytes, defaultInFlightBytes)
	p := &Producer{o: o, room: semaphore.NewWeighted(o.MaxInFlightBytes)}
	if o.RecordsPerSecond > 0 {
		p.pace = rate.NewLimiter(rate.Limit(o.RecordsPerSecond), max(1, int(o.RecordsPerSecond/10)))
	}
	if p.lanes[laneSmall], err = p.newClient(smallBatchBytes); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err = p.checkTopic(ctx); err != nil {
		p.lanes[laneSmall].Close()
		return nil, err
	}
	return p, nil
}

func (p *Producer) newClient(batchBytes int32) (*kgo.Client, error) {
	return kgo.NewClient(append(append([]kgo.Opt{}, p.o.Client...),
		kgo.DefaultProduceTopic(p.o.Topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return min(batchBytes, cmp.Or(p.limit, batchBytes)) }),
		kgo.MaxBufferedRecords(1<<30), // room bounds the bytes instead
		// A record that failed after deliveryTimeout may still arrive. That is accepted, because a duplicate is
		// harmless here and waiting for ever is not. kgo.RecordDeliveryTimeout does not help: it counts from the
		// record's timestamp, which may be years old.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.WithHooks(p),
	)...)
}

// checkTopic fails if the brokers cannot be reached or the topic does not exist. It reads how large a batch
// may be.
func (p *Producer) checkTopic(ctx context.Context) error {
	client := p.lanes[laneSmall]
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("Kafka cannot be reached: %w", p.explain(err))
	}
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, p.o.Topic)
	err = cmp.Or(err, topics.Error())
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("the topic %s does not exist: run: pitchstream topics", p.o.Topic)
	}
	if err != nil {
		return fmt.Errorf("the topic %s: %w", p.o.Topic, p.explain(err))
	}
	settings, _ := topicSettings(ctx, admin, p.o.Topic) // not every user may read them
	has := settings[timestampType]
	p.replacesTimes = has != "" && has != createTime
	p.keeps = retention(settings)
	limit, err := batchLimit(p.o.Topic, settings)
	if err != nil || limit < 512 { // not a limit that can be meant
		limit = int32(p.o.MaxRecordBytes)
	}
	p.limit = min(limit, maxBatchBytes)
	return nil
}

// Send gives a record to the brokers. It waits for its turn (RecordsPerSecond) and for room
// (MaxInFlightBytes). The Producer owns the record and what it points to until it calls acked, with nil or
// with the reason why the record was not taken. If Send itself fails, because ctx ended, or because the topic
// would replace the record's timestamp or delete the record for its age, acked is not called.
func (p *Producer) Send(ctx context.Context, rec *kgo.Record, acked func(error)) error {
	// guard: load: a topic that replaces timestamps is refused
	if p.replacesTimes && !rec.Timestamp.IsZero() {
		return fmt.Errorf("the topic %s replaces the times of records by those of their arrival, so that old "+
			"pitches win over newer ones: run: %s", p.o.Topic, alterCommand(p.o.Topic, timestampType+"="+createTime))
	}
	// guard: load: what the topic would delete for its age is not sent
	if err := tooOld(p.o.Topic, p.keeps, rec.Timestamp); err != nil {
		return err
	}
	if p.pace != nil {
		if err := p.pace.Wait(ctx); err != nil {
			return causeOf(ctx, err)
		}
	}
	size := recordBytes(rec)
	client, err := p.clientFor(ctx, size)
	if err != nil {
		return err
	}
	room := min(size, p.o.MaxInFlightBytes)
	if err := p.room.Acquire(ctx, room); err != nil {
		return causeOf(ctx, err)
	}
	a := p.acks.push(func(err error) {
		p.room.Release(room)
		acked(err)
	})
	// Without cancel, because a record that was handed over is finished, or given up by deliveryTimeout or
	// Close.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryTimeout)
	client.Produce(ctx, rec, func(_ *kgo.Record, err error) {
		cancel()
		p.acks.settle(a, p.outcome(err))
	})
	return nil
}

// outcome rewrites the answer to a record so that it says what to do.
func (p *Producer) outcome(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return p.explain(errTimeout)
	case errors.Is(err, kgo.ErrClientClosed):
		return ErrNotSent
	case errors.Is(err, kerr.UnknownServerError):
		return fmt.Errorf("%w; see the broker's log: perhaps it is built without zstd, which packs the records",
			err)
	}
	return err
}

// Refuse gives a record that cannot be sent its place in the order of acknowledgements.
func (p *Producer) Refuse(err error, acked func(error)) { p.acks.settle(p.acks.push(acked), err) }

// clientFor returns the client for a record of that size. Small and large records have a client each. Nothing
// is in flight when a record takes another client than the record before it, because otherwise they could
// change places.
func (p *Producer) clientFor(ctx context.Context, size int64) (_ *kgo.Client, err error) {
	lane := laneSmall
	if size+recordOverhead > smallBatchBytes {
		lane = laneLarge
	}
	if lane != p.lane {
		if err := p.room.Acquire(ctx, p.o.MaxInFlightBytes); err != nil {
			return nil, causeOf(ctx, err)
		}
		p.room.Release(p.o.MaxInFlightBytes)
		p.lane = lane
	}
	if p.lanes[lane] == nil {
		p.lanes[lane], err = p.newClient(p.limit)
	}
	return p.lanes[lane], err
}

func recordBytes(rec *kgo.Record) int64 {
	n := len(rec.Key) + len(rec.Value)
	for _, h := range rec.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return int64(n)
}

// causeOf prefers the cause of a cancelled context over the error of what was cancelled.
func causeOf(ctx context.Context, err error) error { return cmp.Or(context.Cause(ctx), err) }

// Flush waits until every record that was sent is acknowledged or refused.
func (p *Producer) Flush(ctx context.Context) error {
	if err := p.lanes[p.lane].Flush(ctx); err != nil {
		return causeOf(ctx, err)
	}
	return nil
}

// Close gives up the records in flight, with ErrNotSent, and disconnects. Call Flush before it to keep them.
func (p *Producer) Close() {
	for _, client := range p.lanes {
		if client != nil {
			client.Close()
		}
	}
	p.acks.settleAll(ErrNotSent)
}

// OnBrokerConnect implements kgo.HookBrokerConnect. It notes why a broker could not be reached.
func (p *Producer) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil {
		p.trouble.Store(nil)
		return
	}
	p.trouble.Store(&err)
}

// explain adds to err why the last connection to a broker failed, unless err says so already.
func (p *Producer) explain(err error) error {
	trouble := p.trouble.Load()
	if trouble == nil || IsRefusal(err) || strings.Contains(err.Error(), (*trouble).Error()) {
		return err
	}
	return fmt.Errorf("%w (%w)", err, *trouble)
}

// IsRefusal reports whether Kafka will never take the record that err is about. Any other error says nothing
// about the record, which may be sent again.
func IsRefusal(err error) bool {
	return slices.ContainsFunc([]error{
		ErrTooLarge, kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp,
	}, func(refusal error) bool { return errors.Is(err, refusal) })
}

// ackQueue turns answers that come in any order into calls in the order of push.
type ackQueue struct {
	mu      sync.Mutex
	waiting []*ack // guarded by mu; waiting[0] is not settled
}

type ack struct {
	acked   func(error)
	settled bool
	err     error
}

func (q *ackQueue) push(acked func(error)) *ack {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := &ack{acked: acked}
	q.waiting = append(q.waiting, a)
	return a
}

// settle notes the answer to a, of several the first, and makes the calls that are due.
func (q *ackQueue) settle(a *ack, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !a.settled {
		a.settled, a.err = true, err
	}
	for len(q.waiting) > 0 && q.waiting[0].settled {
		due := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		due.acked(due.err)
	}
}

// settleAll gives err to every record that has no answer yet.
func (q *ackQueue) settleAll(err error) {
	q.mu.Lock()
	rest := append([]*ack(nil), q.waiting...)
	q.mu.Unlock()
	for _, a := range rest {
		q.settle(a, err)
	}
}
