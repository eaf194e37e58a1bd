package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pierrec/lz4/v4"
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
	limit := int(p.cfg.DeadLetterMaxBytes)
	out := packer{client: client, limit: limit}
	for _, l := range deadLetters {
		if err := out.send(ctx, p.deadLetter(l, now, limit), failed.note); err != nil {
			return err
		}
	}
	err := cmp.Or(out.flush(ctx), failed.get())
	if isTooLarge(err) && limit > leastDeadLetterBytes {
		// The topic takes less than it said at the start. The next attempt sends smaller batches, and truncates
		// what is larger.
		// guard: bytes: a dead letter that its topic refuses is truncated
		p.cfg.DeadLetterMaxBytes /= 2
		p.cfg.Log.Warn("the dead-letter topic refuses a batch: dead letters above this limit are truncated now",
			"limit", p.cfg.DeadLetterMaxBytes)
	}
	if err == nil {
		err = cmp.Or(p.sendRows(ctx, owned, client, rows, failed.note), failed.get())
	}
	return err
}

// leastDeadLetterBytes holds the headers of a dead letter. Its limit does not become smaller.
const leastDeadLetterBytes = 4 << 10

// deadLetter returns a dead letter that fits into its topic, truncated if necessary.
func (p *publisher) deadLetter(l schemas.DeadLetter, now time.Time, limit int) *kgo.Record {
	r := p.encode.DeadLetter(l, now)
	// guard: bytes: a dead letter too large for its topic is truncated | !fits(r, limit) -> false
	for keep := limit / 4; keep > 0 && !fits(r, limit); keep /= 4 {
		r = p.encode.Truncated(l, now, keep)
	}
	return r
}

// fits reports whether the topic takes a record, packed if need be.
func fits(r *kgo.Record, limit int) bool {
	if sizeOf(r) <= limit {
		return true
	}
	left := budget(limit - recordOverhead)
	w := lz4.NewWriter(&left)
	for _, h := range r.Headers {
		_, _ = io.WriteString(w, h.Key)
		_, _ = w.Write(h.Value)
	}
	_, _ = w.Write(r.Key)
	_, err := w.Write(r.Value)
	return cmp.Or(err, w.Close()) == nil
}

// budget is how many bytes may still be written.
type budget int

// Write implements io.Writer.
func (b *budget) Write(p []byte) (int, error) {
	if *b -= budget(len(p)); *b < 0 {
		return 0, kerr.MessageTooLarge
	}
	return len(p), nil
}

func isTooLarge(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
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
	size := sizeOf(r)
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

// sizeOf returns the bytes of a batch with one record, unpacked.
func sizeOf(r *kgo.Record) int {
	size := len(r.Key) + len(r.Value) + recordOverhead
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 8
	}
	return size
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
