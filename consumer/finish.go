package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/schemas"
)

// finish produces the letters and the rows and commits the offsets, all or nothing, if what was sent ahead has not
// failed. committed is false when a rebalance came in between: everything was aborted, and the batch is read again by
// whoever owns it then.
func (s *session) finish(ctx context.Context, failed error, letters []schemas.DeadLetter, published []schemas.Published) (committed bool, err error) {
	if err := s.beginTransaction(); err != nil {
		return false, err
	}
	// From here a revoke does not cut anything short: a transaction that is not ended holds back every reader until it
	// times out, and ending it after a revoke is aborting it.
	// guard: a revoke leaves no transaction open | context.WithoutCancel(ctx) -> ctx
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*transactionTimeout)
	defer cancel()
	if failed == nil {
		failed = s.produce(whole, ctx, letters, published)
	}
	began := s.cfg.Now()
	committed, err = s.end(whole, kgo.TransactionEndTry(failed == nil && ctx.Err() == nil))
	s.step("commit", began)
	if err != nil {
		return false, fmt.Errorf("kafka: commit: %w", err)
	}
	if failed != nil && ctx.Err() == nil {
		return false, fmt.Errorf("kafka: produce: %w", failed)
	}
	return committed, nil
}

// beginTransaction begins one, if none is open. Nothing may be polled meanwhile.
func (s *session) beginTransaction() error {
	if s.open {
		return nil
	}
	if err := s.kafka.Begin(); err != nil {
		return fmt.Errorf("kafka: begin: %w", err)
	}
	s.open = true
	return nil
}

// end ends a transaction; one that has seen a revoke is aborted.
func (s *session) end(ctx context.Context, how kgo.TransactionEndTry) (committed bool, err error) {
	s.revoked.Store(false) // before: one that comes meanwhile may or may not have been seen
	s.open = false
	committed, err = s.kafka.End(ctx, how)
	// guard: replay: what was dropped has not been read to its end | s.settle(committed) -> s.settle(true)
	s.settle(committed)
	return committed, err
}

// abort goes back to what is committed, and has the client forget that it saw a revoke.
func (s *session) abort(ctx context.Context) error {
	if err := s.beginTransaction(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTimeout)
	defer cancel()
	if _, err := s.end(ctx, kgo.TryAbort); err != nil {
		return fmt.Errorf("kafka: abort: %w", err)
	}
	return nil
}

// produce sends and waits; the first failure is returned. The store is asked only as long as the batch is ours.
func (s *session) produce(ctx, ours context.Context, letters []schemas.DeadLetter, published []schemas.Published) error {
	defer s.step("produce", s.cfg.Now())
	var failed firstError
	now := s.cfg.Now()
	out := packer{client: s.kafka.Client(), limit: int(s.cfg.DeadLetterMaxBytes)}
	for _, l := range letters {
		if r := s.encode.DeadLetter(l, now); r != nil {
			if err := out.send(ctx, r, failed.note); err != nil {
				return err
			}
		}
	}
	if err := out.flush(ctx); err != nil {
		return err
	}
	if err := s.publish(ctx, ours, s.kafka.Client(), published, failed.note); err != nil {
		return err
	}
	return failed.get()
}

// publish sends rows until what stands last in the topic is what stands in the store. Two processors can write one pitch
// (it moved to another game, the feed named its batter): the one whose write came first may be the one that sends last.
// So each looks again after its records are in the topic: who is last sees everything. The commit waits for it.
func (s *session) publish(ctx, ours context.Context, client *kgo.Client, rows []schemas.Published, done func(*kgo.Record, error)) error {
	for len(rows) > 0 {
		sent := 0
		out := packer{client: client, limit: int(s.cfg.RowMaxBytes)}
		for _, p := range rows {
			if r := s.encode.Row(p); r != nil {
				if err := out.send(ctx, r, done); err != nil {
					return err
				}
				sent++
			}
		}
		if err := out.flush(ctx); err != nil {
			return err
		}
		if sent == 0 {
			return nil
		}
		var err error
		rows, err = retry(ours, s.Processor, "postgres", func() ([]schemas.Published, error) {
			attempt, cancel := context.WithTimeoutCause(ours, storeTimeout, errNoAnswer)
			defer cancel()
			// guard: what was published and changed since is published again | instead _, err := s.store.Changed(attempt, rows); return nil, err
			return s.store.Changed(attempt, rows)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// packer sends records so that no batch of them is larger, uncompressed, than its topic takes. A record that is larger
// by itself goes alone: packed it may fit, as it did in the raw topic.
type packer struct {
	client  *kgo.Client
	limit   int
	pending int
}

// recordOverhead is what a record and its share of a batch cost beside key, value and headers.
const recordOverhead = 128

func (p *packer) send(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error)) error {
	size := len(r.Key) + len(r.Value) + recordOverhead
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 8
	}
	// guard: letters fit into their topic, together
	if p.pending > 0 && p.pending+size > p.limit {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	p.pending += size
	p.client.Produce(ctx, r, done)
	return nil
}

func (p *packer) flush(ctx context.Context) error {
	p.pending = 0
	return p.client.Flush(ctx)
}

// firstError keeps the first failure of what is produced.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) note(r *kgo.Record, err error) {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		err = fmt.Errorf("topic %s does not exist: run `pitchstream topics`: %w", r.Topic, err)
	case errors.Is(err, kerr.MessageTooLarge):
		err = fmt.Errorf("topic %s does not take a record of %d bytes: raise its max.message.bytes: %w", r.Topic, len(r.Value), err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
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
