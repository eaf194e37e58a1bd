package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// observer reads the servers as applications do. It shares nothing with the processor, so that its results
// are evidence of what the processor did.
type observer struct {
	redis       *redissink.Reader
	postgres    *pgx.Conn // as the guest, who can only read
	kafka       *kadm.Client
	deadLetters *deadLetters
	settings    *processor.Options
	past        []sample // of the last rateSpan, the oldest first
}

// sample is a count at a time.
type sample struct {
	at    time.Time
	count int64
}

// rateSpan is the time over which the rate is computed.
const rateSpan = 5 * time.Second

// view is the state of the servers at one time.
type view struct {
	at          time.Time
	sent        simulate.Tally
	applied     int64   // records whose effect can be read from Redis
	rate        float64 // of applied, per second
	lag         int64   // records that were sent and are not applied yet
	rows        int64   // in Postgres
	deadLetters int64   // in their topic
	newest      string  // the message of the newest dead letter
	batters     []schemas.PlayerState
}

// openObserver connects to the servers. The caller must close o also after an error.
func openObserver(ctx context.Context, s *servers, settings *processor.Options) (o *observer, err error) {
	o = &observer{settings: settings}
	if o.redis, err = redissink.OpenReader(settings.Redis); err != nil {
		return o, err
	}
	if o.postgres, err = pgx.Connect(ctx, s.guestURL()+"?sslmode=disable"); err != nil {
		return o, err
	}
	client, err := kgo.NewClient(settings.Kafka...)
	if err != nil {
		return o, err
	}
	o.kafka = kadm.NewClient(client)
	o.deadLetters, err = openDeadLetters(settings)
	return o, err
}

func (o *observer) close() error {
	if o == nil {
		return nil
	}
	o.deadLetters.close()
	if o.kafka != nil {
		o.kafka.Close()
	}
	var errs []error
	if o.postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		errs = append(errs, o.postgres.Close(ctx))
	}
	if o.redis != nil {
		errs = append(errs, o.redis.Close())
	}
	return errors.Join(errs...)
}

// look reads the state of all servers. It also remembers a sample for the rate, so one goroutine calls it.
func (o *observer) look(ctx context.Context, ledger *ledger) (v view, err error) {
	v.at = time.Now()
	if v.applied, v.lag, err = o.progress(ctx); err != nil {
		return v, err
	}
	v.rate = o.rate(sample{v.at, v.applied})
	if v.batters, err = o.batters(ctx, ledger.batterIDs()); err != nil {
		return v, err
	}
	if err = o.postgres.QueryRow(ctx, "SELECT count(*) FROM pitches").Scan(&v.rows); err != nil {
		return v, fmt.Errorf("Postgres: %w", err)
	}
	v.deadLetters, v.newest = o.deadLetters.counted()
	v.sent, _ = ledger.counts()
	return v, nil
}

// rate returns how fast the count has grown within rateSpan, per second.
func (o *observer) rate(now sample) float64 {
	o.past = append(o.past, now)
	o.past = slices.DeleteFunc(o.past, func(s sample) bool { return now.at.Sub(s.at) > rateSpan })
	first := o.past[0]
	if span := now.at.Sub(first.at).Seconds(); span > 0.5 {
		return float64(now.count-first.count) / span
	}
	return 0
}

// progress returns how many records Redis has applied, and how many of those in Kafka it has not.
func (o *observer) progress(ctx context.Context) (applied, lag int64, err error) {
	// Redis first, because what it has applied is in Kafka, so that the lag is never negative.
	positions, err := o.redis.Applied(ctx)
	if err != nil {
		return 0, 0, err
	}
	ends, err := o.ends(ctx, o.settings.RawTopic)
	if err != nil {
		return 0, 0, err
	}
	ends.Each(func(end kadm.ListedOffset) {
		n := positions[fmt.Sprintf("%s/%d", end.Topic, end.Partition)]
		applied += n
		lag += end.Offset - n
	})
	return applied, lag, nil
}

func (o *observer) ends(ctx context.Context, topic string) (kadm.ListedOffsets, error) {
	ends, err := o.kafka.ListEndOffsets(ctx, topic)
	if err = cmp.Or(err, ends.Error()); err != nil {
		return nil, fmt.Errorf("Kafka: list the ends of %s: %w", topic, err)
	}
	return ends, nil
}

// batters returns the batters that Redis has, ordered by id.
func (o *observer) batters(ctx context.Context, ids []int64) ([]schemas.PlayerState, error) {
	keys := schemas.Map(ids, func(id int64) schemas.PlayerKey { return schemas.PlayerKey{PlayerID: id} })
	found, err := o.redis.States(ctx, keys)
	if err != nil {
		return nil, err
	}
	var batters []schemas.PlayerState
	for _, b := range found {
		if b != nil {
			batters = append(batters, *b)
		}
	}
	return batters, nil
}

// isCaughtUp reports whether every record in Kafka is applied and committed, and every dead letter counted.
func (o *observer) isCaughtUp(ctx context.Context) (bool, error) {
	if _, lag, err := o.progress(ctx); err != nil || lag > 0 {
		return false, err
	}
	raw, err := o.ends(ctx, o.settings.RawTopic)
	if err != nil {
		return false, err
	}
	committed, err := o.kafka.FetchOffsets(ctx, o.settings.Group)
	if err != nil {
		return false, fmt.Errorf("Kafka: read the offsets of %s: %w", o.settings.Group, err)
	}
	all := true
	raw.Each(func(end kadm.ListedOffset) {
		at, _ := committed.Lookup(end.Topic, end.Partition)
		all = all && at.At >= end.Offset
	})
	if !all {
		return false, nil
	}
	dead, err := o.ends(ctx, o.settings.DeadTopic)
	return err == nil && o.deadLetters.reached(dead), err
}

// deadLetters counts the dead letters from the beginning of their topic, in a goroutine of its own.
type deadLetters struct {
	client *kgo.Client
	done   chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex // guards the fields below
	count  int64
	newest string          // the message of the newest one
	next   map[int32]int64 // the next offset to read, by partition
}

func openDeadLetters(settings *processor.Options) (*deadLetters, error) {
	client, err := kgo.NewClient(append(slices.Clone(settings.Kafka),
		kgo.ConsumeTopics(settings.DeadTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // because the markers of transactions have offsets too, which next must pass
	)...)
	if err != nil {
		return nil, err
	}
	d := &deadLetters{client: client, done: make(chan struct{}), next: map[int32]int64{}}
	go func() {
		defer close(d.done)
		for fetches := client.PollFetches(context.Background()); !fetches.IsClientClosed(); {
			fetches.EachRecord(d.add)
			fetches = client.PollFetches(context.Background())
		}
	}()
	return d, nil
}

func (d *deadLetters) add(r *kgo.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next[r.Partition] = r.Offset + 1
	if r.Attrs.IsControl() {
		return
	}
	d.count++
	for _, h := range r.Headers {
		if h.Key == schemas.HeaderDLQMessage {
			d.newest = string(h.Value)
		}
	}
}

// counted returns the number of dead letters and the message of the newest one.
func (d *deadLetters) counted() (count int64, newest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count, d.newest
}

// reached reports whether every dead letter below these ends is counted.
func (d *deadLetters) reached(ends kadm.ListedOffsets) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := true
	ends.Each(func(end kadm.ListedOffset) { all = all && d.next[end.Partition] >= end.Offset })
	return all
}

func (d *deadLetters) close() {
	if d != nil {
		d.client.Close()
		<-d.done
	}
}
