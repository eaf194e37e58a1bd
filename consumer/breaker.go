package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// BreakerLimits are how many rejected records make the processor hold until a person decides: a topic in the
// wrong format should not be drained into the dead letters. They count over all partitions of a processor.
// The zero value means the defaults.
type BreakerLimits struct {
	InARow    int           // rejected records one after another in a partition; 0: 1,000; negative: no limit
	Share     float64       // of the records within Window, more than 0 to 1; 0: 0.5; negative: no limit
	Window    time.Duration // 0: 5 minutes
	WindowMin int           // records in Window before Share counts; 0: 200
}

func (l BreakerLimits) withDefaults() BreakerLimits {
	l.InARow, l.Share = cmp.Or(l.InARow, 1000), cmp.Or(l.Share, 0.5)
	setDefault(&l.Window, 5*time.Minute)
	setDefault(&l.WindowMin, 200)
	return l
}

// judge returns why so much was rejected that the processor must hold; "" when it may go on. The rows of
// rejected records that the partitions have are added up. A partition counts with the longest one of the
// batch (peak), because that may have ended before the batch did.
func (l BreakerLimits) judge(now time.Time, tallies map[int32]tally) string {
	var inARow, records, rejected int64
	tooOld := now.Add(-l.Window).Unix() / 60 // in minutes, as m.Minute
	for _, t := range tallies {
		if t.Pardoned {
			continue
		}
		inARow += max(t.InARow, t.peak)
		for _, m := range t.Lately {
			if m.Minute > tooOld {
				records, rejected = records+m.Records, rejected+m.Rejected
			}
		}
	}
	switch {
	case l.InARow > 0 && inARow >= int64(l.InARow):
		return fmt.Sprintf("%d records in a row were rejected", inARow)
	case l.Share > 0 && records >= int64(l.WindowMin) && float64(rejected) >= l.Share*float64(records):
		return fmt.Sprintf("%d of the last %d records were rejected within %v", rejected, records, l.Window)
	}
	return ""
}

// breaker holds a processor from trip to reset.
type breaker struct {
	mu   sync.Mutex
	goOn chan struct{} // guarded by mu; closed by reset; nil while nothing is held
}

// trip returns a channel that reset closes.
func (b *breaker) trip() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.goOn == nil {
		b.goOn = make(chan struct{})
	}
	return b.goOn
}

// reset reports whether the breaker had tripped.
func (b *breaker) reset() (hadTripped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.goOn == nil {
		return false
	}
	close(b.goOn)
	b.goOn = nil
	return true
}

// ResetBreaker lets a processor go on that holds because of rejected records, counting from zero:
// pipeline.decide clears the tallies. It returns false when nothing is held.
func (p *Processor) ResetBreaker() bool { return p.breaker.reset() }

var errHeld = errors.New("shutting down with too many records rejected: the next start goes on with them")

// hold waits, with the batch neither sent nor committed, for a reset, a revoke or a shutdown. ctx ends when a
// shutdown begins; work lasts for shutdownGrace longer, and ends at a revoke.
//
// A shutdown counts as a person's decision, like a reset: it pardons the batch, so that the next start goes
// on. After a crash the next start holds again.
func (s *session) hold(ctx, work context.Context, why string, deadLetters []schemas.DeadLetter) error {
	goOn := s.breaker.trip()
	reason := why + ", as " + sample(deadLetters) +
		"; nothing is committed until POST /breaker/reset at the admin address, or a restart"
	s.cfg.Observer.Condition("breaker", false, reason)
	s.cfg.Log.Error("too many records are rejected: holding", "reason", reason)
	defer func() {
		s.breaker.reset()
		s.cfg.Observer.Condition("breaker", true, "")
	}()
	select {
	case <-goOn:
		s.cfg.Log.Info("the breaker was reset: going on")
		return nil
	case <-ctx.Done():
		if err := s.pardon(work); err != nil {
			return err
		}
		return errHeld
	case <-work.Done():
		return context.Cause(work)
	}
}

const sampleSize = 3

// sample describes the first of the dead letters.
func sample(deadLetters []schemas.DeadLetter) string {
	var words []string
	for _, l := range deadLetters[:min(sampleSize, len(deadLetters))] {
		at := l.Record.Coordinates
		words = append(words, fmt.Sprintf("%s/%d offset %d: %.200s (%s)",
			at.Topic, at.Partition, at.Offset, l.Message, l.Code))
	}
	return strings.Join(words, "; ")
}

// pardon commits the committed offsets once more, with tallies that let the next batch pass. The tallies are
// metadata of offsets, so a partition without a committed offset cannot be pardoned.
func (s *session) pardon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout/3)
	defer cancel()
	at := map[int32]kgo.EpochOffset{}
	pardoned := map[int32]tally{}
	// The client knows under which epoch of the log each offset was committed, partitions do not. Another
	// epoch later shows that the log was cut back.
	fromClient := s.kafka.Client().CommittedOffsets()[s.cfg.Topic]
	for id, p := range collect(s.partitions, func(p *partition) partition { return *p }) {
		// guard: a restart goes on
		if p.committed >= 0 {
			at[id] = kgo.EpochOffset{Epoch: -1, Offset: p.committed}
			// guard: a pardon keeps the epoch of the offset, which shows that a log was cut back | fromClient[id].Offset == p.committed -> false
			if fromClient[id].Offset == p.committed {
				at[id] = fromClient[id]
			}
		}
		t := p.tally.cleared()
		t.Pardoned = true
		pardoned[id] = t
	}
	if len(at) == 0 {
		return nil
	}
	return s.starter.commit(ctx, at, pardoned)
}
