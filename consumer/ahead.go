package consumer

import (
	"context"
	"errors"
	"time"

	"pitchstream/schemas"
)

// ahead is a transaction that takes the rows of a batch while polls still go on: whoever comes meanwhile does not wait
// for them, and for the end there is left what the last polls brought. Letters wait for the end, where the breaker judges
// the batch as a whole.
type ahead struct {
	sent context.Context // ends when the rows are in their topic, or could not be sent
	err  error           // of sending; to be read when sent has ended
}

// While rows are sent ahead, the batch grows by so much at most.
const (
	aheadTime    = time.Second
	aheadRecords = 5000
)

// errTripped says that the breaker tripped by the last polls of a batch whose rows were sent ahead. No transaction is left
// open for as long as it takes a person to come: the batch is read again, and held before anything of it is sent.
var errTripped = errors.New("the breaker tripped while rows were sent: they are read again")

// goAhead begins the transaction with what is in the store; false when it has begun before, when there is nothing to send, or
// it is to be judged first.
func (b *batch) goAhead() (bool, error) {
	if b.ahead != nil || b.whole {
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
	b.ahead = &ahead{sent: sent}
	go func() {
		defer done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.work), transactionTimeout)
		defer cancel()
		b.ahead.err = b.produce(ctx, b.work, nil, rows)
	}()
	return true, nil
}

// wait returns when nothing is being sent ahead any more.
func (a *ahead) wait() error {
	if a == nil {
		return nil
	}
	<-a.sent.Done()
	return a.err
}

// unsentRows are those that were stored since it was last asked, in the order of their pitches.
func (b *batch) unsentRows() []schemas.Published {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows := inOrder(b.unsent)
	clear(b.unsent)
	return rows
}
