package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// producer sends records to one topic: idempotent, acknowledged by all replicas, packed with zstd, in order within each
// partition, with a bound on the bytes under way. One goroutine sends.
//
// Every record given to Send or Refuse has its acked called exactly once, in the order in which they were given, whatever
// the order in which the partitions answered; at the latest within Close. The calls come one at a time, from another
// goroutine, and must not call the producer.
type producer struct {
	o     producerOptions
	lanes [2]*kgo.Client // small records, large ones (nil until there is one)
	lane  int            // the one in use; the other has nothing under way
	room  *semaphore.Weighted
	pace  *rate.Limiter // nil: as fast as it goes
	acks  ackQueue
	limit int32 // the topic's max.message.bytes
	// trouble is why a broker could last not be reached: what a time-out is about.
	trouble atomic.Pointer[error]
}

// producerOptions say where to produce and how fast.
type producerOptions struct {
	// Client are the options that reach the brokers.
	Client []kgo.Opt
	Topic  string
	// MaxRecordBytes is the largest batch that is sent where the topic's own limit cannot be asked for.
	MaxRecordBytes int
	// MaxInFlightBytes bounds what was sent and is not acknowledged; Send waits. 0 means 32 MiB.
	MaxInFlightBytes int64
	// RecordsPerSecond slows Send down; 0 means as fast as it goes.
	RecordsPerSecond float64
}

const (
	defaultInFlightBytes = 32 << 20
	// smallBatchBytes is the largest batch of usual records, before compression: a replay holds whole batches, so they
	// stay small though the topic takes large records.
	smallBatchBytes = 1 << 20
	recordOverhead  = 128 // bytes of a batch and of a record's frame in it, at most
	// deliveryTimeout is how long a record waits for brokers that are away until it fails.
	deliveryTimeout = 2 * time.Minute
	reachTimeout    = 15 * time.Second
)

const (
	laneSmall = iota
	laneLarge
)

// errTooLarge is for Refuse: a record too large to be sent.
var errTooLarge = errors.New("larger than --max-record-bytes and 1 MiB")

// errTimeout is given to records that waited for deliveryTimeout.
var errTimeout = fmt.Errorf("not acknowledged within %v", deliveryTimeout)

// errNotSent is given to records that Close found neither acknowledged nor refused.
var errNotSent = errors.New("not acknowledged before the end")

// openProducer reaches the brokers and makes sure that the topic is there; nothing creates it here.
func openProducer(ctx context.Context, o producerOptions) (_ *producer, err error) {
	o.MaxInFlightBytes = cmp.Or(o.MaxInFlightBytes, defaultInFlightBytes)
	p := &producer{o: o, room: semaphore.NewWeighted(o.MaxInFlightBytes)}
	if o.RecordsPerSecond > 0 {
		p.pace = rate.NewLimiter(rate.Limit(o.RecordsPerSecond), max(1, int(o.RecordsPerSecond/10)))
	}
	if p.lanes[laneSmall], err = p.newClient(smallBatchBytes); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err = p.askTopic(ctx); err != nil {
		p.lanes[laneSmall].Close()
		return nil, err
	}
	return p, nil
}

func (p *producer) newClient(batchBytes int32) (*kgo.Client, error) {
	return kgo.NewClient(append(append([]kgo.Opt{}, p.o.Client...),
		kgo.DefaultProduceTopic(p.o.Topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return min(batchBytes, cmp.Or(p.limit, batchBytes)) }),
		kgo.MaxBufferedRecords(1<<30), // the bound is in bytes, and ours
		// A record given up after deliveryTimeout may yet land: a duplicate is harmless here, waiting for ever is not.
		// (kgo's own RecordDeliveryTimeout counts from the record's timestamp, which may be years old.)
		kgo.AllowIdempotentProduceCancellation(),
		kgo.WithHooks(p),
	)...)
}

// Send hands a record over; it waits for its turn (RecordsPerSecond) and for room (MaxInFlightBytes). The record and what
// it points to belong to the producer until acked is called, with nil or why it was not taken. Where Send itself fails,
// because ctx ended, acked is not called.
func (p *producer) Send(ctx context.Context, rec *kgo.Record, acked func(error)) error {
	if p.pace != nil {
		if err := p.pace.Wait(ctx); err != nil {
			return waited(ctx, err)
		}
	}
	size := recordBytes(rec)
	client, err := p.take(ctx, size)
	if err != nil {
		return err
	}
	room := min(size, p.o.MaxInFlightBytes)
	if err := p.room.Acquire(ctx, room); err != nil {
		return waited(ctx, err)
	}
	a := p.acks.push(func(err error) {
		p.room.Release(room)
		acked(err)
	})
	// Not ctx: what was handed over is finished, or given up by deliveryTimeout or Close.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryTimeout)
	client.Produce(ctx, rec, func(_ *kgo.Record, err error) {
		cancel()
		p.acks.settle(a, p.outcome(err))
	})
	return nil
}

// outcome is the answer to a record in words that say what to do.
func (p *producer) outcome(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return p.explain(errTimeout)
	case errors.Is(err, kgo.ErrClientClosed):
		return errNotSent
	case errors.Is(err, kerr.UnknownServerError):
		return fmt.Errorf("%w; its log says what it was: perhaps this broker is built without zstd, with which records are packed", err)
	}
	return err
}

// Refuse gives a record that cannot be sent its place in the order of acknowledgements.
func (p *producer) Refuse(err error, acked func(error)) {
	p.acks.settle(p.acks.push(acked), err)
}

// take is the client for a record of that size. Small and large records go through clients of their own, one after the
// other: nothing is under way when they change, so that the order is kept.
func (p *producer) take(ctx context.Context, size int64) (_ *kgo.Client, err error) {
	lane := laneSmall
	if size+recordOverhead > smallBatchBytes {
		lane = laneLarge
	}
	if lane != p.lane {
		if err := p.room.Acquire(ctx, p.o.MaxInFlightBytes); err != nil {
			return nil, waited(ctx, err)
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

func waited(ctx context.Context, err error) error { return cmp.Or(context.Cause(ctx), err) }

// Flush waits until all that was sent is acknowledged or refused.
func (p *producer) Flush(ctx context.Context) error {
	if err := p.lanes[p.lane].Flush(ctx); err != nil {
		return waited(ctx, err)
	}
	return nil
}

// Close gives up what is under way (Flush first to keep it) and lets go of the brokers.
func (p *producer) Close() {
	for _, client := range p.lanes {
		if client != nil {
			client.Close()
		}
	}
	p.acks.settleAll(errNotSent)
}

// OnBrokerConnect keeps why a broker could not be reached. (kgo.HookBrokerConnect)
func (p *producer) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		p.trouble.Store(&err)
	} else {
		p.trouble.Store(nil)
	}
}

// explain adds to an error why a broker could last not be reached, where it does not say so itself.
func (p *producer) explain(err error) error {
	trouble := p.trouble.Load()
	if err == nil || trouble == nil || isRefusal(err) || strings.Contains(err.Error(), (*trouble).Error()) {
		return err
	}
	return fmt.Errorf("%w (%w)", err, *trouble)
}

// isRefusal is whether Kafka will never take this record, as against an error that is nothing about the record.
func isRefusal(err error) bool {
	return errors.Is(err, errTooLarge) || errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) ||
		errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.InvalidTimestamp)
}
