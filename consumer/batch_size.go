package consumer

import (
	"errors"
	"sync/atomic"
	"time"
)

// batchSize is how many records may go to the store at once. A store that is too slow for a batch would be
// given the same one for ever. So the batch is halved until it passes, and grows again while the store is
// quick. All goroutines of a processor share it, and it outlives a session.
type batchSize struct {
	most int // Config.PollMaxRecords
	now  atomic.Int64
}

// errTooSlow reports that the store did not answer in time for a batch that can be smaller.
var errTooSlow = errors.New("the store did not answer in time: the records are read again in smaller batches")

// quickAnswer is how soon a store answers that can take twice as many records.
const quickAnswer = storeTimeout / 4

func newBatchSize(most int) *batchSize {
	s := &batchSize{most: most}
	s.now.Store(int64(most))
	return s
}

func (s *batchSize) limit() int { return int(s.now.Load()) }

// shrink halves the batches after one of n records got no answer. It returns false when n cannot be smaller.
func (s *batchSize) shrink(n int) bool {
	// guard: a batch that is too large for the store shrinks | always
	if n <= 1 {
		return false
	}
	s.now.Store(int64(max(1, min(n, s.limit())/2)))
	return true
}

// grow doubles the batches after a quick answer to one of n records. A small batch says nothing about the
// limit.
func (s *batchSize) grow(n int, took time.Duration) {
	// guard: a batch grows again
	// guard: only a full batch makes the next one larger | n > s.limit()/2 -> true
	if took < quickAnswer && n > s.limit()/2 && s.limit() < s.most {
		s.now.Store(int64(min(s.most, 2*s.limit())))
	}
}
