package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// named is a processor with an instance id, and a session that outlasts a restart.
func named(id string, more ...func(*Config)) func(*Config) {
	return func(c *Config) {
		c.InstanceID, c.SessionTimeout = id, 45*time.Second
		for _, f := range more {
			f(c)
		}
	}
}

// settled waits until each of the processors has a partition.
func (tn *town) settled(workers ...*worker) {
	tn.t.Helper()
	tn.waitFor("each has a partition", func() bool {
		for _, w := range workers {
			if !w.told.has() {
				return false
			}
		}
		return true
	})
}

// has tells whether a processor was given a partition.
func (c *conditions) has() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waits) > 0
}

// A rolling restart: each processor ends and starts again under its name, and no other one gives a partition
// up for it.
// guard: deploy: a restarted processor has its name
func TestARollingRestartMovesNoPartition(t *testing.T) {
	inVirtualTime(t, "waits as long as pods take to start")
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		s := newScorer(1)
		tn.produce(s.records(60)...)
		names := []string{"p-0", "p-1", "p-2"}
		var all []*worker
		for _, name := range names {
			all = append(all, tn.start(named(name)))
		}
		tn.settled(all...)
		tn.waitCommitted()
		before := given(all)
		for i, name := range names {
			all[i].halt()
			gone := all[i].told.count("given up")
			tn.waitALittle(func() bool { return false }) // as a pod takes: time enough for the others to take over
			all[i] = tn.start(named(name))
			tn.produce(s.records(30)...)
			tn.waitCommitted()
			tn.settled(all[i])
			before[i] = 0
			require.Equal(t, before, given(all), "%s came back, having let go of its own %d times", name, gone)
		}
		tn.requireBooks()
	})
}

// given is how many partitions each has given up.
func given(all []*worker) (times []int) {
	for _, w := range all {
		times = append(times, w.told.count("given up"))
	}
	return times
}

// Scaled in, a processor leaves: the others have its partitions long before its session would time out. One
// that is only restarted does not leave.
// guard: deploy: a processor that is scaled in leaves the group
// guard: deploy: a processor that is restarted does not leave
// guard: deploy: a session outlasts a restart
func TestAProcessorThatIsScaledInLeaves(t *testing.T) {
	inVirtualTime(t, "waits for a session to time out")
	for name, leaves := range map[string]bool{"scaled in": true, "restarted": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tn := newTown(t)
				s := newScorer(1)
				tn.produce(s.records(60)...)
				stays := tn.start(named("p-0"))
				goes := tn.start(named("p-1", func(c *Config) { c.IsScaledIn = func(context.Context) bool { return leaves } }))
				tn.settled(stays, goes)
				tn.waitCommitted()
				goes.halt()
				began := time.Now()
				tn.produce(s.records(60)...)
				tn.waitCommitted()
				if took := time.Since(began); leaves {
					require.Less(t, took, 10*time.Second)
				} else {
					require.Greater(t, took, 30*time.Second, "its partitions waited for the session to time out")
				}
			})
		})
	}
}
