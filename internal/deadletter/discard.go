package deadletter

import (
	"context"

	"github.com/pitchstream/pitchstream/schemas"
)

// Open counts the letters that a filter takes and that are open: what a discard would be about.
func (d *Desk) Open(ctx context.Context, f Filter) (int64, error) {
	r, err := d.Survey(ctx, Question{Filter: f})
	return r.Open + r.Foreign, err
}

// Discard writes down of the open letters that a filter takes that nobody wants them, and why. Letters stay where they
// are: a retry with Again takes one back.
func (d *Desk) Discard(ctx context.Context, f Filter, reason string) (discarded int64, err error) {
	unlock, err := d.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if _, err := d.resume(ctx); err != nil {
		return 0, err
	}
	b, err := d.survey(ctx, Question{Filter: f})
	if err != nil {
		return 0, err
	}
	b.close()
	var batch []schemas.DeadLetterDecision
	write := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := d.o.Store.DecideDeadLetters(ctx, batch)
		discarded += int64(len(batch))
		batch = batch[:0]
		return err
	}
	err = d.Each(ctx, f, func(l *Letter) (bool, error) {
		if b.takeOpen(l) {
			batch = append(batch, d.decision(l.ID, schemas.DeadLetterDiscarded, reason))
		}
		if len(batch) < defaultBatch {
			return true, nil
		}
		return true, write()
	})
	if err == nil {
		err = write()
	}
	return discarded, err
}

// takeOpen says whether a letter waits for a decision, once.
func (b *book) takeOpen(l *Letter) bool {
	k := keyOf(l.ID)
	e, ok := b.entries[k]
	if !ok || e.status != StatusOpen && e.status != StatusForeign {
		return false
	}
	e.status = StatusDiscarded
	b.entries[k] = e
	return true
}
