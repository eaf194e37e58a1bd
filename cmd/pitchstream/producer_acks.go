package main

import "sync"

// ackQueue turns answers that come in any order into calls in the order of push.
type ackQueue struct {
	mu      sync.Mutex
	waiting []*ack // waiting[0] is not settled
}

type ack struct {
	acked   func(error)
	settled bool
	err     error
}

func (q *ackQueue) push(acked func(error)) *ack {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := &ack{acked: acked}
	q.waiting = append(q.waiting, a)
	return a
}

// settle notes the answer to a, the first one if there are several, and makes the calls that are due.
func (q *ackQueue) settle(a *ack, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !a.settled {
		a.settled, a.err = true, err
	}
	for len(q.waiting) > 0 && q.waiting[0].settled {
		due := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		due.acked(due.err)
	}
}

func (q *ackQueue) settleAll(err error) {
	q.mu.Lock()
	rest := append([]*ack(nil), q.waiting...)
	q.mu.Unlock()
	for _, a := range rest {
		q.settle(a, err)
	}
}
