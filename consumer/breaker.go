package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/schemas"
)

// BreakerLimits say how much may be rejected before the processor holds and asks a person: a topic in the wrong format
// should not be drained into the dead letters. The zero value is the defaults.
type BreakerLimits struct {
	InARow    int           // rejected records one after another; 0: 1,000; negative: no limit
	Share     float64       // of the records within Window, more than 0 to 1; 0: 0.5; negative: no limit
	Window    time.Duration // 0: 5 minutes
	WindowMin int           // records in Window before Share counts; 0: 200
}

func (l BreakerLimits) withDefaults() BreakerLimits {
	if l.InARow == 0 {
		l.InARow = 1000
	}
	if l.Share == 0 {
		l.Share = 0.5
	}
	if l.Window <= 0 {
		l.Window = 5 * time.Minute
	}
	if l.WindowMin <= 0 {
		l.WindowMin = 200
	}
	return l
}

// tally is what a partition's records were lately. It is committed with the offset, as its metadata: so it is exact after
// a crash, and a processor that dies again and again does not send a thousand letters each time.
type tally struct {
	InARow int64    `json:"rejected_in_a_row"`
	Lately []minute `json:"lately,omitempty"` // oldest first, one a minute in which records came
	// Pardoned is written at a shutdown while the processor holds: whoever restarts it wants it to go on, so the next
	// batch passes whatever it holds.
	Pardoned bool  `json:"pardoned,omitempty"`
	peak     int64 // the longest row of the batch that was counted last
}

// minute is one minute of Unix time.
type minute struct {
	Minute   int64 `json:"minute"`
	Records  int64 `json:"records"`
	Rejected int64 `json:"rejected"`
}

// parseTally reads an offset's metadata; what somebody else wrote there, or nothing, is an empty tally.
func parseTally(metadata string) (t tally) {
	if json.Unmarshal([]byte(metadata), &t) != nil {
		return tally{}
	}
	return t
}

func (t tally) metadata() *string {
	text, _ := json.Marshal(t) // of plain numbers
	s := string(text)
	return &s
}

// after is the tally once the records at these offsets have passed, of which some were rejected. It leaves t as it is.
func (t tally) after(now time.Time, window time.Duration, offsets []int64, rejected map[int64]bool) tally {
	next := tally{InARow: t.InARow, Pardoned: t.Pardoned}
	oldest := now.Add(-window).Unix() / 60
	for _, m := range t.Lately {
		if m.Minute > oldest {
			next.Lately = append(next.Lately, m)
		}
	}
	last := len(next.Lately) - 1
	if this := now.Unix() / 60; last < 0 || next.Lately[last].Minute != this {
		next.Lately = append(next.Lately, minute{Minute: this})
		last++
	}
	for _, offset := range offsets {
		next.Lately[last].Records++
		if rejected[offset] {
			next.Lately[last].Rejected++
			next.InARow++
			next.peak = max(next.peak, next.InARow)
		} else {
			next.InARow = 0
		}
	}
	return next
}

// judge says why these tallies are too much to go on with; "" when they are not.
func (l BreakerLimits) judge(now time.Time, tallies map[int32]tally) string {
	var row, records, rejected int64
	oldest := now.Add(-l.Window).Unix() / 60
	for _, t := range tallies {
		if t.Pardoned {
			continue
		}
		row += max(t.InARow, t.peak)
		for _, m := range t.Lately {
			if m.Minute > oldest {
				records, rejected = records+m.Records, rejected+m.Rejected
			}
		}
	}
	switch {
	case l.InARow > 0 && row >= int64(l.InARow):
		return fmt.Sprintf("%d records in a row were rejected", row)
	case l.Share > 0 && records >= int64(l.WindowMin) && float64(rejected) >= l.Share*float64(records):
		return fmt.Sprintf("%d of the last %d records were rejected within %v", rejected, records, l.Window)
	}
	return ""
}

