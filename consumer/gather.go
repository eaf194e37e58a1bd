package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pitchstream/schemas"
)

// batch is what is committed together: one poll, or several while much is waiting. Each poll goes to the store and to the
// view by itself, while the next one is decoded; letters, rows and offsets go in one transaction at the end, which commits
// everything that was polled. So whatever was polled is in the stores by then, or nothing is committed.
type batch struct {
	*session
	ctx     context.Context // ends with the processor: a shutdown lets the batch finish, within shutdownGrace
	work    context.Context // ends when a partition is revoked, too
	began   time.Time
	again   bool // the store may have taken it before
	letters []schemas.Letter
	rows    map[schemas.PitchID]schemas.Published // what stands of the pitches that were written
	moves   map[int32]schemas.PositionMove
	tallies map[int32]tally
	sum     BatchSummary
}

// poll is one poll on its way.
type poll struct {
	fetches kgo.Fetches
	moves   []schemas.PositionMove
	plan    Plan
	waiting int64 // records behind it
}

// A batch is committed after commitEvery: what a live pitch waits for is the stores, not the commit of the one before it.
// While at least gatherLag records wait, it is committed after gatherTime: a replay's transactions are large and cost less.
const (
	commitEvery   = 100 * time.Millisecond
	gatherLag     = 200
	gatherTime    = time.Second
	gatherRecords = 6000
	gatherLetters = 100 // they hold their records' bytes
)

// gather decodes one poll while the one before it is in the stores, and ends when the last one is there.
func (b *batch) gather(fetches kgo.Fetches) error {
	var storing chan error
	stored := func() (err error) {
		if storing != nil {
			err, storing = <-storing, nil
		}
		return err
	}
	for more := true; more; {
		p, err := b.read(fetches)
		if err := errors.Join(stored(), err); err != nil {
			return err
		}
		fetches = nil
		wait := b.wait(p)
		storing = make(chan error, 1)
		go func(done chan<- error) { done <- b.store(p) }(storing)
		if wait <= 0 {
			break
		}
		if fetches, err = b.pollMore(wait); err != nil {
			return errors.Join(stored(), err)
		}
		more = fetches.NumRecords() > 0
	}
	return stored()
}

// read runs the core on a poll.
func (b *batch) read(fetches kgo.Fetches) (*poll, error) {
	p := &poll{fetches: fetches}
	var err error
	if p.moves, err = b.session.moves(fetches); err != nil {
		return nil, err
	}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) > 0 {
			b.owned.waiting(f.Partition, f.Records[0].Timestamp)
			p.waiting += f.LastStableOffset - f.Records[len(f.Records)-1].Offset - 1
		}
	})
	p.plan = b.plan(fetches.Records())
	return p, b.commitStart(b.work, p.moves)
}

// wait is how long to wait for another poll; not positive: the batch is to be committed. It is asked before p is in the
// stores: what it counts is of the polls before.
func (b *batch) wait(p *poll) time.Duration {
	if b.ctx.Err() != nil || b.refilling(p.moves) || b.sum.Records+p.plan.counts.Records >= gatherRecords ||
		len(b.letters)+len(p.plan.Letters) >= gatherLetters {
		return 0
	}
	limit := b.cfg.CommitEvery
	if limit == 0 {
		limit = commitEvery
		if p.waiting >= gatherLag {
			limit = gatherTime
		}
	}
	return limit - b.cfg.Now().Sub(b.began)
}

// pollMore takes what comes within this time. Whatever it brings is to be stored, or the batch to be dropped: a commit is
// of everything that was polled.
func (b *batch) pollMore(wait time.Duration) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(b.work, wait)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)() // a shutdown waits for nothing more
	fetches := b.poll(ctx)
	if b.work.Err() != nil {
		return nil, context.Cause(b.work)
	}
	if fetches.IsClientClosed() {
		return nil, kgo.ErrClientClosed
	}
	return fetches, b.fetchErrors(fetches)
}

// store takes a poll to the store and the view, and keeps of it what is to be sent.
func (b *batch) store(p *poll) error {
	for i := range p.moves { // as it stands now, after the polls before this one
		if at, ok := b.owned.get(p.moves[i].Partition); ok {
			p.moves[i].Expected = at.stored
		}
	}
	outcome, failed, err := b.write(b.work, p.plan, p.moves)
	if err != nil {
		return err
	}
	b.owned.applied(p.moves)
	b.push(b.work, outcome, p.moves)
	p.fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) > 0 {
			b.owned.waiting(f.Partition, f.Records[len(f.Records)-1].Timestamp) // what waits behind it is younger
		}
		b.owned.lag(f.Partition, f.LastStableOffset)
	})
	if b.again || failed {
		b.view.Kick()
		b.again = false
	}
	b.keep(p, outcome)
	return nil
}

func (b *batch) keep(p *poll, outcome schemas.Outcome) {
	letters := append(p.plan.Letters, p.plan.Refused(outcome.Refused)...)
	b.letters = append(b.letters, letters...)
	b.tallies = b.owned.tallies(b.tallies, p.fetches, letters)
	for _, row := range outcome.Published {
		b.rows[row.PitchID] = row
	}
	for _, m := range p.moves {
		b.moves[m.Partition] = m
	}
	b.sum.add(p.plan.counts, outcome, letters)
}
