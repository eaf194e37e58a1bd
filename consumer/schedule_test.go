//go:build synctests

package consumer

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Random schedules: processors join, leave, die, and wait for a store that does not answer. Stores fail
// before and after they took effect, or come back empty. Requests and answers are lost. In the end the stores
// must be right.
//
// PITCHSTREAM_SCHEDULES is their number (default 50; `make schedules` plays 10,000).
// PITCHSTREAM_SCHEDULE_SEED plays one of them again.
// guard: what was published and changed since is published again
func TestSchedules(t *testing.T) {
	first, n := uint64(1), number(t, "PITCHSTREAM_SCHEDULES", 50)
	if seed := number(t, "PITCHSTREAM_SCHEDULE_SEED", 0); seed > 0 {
		first, n = seed, 1
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("again: PITCHSTREAM_SCHEDULE_SEED=%d go test -tags synctests -run TestSchedules ./consumer", seed)
					}
				}()
				play(t, seed)
			})
		})
	}
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// schedule is one run: the living workers, and the faults that may happen.
type schedule struct {
	*cluster
	rnd     *rand.Rand
	scorer  *scorer
	alive   []*worker
	trouble bool // faults happen; false before the stores are checked
	seed    uint64
	asked   map[string]uint64 // how often a fault of each kind could have happened
	faults  int
}

func play(t *testing.T, seed uint64) {
	s := &schedule{
		cluster: newCluster(t), rnd: rand.New(rand.NewPCG(seed, 3)), scorer: newScorer(seed),
		trouble: true, seed: seed, asked: map[string]uint64{},
	}
	s.recording = &recording{}
	s.store.Before, s.store.After = s.maybeFail("before "), s.maybeFail("after ")
	for _, key := range []kmsg.Key{
		kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.OffsetFetch, kmsg.OffsetCommit,
		kmsg.Heartbeat, kmsg.InitProducerID,
	} {
		s.loseSome(int16(key))
	}
	for range 8 + s.rnd.IntN(8) {
		s.step()
	}
	s.events.mu.Lock()
	s.trouble = false
	s.events.mu.Unlock()
	for _, w := range s.alive {
		w.hang.Store(false)
	}
	s.start(small)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		state := ""
		for range ticks(ctx, 2*sessionTimeout) {
			state = s.freeGroup(state)
		}
	}()
	s.waitCommitted()
	for id := range int32(partitionCount) { // makes the owner notice that the store came back empty
		r := s.scorer.records(1)
		r[0].Partition = id
		s.produce(r...)
	}
	s.waitCommitted()
	s.waitFilled()
	s.waitClosed()
	s.requireConsistent()
	s.recording.requireOfTheModel(t)
}

func small(c *Config) { c.PollMaxRecords = 8 }

// someTime draws the time between two commits: none, so little that rows are sent early, or the default.
func (s *schedule) someTime(c *Config) {
	c.CommitEvery = []time.Duration{-1, time.Millisecond, 0}[s.rnd.IntN(3)]
}

func (s *schedule) step() {
	switch s.rnd.IntN(8) {
	case 0, 1:
		s.quietly(func() { s.produce(s.scorer.records(5 + s.rnd.IntN(25))...) })
	case 2:
		if len(s.alive) < 4 {
			s.alive = append(s.alive, s.start(small, s.someTime))
		}
	case 3:
		if w := s.take(); w != nil && s.rnd.IntN(2) == 0 {
			w.diesAtWrite.Store(true)
		} else if w != nil {
			w.kill()
		}
	case 4:
		if w := s.take(); w != nil {
			w.hang.Store(false)
			w.stop()
			<-w.done
		}
	case 5:
		if len(s.alive) > 0 {
			s.alive[s.rnd.IntN(len(s.alive))].hang.Store(true)
		}
	case 6:
		if s.rnd.IntN(4) == 0 {
			s.recording.around("restore", s.store.Restore)
		}
	case 7: // let them work for a while
		before := s.progress()
		s.waitBriefly(func() bool { return s.progress() >= before+1+s.rnd.IntN(3) })
	}
}

// take removes a living worker from the list; nil when there is none.
func (s *schedule) take() *worker {
	if len(s.alive) == 0 {
		return nil
	}
	i := s.rnd.IntN(len(s.alive))
	w := s.alive[i]
	s.alive = append(s.alive[:i:i], s.alive[i+1:]...)
	return w
}

// progress counts the batches that the living have committed.
func (s *schedule) progress() (n int) {
	for _, w := range s.alive {
		w.seen.mu.Lock()
		n += len(w.seen.batches)
		w.seen.mu.Unlock()
	}
	return n
}

// quietly calls f without faults, for actions of the test itself.
func (s *schedule) quietly(f func()) {
	s.events.mu.Lock()
	was := s.trouble
	s.trouble = false
	s.events.mu.Unlock()
	f()
	s.events.mu.Lock()
	s.trouble = was
	s.events.mu.Unlock()
}

// chance decides by the seed and the number of earlier questions of this kind. So a seed plays nearly the
// same schedule again, in whatever order the goroutines run.
func (s *schedule) chance(kind string, oneIn uint64) bool {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	if !s.trouble {
		return false
	}
	s.asked[kind]++
	h := fnv.New64a()
	fmt.Fprint(h, s.seed, kind, s.asked[kind])
	if h.Sum64()%oneIn != 0 {
		return false
	}
	s.faults++
	return true
}

func (s *schedule) maybeFail(at string) func(string) error {
	return func(step string) error {
		if s.chance(at+step, 12) {
			return errLost
		}
		return nil
	}
}

// loseSome loses some requests of a kind on their way to the broker.
func (s *schedule) loseSome(key int16) {
	s.kafka.ControlKey(key, func(kmsg.Request) (kmsg.Response, error, bool) {
		s.kafka.KeepControl()
		if s.chance(fmt.Sprint(key), 25) {
			return nil, errLost, true
		}
		return nil, nil, false
	})
}
