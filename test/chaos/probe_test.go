package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// probes send a pitch to each partition and wait until everything shows it: so a recovery is measured from
// the outside. Each partition has a batter of its own, who has one pitch more with every probe.
type probes struct {
	c    *cluster
	sent int
}

// probed is who hits the probes of a partition.
func probed(partition int32) int64 { return 980_000 + int64(partition) }

// pass sends a probe to every partition. It returns when each was processed, its offset committed, and
// when Redis counts it; or the error of ctx.
func (p *probes) pass(ctx context.Context) error {
	var records []*kgo.Record
	for i := range int32(partitions) {
		records = append(records, probe(p.c.stack.Raw(), i))
	}
	if err := p.c.stack.Client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	p.sent++
	if err := p.committed(ctx, records); err != nil {
		return err
	}
	return p.counted(ctx)
}

func probe(topic string, partition int32) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: partition, Key: fmt.Appendf(nil, "probe-%d", partition),
		Value: fmt.Appendf(nil, `{"summary_acts":{"pitch":{"eventId":"%s","result":"HitIntoPlay"},"hit":{"speed":{"mph":91.5}}}}`,
			uuid.NewString())}
	for _, h := range [][2]string{{"batter_id", fmt.Sprint(probed(partition))}, {"revision", "1"}, {"event_time", "2024-09-28T22:04:37.926Z"}} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return r
}

// committed waits until the group has committed these records.
func (p *probes) committed(ctx context.Context, records []*kgo.Record) error {
	return poll(ctx, "commit", func(ctx context.Context) error {
		offsets, err := p.c.stack.Admin.FetchOffsets(ctx, p.c.stack.Name)
		if err != nil {
			return err
		}
		for _, r := range records {
			at, ok := offsets.Lookup(r.Topic, r.Partition)
			if !ok || at.Err != nil || at.At <= r.Offset {
				return fmt.Errorf("partition %d is at %d, not behind %d", r.Partition, at.At, r.Offset)
			}
		}
		return nil
	})
}

// counted waits until Redis counts all probes.
func (p *probes) counted(ctx context.Context) error {
	r, err := redissink.OpenReader(redissink.Config{URL: p.c.redisURL, Prefix: p.c.stack.Name + ":"})
	if err != nil {
		return err
	}
	defer r.Close()
	var keys []schemas.PlayerKey
	for i := range int32(partitions) {
		keys = append(keys, schemas.PlayerKey{Side: schemas.Batter, PlayerID: probed(i)})
	}
	return poll(ctx, "Redis", func(ctx context.Context) error {
		states, err := r.States(ctx, keys)
		if err != nil {
			return err
		}
		for i, s := range states {
			if s == nil || s.Stats.Pitches < int64(p.sent) {
				return fmt.Errorf("batter %d has not the %d pitches that were sent", keys[i].PlayerID, p.sent)
			}
		}
		return nil
	})
}

// poll asks until there is no error, and returns the last one when ctx ends.
func poll(ctx context.Context, what string, ask func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, shortly)
		err := ask(asking)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}
