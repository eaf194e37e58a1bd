package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// starter decides where newly assigned partitions are read from. The Kafka client calls it before it fetches
// anything of them, in a goroutine of its own.
type starter struct {
	cfg        *Config
	store      Store
	partitions *partitions
	replay     *replayReader // nil in a live session
	wake       func()        // called when a partition was assigned that must be refilled
	joined     chan struct{} // closed when partitions.client is set: the client may ask before newSession has it
}

// startOffsets returns the smaller of the committed offset and the stored position of each partition; without
// a committed offset the position; without either the first record. It waits for the store, because a
// partition whose position is unknown must not be read.
func (s *starter) startOffsets(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (
	map[string]map[int32]kgo.Offset, error,
) {
	select {
	case <-s.joined:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	committed := fetched[s.cfg.Topic]
	if len(committed) == 0 {
		return fetched, nil
	}
	ids := slices.Sorted(maps.Keys(committed))
	found, err := retry(ctx, s.cfg, "postgres", func() ([]*partition, error) {
		return s.locate(ctx, ids, committed)
	})
	if err != nil {
		return nil, err
	}
	mustRefill := false
	for i, id := range ids {
		committed[id] = kgo.NewOffset().At(found[i].next)
		mustRefill = mustRefill || found[i].isBehind()
	}
	s.partitions.assign(ids, found)
	if mustRefill {
		s.wake()
	}
	return fetched, nil
}

// locate asks Kafka for the bounds of the partitions, and the store for its positions.
func (s *starter) locate(
	ctx context.Context, ids []int32, committed map[int32]kgo.Offset,
) ([]*partition, error) {
	admin := kadm.NewClient(s.partitions.client)
	bounds, err := kafkaread.Bounds(ctx, admin, s.cfg.Topic, kgo.ReadUncommitted())
	if err != nil {
		return nil, err
	}
	start := make([]schemas.Position, len(ids))
	for i, id := range ids {
		first := s.replay.start(id, bounds[id].From)
		start[i] = schemas.Position{Topic: s.cfg.Topic, Partition: id, NextOffset: first}
	}
	stored, err := s.store.EnsurePositions(ctx, start)
	if err != nil {
		return nil, err
	}
	offsets, err := admin.FetchOffsets(ctx, s.cfg.Group)
	if err != nil {
		return nil, fmt.Errorf("kafka: offsets of group %s: %w", s.cfg.Group, err)
	}
	found := make([]*partition, len(ids))
	for i, id := range ids {
		found[i] = place(committed[id].EpochOffset().Offset, stored[i].NextOffset)
		if found[i].next < bounds[id].To {
			found[i].waits = s.cfg.Now()
		}
		if at, ok := offsets.Lookup(s.cfg.Topic, id); ok && at.At == found[i].committed {
			// guard: the breaker's count outlives a crash
			found[i].tally = parseTally(at.Metadata)
		}
		if err := s.checkGap(ctx, id, found[i], start[i].NextOffset, bounds[id].To); err != nil {
			return nil, err
		}
	}
	s.cfg.Observer.Condition("gap", true, "")
	return found, nil
}

// place is the rule of where to read from. A negative committed offset means that there is none.
func place(committed, stored int64) *partition {
	if committed < 0 {
		return &partition{next: stored, stored: stored, floor: stored, uncommitted: true, committed: -1}
	}
	// guard: reading starts at the offset when the position is ahead | min(committed, stored) -> stored
	// guard: reading starts at the smaller of offset and position | min(committed, stored) -> committed
	// guard: no dead letter is sent again below what was committed | floor: committed -> floor: min(committed, stored)
	return &partition{next: min(committed, stored), stored: stored, floor: committed, committed: committed}
}

// checkGap refuses to jump over records that the topic no longer holds, unless a person accepted that.
func (s *starter) checkGap(ctx context.Context, id int32, p *partition, first, end int64) error {
	// guard: a gap is not jumped over | always
	if first <= p.next && p.next <= end {
		return nil
	}
	gap := fmt.Sprintf("%s/%d: the next record to apply is offset %d, but the topic holds %d to %d",
		s.cfg.Topic, id, p.next, first, end-1)
	if !s.cfg.AcceptGap {
		gap += ": what is missing is lost to this group; run with --accept-gap to go on from there"
		s.cfg.Observer.Condition("gap", false, gap)
		return errors.New(gap)
	}
	s.cfg.Log.Warn("accepting a gap", "gap", gap, "going_on_at", first)
	position := schemas.Position{Topic: s.cfg.Topic, Partition: id, NextOffset: first}
	if err := s.store.SetPosition(ctx, position); err != nil {
		return err
	}
	*p = partition{next: first, stored: first, floor: first, uncommitted: true, committed: -1}
	return nil
}

// commitStart commits the start of each partition that has no offset yet, before the store moves. Otherwise a
// crash after the first write would leave only the position, and the dead letters of that batch would be
// lost.
func (s *starter) commitStart(ctx context.Context, reached []reach) error {
	start := map[int32]kgo.EpochOffset{}
	for _, r := range reached {
		// guard: the start is committed before the first write
		if p, ok := s.partitions.get(r.partition); ok && p.uncommitted {
			start[r.partition] = kgo.EpochOffset{Epoch: -1, Offset: p.next}
		}
	}
	if len(start) == 0 {
		return nil
	}
	if err := commitOffsets(ctx, s.partitions.client, s.cfg.Topic, start); err != nil {
		return fmt.Errorf("committing the start: %w", err)
	}
	s.partitions.started(start)
	return nil
}

// commitOffsets commits offsets outside of a transaction.
func commitOffsets(
	ctx context.Context, client *kgo.Client, topic string, at map[int32]kgo.EpochOffset,
) (failed error) {
	done := func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			failed = err
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if e := kerr.ErrorForCode(p.ErrorCode); e != nil {
					failed = fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, e)
				}
			}
		}
	}
	client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{topic: at}, done)
	return failed
}