// spent uses pardons up: what passed with one is not counted.
func spent(tallies map[int32]tally) map[int32]tally {
	for id, t := range tallies {
		if t.Pardoned {
			tallies[id] = tally{}
		}
	}
	return tallies
}

// cleared forgets what was rejected, of all of these partitions.
func cleared(tallies map[int32]tally) map[int32]tally {
	empty := make(map[int32]tally, len(tallies))
	for id := range tallies {
		empty[id] = tally{}
	}
	return empty
}

// breaker holds a processor until a person says that it may go on.
type breaker struct {
	mu   sync.Mutex
	goOn chan struct{} // nil while nothing is held
}

func (b *breaker) open() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.goOn == nil {
		b.goOn = make(chan struct{})
	}
	return b.goOn
}

func (b *breaker) close() (wasOpen bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.goOn == nil {
		return false
	}
	close(b.goOn)
	b.goOn = nil
	return true
}

// ResetBreaker lets a processor that is held because of too many rejected records go on, counting from zero. It returns
// false when nothing is held.
func (p *Processor) ResetBreaker() bool { return p.breaker.close() }

var errHeld = errors.New("shutting down with too many records rejected: the next start goes on with them")

// hold waits, with the batch neither sent nor committed, until a person lets it go on, the batch is not ours any more, or
// a shutdown. A shutdown is somebody's will too: the next start may go on. A crash is not.
func (s *session) hold(ctx, work context.Context, why string, letters []schemas.DeadLetter) error {
	goOn := s.breaker.open()
	reason := why + ", as " + sample(letters) + "; nothing is committed until POST /breaker/reset at the admin address, or a restart"
	s.cfg.Observer.Condition("breaker", false, reason)
	s.cfg.Log.Error("too many records are rejected: holding", "reason", reason)
	defer func() {
		s.breaker.close()
		s.cfg.Observer.Condition("breaker", true, "")
	}()
	select {
	case <-goOn:
		s.cfg.Log.Info("going on: the breaker was reset")
		return nil
	case <-ctx.Done():
		if err := s.forgive(work); err != nil {
			return err
		}
		return errHeld
	case <-work.Done():
		return context.Cause(work)
	}
}

const sampleLetters = 3

// sample names the first of the letters.
func sample(letters []schemas.DeadLetter) string {
	var words []string
	for _, l := range letters[:min(sampleLetters, len(letters))] {
		words = append(words, fmt.Sprintf("%s/%d offset %d: %.200s (%s)", l.Record.Topic, l.Record.Partition, l.Record.Offset, l.Message, l.Code))
	}
	return strings.Join(words, "; ")
}

// forgive commits the same offsets again, with tallies that let the next batch pass.
func (s *session) forgive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout/3)
	defer cancel()
	// guard: a restart goes on | s.owned.committedOffsets() -> map[int32]kgo.EpochOffset{}
	at := s.owned.committedOffsets()
	if len(at) == 0 {
		return nil
	}
	var failed error
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for _, t := range req.Topics {
			for i := range t.Partitions {
				t.Partitions[i].Metadata = tally{Pardoned: true}.metadata()
			}
		}
		return nil
	})
	s.kafka.Client().CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{s.cfg.Topic: at}, onCommit(&failed))
	return failed
}

// withTallies gives the offsets that a transaction commits their tallies; none goes beyond its bound, if it has one.
func withTallies(ctx context.Context, tallies map[int32]tally, bounds map[int32]int64) context.Context {
	return kgo.PreTxnCommitFnContext(ctx, func(req *kmsg.TxnOffsetCommitRequest) error {
		for _, t := range req.Topics {
			for i := range t.Partitions {
				p := &t.Partitions[i]
				p.Metadata = tallies[p.Partition].metadata()
				if bound, ok := bounds[p.Partition]; ok {
					// guard: replay: no offset is committed beyond what is stored
					p.Offset = min(p.Offset, bound)
				}
			}
		}
		return nil
	})
}
