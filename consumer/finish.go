package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pitchstream/schemas"
)

// finish produces the letters and the rows and commits the offsets, all or nothing. committed is false when a rebalance
// came in between: everything was aborted, and the batch is read again by whoever owns it then.
func (s *session) finish(ctx context.Context, letters []schemas.Letter, published []schemas.Published) (committed bool, err error) {
	if err := s.kafka.Begin(); err != nil {
		return false, fmt.Errorf("kafka: begin: %w", err)
	}
	failed := s.produce(ctx, letters, published)
	began := s.cfg.Now()
	committed, err = s.kafka.End(ctx, kgo.TransactionEndTry(failed == nil))
	s.step("commit", began)
	if err != nil {
		return false, fmt.Errorf("kafka: commit: %w", err)
	}
	if failed != nil {
		return false, fmt.Errorf("kafka: produce: %w", failed)
	}
	return committed, nil
}

// produce sends and waits; the first failure is returned.
func (s *session) produce(ctx context.Context, letters []schemas.Letter, published []schemas.Published) error {
	defer s.step("produce", s.cfg.Now())
	var mu sync.Mutex
	var failed error
	done := func(r *kgo.Record, err error) {
		if err == nil {
			return
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			err = fmt.Errorf("topic %s does not exist: run `pitchstream topics`: %w", r.Topic, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if failed == nil {
			failed = err
		}
	}
	now := s.cfg.Now()
	for _, l := range letters {
		s.send(ctx, s.encode.Letter(l, now), done)
	}
	for _, p := range published {
		s.send(ctx, s.encode.Row(p), done)
	}
	if err := s.kafka.Client().Flush(ctx); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

func (s *session) send(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	if r != nil {
		s.kafka.Produce(ctx, r, done)
	}
}

// refilling says that this poll only fills the store again, below what the group has committed: nothing is sent, and
// nothing is committed.
func (s *session) refilling(moves []schemas.PositionMove) bool {
	for _, m := range moves {
		if p, ok := s.owned.get(m.Partition); ok && m.NextOffset < p.floor {
			return true
		}
	}
	return false
}

// unsent leaves out the letters of records that were read before: theirs were sent with the offsets that are committed.
func (s *session) unsent(letters []schemas.Letter) []schemas.Letter {
	var out []schemas.Letter
	for _, l := range letters {
		if p, ok := s.owned.get(l.Record.Partition); ok && l.Record.Offset < p.floor {
			continue
		}
		out = append(out, l)
	}
	return out
}

func onCommit(failed *error) func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {
	return func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			*failed = err
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if e := kerr.ErrorForCode(p.ErrorCode); e != nil {
					*failed = fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, e)
				}
			}
		}
	}
}
