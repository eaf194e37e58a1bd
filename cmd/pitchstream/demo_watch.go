package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// demoWatch looks at the servers from outside, as applications do. It knows nothing of the processor, so that what it
// finds says something about it.
type demoWatch struct {
	redis    *redissink.Reader
	postgres *pgx.Conn // as the guest, who can only read
	kafka    *kadm.Client
	letters  *demoLetters
	run      *runCmd
	past     []demoSample // of the last demoRateSpan, the oldest first
}

// demoSample is a count at a time.
type demoSample struct {
	at    time.Time
	count int64
}

// demoRateSpan is how far back the rate looks.
const demoRateSpan = 5 * time.Second

// demoView is one look.
type demoView struct {
	at       time.Time
	sent     simulate.Tally
	expected demoExpected
	applied  int64   // records whose effect can be read from Redis
	rate     float64 // of applied, per second
	lag      int64   // records that were sent and are not applied yet
	rows     int64   // in Postgres
	letters  int64   // in the dead-letter topic
	letter   string  // the newest
	batters  []schemas.BatterState
}

func openDemoWatch(ctx context.Context, s *demoServers, run *runCmd) (w *demoWatch, err error) {
	w = &demoWatch{run: run}
	if w.redis, err = redissink.OpenReader(redissink.Config{URL: s.redisURL(), Prefix: run.Redis.Prefix}); err != nil {
		return w, err
	}
	if w.postgres, err = pgx.Connect(ctx, s.guestURL()+"?sslmode=disable"); err != nil {
		return w, err
	}
	client, err := connect(run.Kafka)
	if err != nil {
		return w, err
	}
	w.kafka = kadm.NewClient(client)
	w.letters, err = openDemoLetters(s.kafkaAddr(), run.Topics.TopicDead)
	return w, err
}

func (w *demoWatch) close() error {
	if w == nil {
		return nil
	}
	w.letters.close()
	if w.kafka != nil {
		w.kafka.Close()
	}
	var errs []error
	if w.postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		errs = append(errs, w.postgres.Close(ctx))
	}
	if w.redis != nil {
		errs = append(errs, w.redis.Close())
	}
	return errors.Join(errs...)
}

func (w *demoWatch) look(ctx context.Context, ledger *demoLedger) (v demoView, err error) {
	v.at = time.Now()
	if v.applied, v.lag, err = w.progress(ctx); err != nil {
		return v, err
	}
	v.rate = w.rate(demoSample{v.at, v.applied})
	if v.batters, err = w.batters(ctx, ledger.batterIDs()); err != nil {
		return v, err
	}
	if err = w.postgres.QueryRow(ctx, "SELECT count(*) FROM pitches").Scan(&v.rows); err != nil {
		return v, fmt.Errorf("Postgres: %w", err)
	}
	v.letters, v.letter = w.letters.counted()
	v.sent, v.expected = ledger.counts()
	return v, nil
}

// rate is how fast the count has grown of late, per second.
func (w *demoWatch) rate(now demoSample) float64 {
	w.past = append(w.past, now)
	w.past = slices.DeleteFunc(w.past, func(s demoSample) bool { return now.at.Sub(s.at) > demoRateSpan })
	first := w.past[0]
	if span := now.at.Sub(first.at).Seconds(); span > 0.5 {
		return float64(now.count-first.count) / span
	}
	return 0
}

// progress is how many records Redis has, and how many of those in Kafka it has not.
func (w *demoWatch) progress(ctx context.Context) (applied, lag int64, err error) {
	// First what Redis has: it never is ahead of what Kafka has later.
	positions, err := w.redis.Applied(ctx)
	if err != nil {
		return 0, 0, err
	}
	ends, err := w.ends(ctx, w.run.Topics.TopicRaw)
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

func (w *demoWatch) ends(ctx context.Context, topic string) (kadm.ListedOffsets, error) {
	ends, err := w.kafka.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("Kafka: the ends of %s: %w", topic, err)
	}
	return ends, nil
}

// batters are those that stand in Redis, in the order of ids.
func (w *demoWatch) batters(ctx context.Context, ids []int64) ([]schemas.BatterState, error) {
	keys := make([]schemas.BatterKey, len(ids))
	for i, id := range ids {
		keys[i].BatterID = id
	}
	found, err := w.redis.States(ctx, keys)
	if err != nil {
		return nil, err
	}
	views := make([]schemas.BatterState, 0, len(found))
	for _, b := range slices.DeleteFunc(found, func(b *schemas.BatterState) bool { return b == nil }) {
		views = append(views, *b)
	}
	return views, nil
}

// through says that the effect of all that is in Kafka can be read, letters too.
func (w *demoWatch) through(ctx context.Context) (bool, error) {
	if _, lag, err := w.progress(ctx); err != nil || lag > 0 {
		return false, err
	}
	raw, err := w.ends(ctx, w.run.Topics.TopicRaw)
	if err != nil {
		return false, err
	}
	committed, err := w.kafka.FetchOffsets(ctx, w.run.Kafka.Group)
	if err != nil {
		return false, fmt.Errorf("Kafka: the offsets of %s: %w", w.run.Kafka.Group, err)
	}
	all := true
	raw.Each(func(end kadm.ListedOffset) {
		at, _ := committed.Lookup(end.Topic, end.Partition)
		all = all && at.At >= end.Offset
	})
	if !all {
		return false, nil
	}
	dead, err := w.ends(ctx, w.run.Topics.TopicDead)
	return err == nil && w.letters.reached(dead), err
}
