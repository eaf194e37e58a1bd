package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// publisher sends dead letters and rows to their topics.
type publisher struct {
	cfg    *Config
	store  Store
	encode Encoder
}

// send sends both and waits for the brokers; it returns the first failure. owned ends when the batch was
// revoked: then the store is not asked any more, while records in flight still have until ctx ends.
func (p *publisher) send(
	ctx, owned context.Context, client *kgo.Client, deadLetters []schemas.DeadLetter, rows []schemas.Published,
) error {
	defer p.cfg.observeStep("produce", p.cfg.Now())
	var failed firstError
	now := p.cfg.Now()
	out := packer{client: client, limit: int(p.cfg.DeadLetterMaxBytes)}
	for _, l := range deadLetters {
		if r := p.encode.DeadLetter(l, now); r != nil {
			if err := out.send(ctx, r, failed.note); err != nil {
				return err
			}
		}
	}
	if err := out.flush(ctx); err != nil {
		return err
	}
	if err := p.sendRows(ctx, owned, client, rows, failed.note); err != nil {
		return err
	}
	return failed.get()
}

// sendRows sends rows until the last record of each pitch in the topic is its current row. Two processors can
// write one pitch, when it moved to another game or the feed named its batter, and the one that wrote first
// may send last. So each compares its rows with the store after they are in the topic, and before its commit:
// the later one sees everything.
func (p *publisher) sendRows(
	ctx, owned context.Context, client *kgo.Client, rows []schemas.Published, done func(*kgo.Record, error),
) error {
	for len(rows) > 0 {
		sent := 0
		out := packer{client: client, limit: int(p.cfg.RowMaxBytes)}
		for _, row := range rows {
			if r := p.encode.Row(row); r != nil {
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
			return nil // no rows are published
		}
		var err error
		rows, err = retry(owned, p.cfg, "postgres", func() ([]schemas.Published, error) {
			attempt, cancel := context.WithTimeoutCause(owned, storeTimeout, errNoAnswer)
			defer cancel()
			// guard: what was published and changed since is published again | instead _, err := p.store.Changed(attempt, rows); return nil, err
			return p.store.Changed(attempt, rows)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// packer sends records so that no batch of them is larger, uncompressed, than its topic accepts. A larger
// record goes alone: compressed it may fit, as it did in the raw topic.
type packer struct {
	client  *kgo.Client
	limit   int // bytes
	pending int // bytes since the last flush
}

// recordOverhead is what a record and its share of a batch cost beside key, value and headers, in bytes.
const recordOverhead = 128

func (p *packer) send(ctx context.Context, r *kgo.Record, done func(*kgo.Record, error)) error {
	size := len(r.Key) + len(r.Value) + recordOverhead
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 8
	}
	// guard: batches of dead letters fit into their topic
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

// firstError keeps the first failure of the records that are produced.
type firstError struct {
	mu  sync.Mutex
	err error // guarded by mu
}

func (f *firstError) note(r *kgo.Record, err error) {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		err = fmt.Errorf("topic %s does not exist: run `pitchstream topics`: %w", r.Topic, err)
	case errors.Is(err, kerr.MessageTooLarge):
		err = fmt.Errorf("topic %s refuses a record of %d bytes: raise its max.message.bytes: %w",
			r.Topic, len(r.Value), err)
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
