package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/schemas"
)

// errLetGo says that the store refused a record whose bytes are gone. The batch is dropped and read again, and from then
// on the session keeps the bytes of what it reads until the store has answered.
var errLetGo = errors.New("the store refused a record whose bytes are not kept: it is read again")

// poll is one poll on its way: the records without the bytes of those that passed, unless the session is careful.
type poll struct {
	records []Decoded
	moves   []schemas.PositionMove
	reached []reach
	waiting int64 // records behind it
}

// reach is how far a poll got in a partition, and what is known of the rest.
type reach struct {
	partition int32
	next      int64
	last      time.Time // of the last record
	end       int64     // what may be read ends there
}

// line is the way of a batch's polls through the stores: one goroutine for the store of record, one for the view, each
// in the order of the polls. Polls that wait for the store go there together.
type line struct {
	b       *batch
	stages  *errgroup.Group
	polling context.Context // ends when a stage has failed
	polls   chan *poll
	shows   chan show
}

// show is what the view is to be given.
type show struct {
	snapshots []schemas.Snapshot
	moves     []schemas.PositionMove
	reached   []reach
	compare   bool // the store may have taken it twice
}

// pollsWaiting is how many polls may wait for the store.
const pollsWaiting = 16

func (b *batch) startLine() (*line, context.Context) {
	l := &line{b: b, polls: make(chan *poll, pollsWaiting), shows: make(chan show, 1)}
	l.stages, l.polling = errgroup.WithContext(b.work)
	l.stages.Go(func() error {
		defer close(l.shows)
		return l.storeAll()
	})
	l.stages.Go(func() error {
		for s := range l.shows {
			b.show(s)
		}
		return nil
	})
	return l, l.polling
}

// put gives a poll to the store; the error of a stage that has failed.
func (l *line) put(p *poll) error {
	select {
	case l.polls <- p:
		return nil
	case <-l.polling.Done():
		return context.Cause(l.polling)
	}
}

// end waits until everything that was put is where it belongs.
func (l *line) end(err error) error {
	close(l.polls)
	// guard: the batch ends only when every poll of it is in the stores | instead go func() { _ = l.stages.Wait() }(); return err
	return errors.Join(l.stages.Wait(), err)
}

func (l *line) storeAll() error {
	var next *poll
	for {
		if next == nil {
			if next = <-l.polls; next == nil {
				return nil
			}
		}
		var together []*poll
		together, next = l.take(next)
		s, err := l.b.store(together)
		if err != nil {
			return err
		}
		l.shows <- s
	}
}

// take adds what waits behind a poll, up to what one transaction is to hold; while much waits in the topic, it waits for
// half of that, since a batter costs the same whether he had one pitch in it or five. The one that is too much is the
// next one.
func (l *line) take(first *poll) (together []*poll, next *poll) {
	together = []*poll{first}
	most := l.b.cfg.PollMaxRecords
	for n, last := len(first.records), first; ; last = next {
		if last.waiting >= gatherLag && n < most/2 {
			next = <-l.polls
		} else {
			select {
			// guard: polls that wait for the store go together | l.polls -> (chan *poll)(nil)
			case next = <-l.polls:
			default:
				return together, nil
			}
		}
		if next == nil {
			return together, nil
		}
		// guard: polls go to the store together up to what one transaction is to hold
		if n += len(next.records); n > most {
			return together, next
		}
		together = append(together, next)
	}
}

// store takes polls to the store, in one transaction, and keeps of them what is to be sent.
func (b *batch) store(polls []*poll) (show, error) {
	var s show
	var records []Decoded
	for _, p := range polls {
		records = append(records, p.records...)
		s.reached = append(s.reached, p.reached...)
		s.moves = b.further(s.moves, p.moves)
	}
	plan := MakePlan(records)
	outcome, failed, err := b.write(b.work, plan, b.holdBack(s.moves))
	if err != nil {
		return show{}, err
	}
	// guard: a record that the store refuses is read again for its bytes
	if len(outcome.Refused) > 0 && !b.careful.Swap(true) {
		return show{}, errLetGo
	}
	b.owned.applied(s.moves)
	b.keep(polls, plan, outcome, s.moves)
	// guard: the view is compared after a batch that may have landed before | b.again || failed -> false
	s.snapshots, s.compare = outcome.Snapshots, b.again || failed
	b.again = false
	return s, nil
}

// further moves on, from where the positions stand now, after the polls before.
func (b *batch) further(moves, more []schemas.PositionMove) []schemas.PositionMove {
	for _, m := range more {
		if at, ok := b.owned.get(m.Partition); ok {
			// guard: a poll moves the position from where the one before it left it
			m.Expected = at.stored
		}
		if i := slices.IndexFunc(moves, func(o schemas.PositionMove) bool { return o.Partition == m.Partition }); i >= 0 {
			moves[i] = m
		} else {
			moves = append(moves, m)
		}
	}
	return moves
}

// show gives the view what the store answered.
func (b *batch) show(s show) {
	b.push(b.work, s.snapshots, s.moves)
	for _, r := range s.reached {
		b.owned.shown(r)
	}
	if s.compare {
		b.view.RequestSweep()
	}
}
