package consumer

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// batch is what is committed together: the polls of a while. Each is decoded while those before it are in the stores;
// letters, rows and offsets go in one transaction at the end, which commits everything that was polled. So whatever was
// polled is in the stores by then, or nothing is committed. The transaction may begin before: see ahead.
type batch struct {
	*session
	ahead *ahead          // nil: nothing was sent ahead
	ctx   context.Context // ends with the processor: a shutdown lets the batch finish, within shutdownGrace
	work  context.Context // ends when a partition is revoked, too
	began time.Time
	again bool // the store may have taken it before

	records, rejected int // that were read so far, and of these the core's rejections
	held              int // bytes of what was rejected

	// What is in the store: its goroutine's, until the line has ended, save what mu guards.
	letters []schemas.DeadLetter
	rows    map[schemas.PitchID]schemas.Published // what stands of the pitches that were written
	moves   map[int32]schemas.PositionMove
	late    map[int32]schemas.PositionMove // those of moves that the store has not made: see holdBack
	tallies map[int32]tally
	sum     BatchSummary

	mu     sync.Mutex
	unsent map[schemas.PitchID]schemas.Published // of rows
	stored int                                   // of the records that were read
}

// A batch is committed after commitEvery: what a live pitch waits for is the stores, and about one in a hundred waits for
// the commit of those before it. Where nothing comes for commitIdle, and fewer than gatherLag records wait, nobody waits
// for the commit: it is now.
const (
	commitEvery   = 2500 * time.Millisecond
	commitIdle    = 100 * time.Millisecond
	gatherLag     = 200
	gatherRecords = 20000
	gatherLetters = 100
	gatherHeld    = 8 << 20 // bytes of the records that letters hold
)

// gather reads poll after poll, with those before on their way through the stores, and ends when the last one is there.
func (b *batch) gather(fetches kgo.Fetches) error {
	line, polling := b.startLine()
	err := line.end(b.gatherInto(line, polling, fetches))
	if err != nil {
		_ = b.ahead.wait() // what it sent is aborted
	}
	return err
}

func (b *batch) gatherInto(line *line, polling context.Context, fetches kgo.Fetches) error {
	for fetches != nil {
		p, err := b.read(fetches)
		if err == nil {
			err = line.put(p)
		}
		if err != nil {
			return err
		}
		if fetches, err = b.next(polling, p); err != nil {
			return err
		}
	}
	return nil
}

// read runs the core on a poll, and lets go of its bytes.
func (b *batch) read(fetches kgo.Fetches) (*poll, error) {
	moves, err := b.session.moves(fetches)
	// guard: a partition that is filled again ends the batch of others
	if err == nil && b.records > 0 && b.refilling(moves) {
		err = errMixed
	}
	if err != nil {
		return nil, err
	}
	p := &poll{moves: moves}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if n := len(f.Records); n > 0 {
			// guard: api: lag is told while a batch waits
			b.owned.waiting(f.Partition, f.Records[0].Timestamp)
			p.reached = append(p.reached, reach{partition: f.Partition, next: f.Records[n-1].Offset + 1, last: f.Records[n-1].Timestamp, end: f.LastStableOffset})
			p.waiting += f.LastStableOffset - f.Records[n-1].Offset - 1
		}
	})
	records := fetches.Records()
	b.cfg.Observer.Polled(records)
	p.records = b.decode(records)
	for i := range p.records {
		if p.records[i].Rejection != nil {
			b.rejected++
			b.held += size(&p.records[i].Record)
		}
	}
	b.records += len(p.records)
	if !b.careful.Load() {
		letGo(p.records, records)
	}
	return p, b.commitStart(b.work, moves)
}

// next is another poll with records; nil when the batch is to be committed.
func (b *batch) next(polling context.Context, p *poll) (kgo.Fetches, error) {
	for !b.full(p) {
		wait := b.left()
		if wait <= 0 {
			// guard: who comes while rows are sent does not wait | b.goAhead() -> false, error(nil)
			if going, err := b.goAhead(); err != nil || !going {
				return nil, err
			}
			continue
		}
		idle := p.waiting < gatherLag && b.cfg.CommitEvery == 0 && wait > commitIdle
		if idle {
			wait = commitIdle
		}
		fetches, err := b.pollMore(polling, wait)
		if err != nil || fetches.NumRecords() > 0 {
			return fetches, err
		}
		if idle {
			return nil, nil
		}
	}
	return nil, nil
}

// left is how long the batch may go on; not positive: no longer.
func (b *batch) left() time.Duration {
	every, records := commitEvery, gatherRecords
	if b.cfg.CommitEvery != 0 {
		every = b.cfg.CommitEvery
	}
	if b.ahead != nil {
		if b.ahead.sent.Err() != nil {
			return 0
		}
		every, records = every+aheadTime, records+aheadRecords
	}
	if b.records >= records {
		return 0
	}
	return every - b.cfg.Now().Sub(b.began)
}

// full says that the batch is to be committed whatever may come.
func (b *batch) full(p *poll) bool {
	return b.ctx.Err() != nil || b.cfg.CommitEvery < 0 || b.refilling(p.moves) ||
		// guard: a batch is committed before its letters hold too much | b.held >= gatherHeld -> false
		b.rejected >= gatherLetters || b.held >= gatherHeld || b.careful.Load()
}

// pollMore takes what comes within this time. Whatever it brings is to be stored, or the batch to be dropped: a commit is
// of everything that was polled.
func (b *batch) pollMore(polling context.Context, wait time.Duration) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(polling, wait)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)() // a shutdown waits for nothing more
	if b.ahead != nil {
		defer context.AfterFunc(b.ahead.sent, cancel)() // nor does the commit
	}
	fetches := b.poll(ctx)
	if polling.Err() != nil {
		return nil, context.Cause(polling)
	}
	if fetches.IsClientClosed() {
		return nil, kgo.ErrClientClosed
	}
	return fetches, b.fetchErrors(fetches)
}

// keep takes what is to be sent of polls that are in the store.
func (b *batch) keep(polls []*poll, plan Plan, outcome schemas.Outcome, moves []schemas.PositionMove) {
	letters := append(plan.DeadLetters, plan.Refused(outcome.Refused)...)
	b.letters = append(b.letters, letters...)
	for _, p := range polls {
		b.tallies = b.owned.tallies(b.tallies, p.records, letters)
	}
	b.mu.Lock()
	for _, row := range outcome.Published {
		b.rows[row.PitchID], b.unsent[row.PitchID] = row, row
	}
	for _, p := range polls {
		b.stored += len(p.records)
	}
	b.mu.Unlock()
	for _, m := range moves {
		b.moves[m.Partition] = m
	}
	b.sum.add(plan.counts, outcome, letters)
}
