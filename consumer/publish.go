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
	trace  *tracer // nil: off

	longest time.Duration // of the comparisons of the last sendRows; negative: it had no rows to compare
}

// notCompared is in place of the time of a comparison where there was none.
const notCompared = time.Duration(-1)

// send sends the dead letters and, if all were taken, the rows. It waits for the brokers and returns the
// first failure, after which the caller must abort the transaction.
//
// There are two contexts. ctx bounds the waiting for the brokers. owned ends earlier, with the batch (a
// revoke, a shutdown): then the store is not asked any more, and send returns an error.
//
// Only one send may run at a time, because it may lower cfg.DeadLetterMaxBytes without a lock. So a commit
// waits for the early produce first.
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
		// The broker refused a dead letter below the limit that the topic had when the processor started. The
		// next attempt sends smaller batches, and truncates what is larger. cfg is the processor's, so the
		// lower limit stays until it restarts.
		// guard: bytes: a dead letter that its topic refuses is truncated
		p.cfg.DeadLetterMaxBytes /= 2
		p.cfg.Log.Warn("the dead-letter topic refuses a batch: dead letters above this limit are truncated now",
			"limit", p.cfg.DeadLetterMaxBytes)
	}
	if err == nil {
		err = p.sendRows(ctx, owned, client, rows, failed.note)
		err = cmp.Or(failed.get(), err)
	}
	return err
}

// leastDeadLetterBytes is enough for the headers of a dead letter. A limit at or below it is not halved
// again.
const leastDeadLetterBytes = 4 << 10

// deadLetter returns the record of a dead letter, truncated until it fits into limit bytes. If only its
// headers are left and it is still too large, it is returned all the same, and the broker refuses it.
func (p *publisher) deadLetter(l schemas.DeadLetter, now time.Time, limit int) *kgo.Record {
	r := p.encode.DeadLetter(l, now)
	// guard: bytes: a dead letter too large for its topic is truncated | !fits(r, limit) -> false
	for keep := limit / 4; keep > 0 && !fits(r, limit); keep /= 4 {
		r = p.encode.Truncated(l, now, keep)
	}
	return r
}

// fits reports whether the record, or else its lz4 compression, is at most limit bytes. The producers of this
// package compress with lz4.
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

// budget is an io.Writer that keeps nothing, and fails once more than so many bytes were written.
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

// sendRows sends rows, asks the store which of these pitches have changed since, and sends those, until none
// has. Two processors can write one pitch, when it moved to another game or the feed named its batter, and
// the one that wrote first may send last. It sees the other's write, because it asks the store only after its
// own records are in the topic. So the question must stay after the flush, and before a commit if there is
// one.
//
// onSent gets each record's failure, from the client's goroutine. sendRows returns only failures of the flush
// and of the store, so the caller must check both. It returns errEarlyTooLong when the store did not answer
// in time.
func (p *publisher) sendRows(
	ctx, owned context.Context, client *kgo.Client, rows []schemas.Published, onSent func(*kgo.Record, error),
) error {
	p.longest = notCompared
	for len(rows) > 0 {
		sent := 0
		out := packer{client: client, limit: int(p.cfg.RowMaxBytes)}
		for _, row := range rows {
			if r := p.encode.Row(row); r != nil {
				if err := out.send(ctx, r, onSent); err != nil {
					return err
				}
				sent++
			}
		}
		if err := out.flush(ctx); err != nil {
			return err
		}
		if sent == 0 {
			return nil // nil for every row: this processor has no rows topic
		}
		var err error
		if rows, err = p.changed(owned, rows); err != nil {
			return err
		}
		p.trace.send(rows)
	}
	return nil
}

// changed asks the store which of these pitches have changed since, for compareLimit at most, because the
// transaction with their rows is open. Then it returns errEarlyTooLong. The time of the flush before it does
// not count, because it is Kafka's: an abort for it would send the same rows as slowly again.
func (p *publisher) changed(owned context.Context, rows []schemas.Published) ([]schemas.Published, error) {
	// guard: an unavailable store holds no transaction open at the commit | p.compareLimit() -> time.Hour
	asking, stop := context.WithTimeoutCause(owned, p.compareLimit(), errEarlyTooLong)
	defer stop()
	began := p.cfg.Now()
	defer func() { p.longest = max(p.longest, p.cfg.Now().Sub(began)) }()
	return retry(asking, p.cfg, "postgres", func() ([]schemas.Published, error) {
		// guard: what was published and changed since is published again | instead _, err := p.store.Changed(asking, rows); return nil, err
		op := p.trace.begin("compare")
		changed, err := p.store.Changed(asking, rows)
		p.trace.compared(op, changed, err)
		return changed, err
	})
}

// compareLimit returns how long the store may compare rows. A batch that cannot be smaller has twice the
// time, because another one could not be committed either. That is still less than transactionTimeout.
func (p *publisher) compareLimit() time.Duration {
	// guard: one record whose rows are compared slowly has more time | p.cfg.commitSize.limit() <= 1 -> false
	if p.cfg.commitSize.limit() <= 1 {
		return 2 * earlyLimit
	}
	return earlyLimit
}

// tooSlow has the next batches be smaller, after one of n records whose rows the store did not compare in
// time. The log says so once.
func (p *publisher) tooSlow(n int) {
	wasShrunk := p.cfg.commitSize.isShrunk()
	if canShrink := p.cfg.commitSize.shrink(n); !canShrink {
		// guard: a batch of one record has more time, also where the limit is larger
		p.cfg.commitSize.current.Store(1)
	}
	p.cfg.Observer.Condition("postgres", false, errEarlyTooLong.Error())
	if !wasShrunk {
		p.cfg.Log.Warn("the store did not compare the rows of a commit in time: going on with smaller batches",
			"records", n, "next", p.cfg.commitSize.limit(), "timeout", earlyLimit)
	}
}

// packer sends records so that no batch of them is larger, uncompressed, than its topic accepts. A larger
// record goes alone: compressed it may fit, as it did in the raw topic.
type packer struct {
	client  *kgo.Client
	limit   int // bytes
	pending int // bytes produced since the last flush, over all partitions; so no partition's batch is larger
}

// recordOverhead is what a record and its share of a batch cost beside key, value and headers, in bytes.
const recordOverhead = 128

// send queues r. It first waits for the records before it if they would not fit into one batch with it. Its
// error is that of ctx; done gets r's failure.
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

// sizeOf returns an upper bound of a record's uncompressed bytes, with its share of the batch.
func sizeOf(r *kgo.Record) int {
	size := len(r.Key) + len(r.Value) + recordOverhead
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 8 // 8: the two lengths of a header, at most
	}
	return size
}

// flush waits until every queued record was taken or refused.
func (p *packer) flush(ctx context.Context) error {
	p.pending = 0
	return p.client.Flush(ctx)
}

// firstError keeps the first failure of records.
type firstError struct {
	mu  sync.Mutex
	err error // guarded by mu
}

// note is the promise of kgo.Client.Produce: it is called once for each record, without an error too, from
// the client's goroutines.
func (f *firstError) note(r *kgo.Record, err error) {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		err = fmt.Errorf("topic %s does not exist: run `pitchstream topics`: %w", r.Topic, err)
	case errors.Is(err, kerr.MessageTooLarge):
		err = fmt.Errorf("topic %s refuses a record of %d bytes: raise its max.message.bytes: %w",
			r.Topic, len(r.Value), err)
	}
	f.keep(err)
}

// keep keeps err if it is the first one that is not nil.
func (f *firstError) keep(err error) {
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
