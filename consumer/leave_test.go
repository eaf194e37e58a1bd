package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// named gives a processor an instance id, and a session that outlasts a restart.
func named(id string, more ...func(*Config)) func(*Config) {
	return func(c *Config) {
		c.InstanceID, c.SessionTimeout = id, 45*time.Second
		for _, f := range more {
			f(c)
		}
	}
}

// waitAssigned waits until each worker has a partition.
func (cl *cluster) waitAssigned(workers ...*worker) {
	cl.t.Helper()
	cl.waitFor("each has a partition", func() bool {
		for _, w := range workers {
			if !w.seen.has() {
				return false
			}
		}
		return true
	})
}

// has reports whether the processor has a partition.
func (c *conditions) has() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waits) > 0
}

// In a rolling restart each processor ends and starts again under its name, and no other one loses a
// partition.
// guard: deploy: a restarted processor has its name
func TestARollingRestartMovesNoPartition(t *testing.T) {
	inVirtualTime(t, "waits as long as pods take to start")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(1)
		cl.produce(s.records(60)...)
		names := []string{"p-0", "p-1", "p-2"}
		var all []*worker
		for _, name := range names {
			all = append(all, cl.start(named(name)))
		}
		cl.waitAssigned(all...)
		cl.waitCommitted()
		before := given(all)
		for i, name := range names {
			all[i].halt()
			gone := all[i].seen.count("revoked")
			cl.waitBriefly(func() bool { return false }) // as a pod takes: time enough for the others to take over
			all[i] = cl.start(named(name))
			cl.produce(s.records(30)...)
			cl.waitCommitted()
			cl.waitAssigned(all[i])
			before[i] = 0
			require.Equal(t, before, given(all), "%s came back, after %d revokes of its own", name, gone)
		}
		cl.requireConsistent()
	})
}

// given returns how many partitions each worker has lost.
func given(all []*worker) (times []int) {
	for _, w := range all {
		times = append(times, w.seen.count("revoked"))
	}
	return times
}

// A processor that is scaled in leaves, so the others have its partitions long before its session times out.
// A restarted one does not leave.
// guard: deploy: a processor that is scaled in leaves the group
// guard: deploy: a processor that is restarted does not leave
// guard: deploy: a session outlasts a restart
func TestAProcessorThatIsScaledInLeavesTheGroup(t *testing.T) {
	inVirtualTime(t, "waits for a session to time out")
	for name, leaves := range map[string]bool{"scaled in": true, "restarted": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				s := newScorer(1)
				cl.produce(s.records(60)...)
				stays := cl.start(named("p-0"))
				goes := cl.start(named("p-1", func(c *Config) { c.IsScaledIn = func(context.Context) bool { return leaves } }))
				cl.waitAssigned(stays, goes)
				cl.waitCommitted()
				goes.halt()
				began := time.Now()
				cl.produce(s.records(60)...)
				cl.waitCommitted()
				if took := time.Since(began); leaves {
					require.Less(t, took, 10*time.Second)
				} else {
					require.Greater(t, took, 30*time.Second, "its partitions waited for the session to time out")
				}
			})
		})
	}
}
