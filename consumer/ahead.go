package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// ahead is a transaction that takes the rows of a batch while polls still go on: whoever comes meanwhile does not wait
// for them, and for the end there is left what the last polls brought. Letters wait for the end, where the breaker judges
// the batch as a whole.
type ahead struct {
	sent  context.Context // ends when the rows are in their topic, or could not be sent
	err   error           // of sending; to be read when sent has ended
	limit *time.Timer
}

// While rows are sent ahead, the batch grows by so much at most. A store that does not take the last of it within aheadLimit may be
// away for hours, in which no transaction is to hold back its readers.
const (
	aheadTime    = time.Second
	aheadRecords = 5000
	aheadLimit   = transactionTimeout / 3
)

var errAheadTooLong = fmt.Errorf("rows were sent, and the store did not take the rest of the batch within %v: it is read again", aheadLimit)

// errTripped says that the breaker tripped by the last polls of a batch whose rows were sent ahead. No transaction is left
// open for as long as it takes a person to come: the batch is read again, and held before anything of it is sent.
var errTripped = errors.New("the breaker tripped while rows were sent: they are read again")

// goAhead begins the transaction with what is in the store; false when it has begun before, when there is nothing to send, when
// the store is too slow for it, or the batch is to be judged first.
func (b *batch) goAhead() (bool, error) {
	// guard: a slow store is not waited for with rows sent | b.backlog() > aheadTime -> false
	if b.ahead != nil || b.whole || b.backlog() > aheadTime {
		return false, nil
	}
	rows := b.unsentRows()
	if len(rows) == 0 {
		return false, nil
	}
	if err := b.beginTransaction(); err != nil {
		return false, err
	}
	sent, done := context.WithCancel(context.Background())
	// guard: a store that is away leaves nothing open | b.giveUp(errAheadTooLong) ->
	b.ahead = &ahead{sent: sent, limit: time.AfterFunc(aheadLimit, func() { b.giveUp(errAheadTooLong) })}
	go func() {
		defer done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.work), transactionTimeout)
		defer cancel()
		b.ahead.err = b.produce(ctx, b.work, nil, rows)
	}()
	return true, nil
}

// wait returns when nothing is being sent ahead any more, and the batch is in the store or given up.
func (a *ahead) wait() error {
	if a == nil {
		return nil
	}
	a.limit.Stop()
	<-a.sent.Done()
	return a.err
}

// backlog is how long the store will take for what was read, if it goes on as it has.
func (b *batch) backlog() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cfg.Now().Sub(b.began) * time.Duration(b.records-b.stored) / time.Duration(max(b.stored, 1))
}

// unsentRows are those that were stored since it was last asked, in the order of their pitches.
func (b *batch) unsentRows() []schemas.Published {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows := inOrder(b.unsent)
	clear(b.unsent)
	return rows
}
