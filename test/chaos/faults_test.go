package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// ongoing is a fault that was inflicted.
type ongoing struct {
	// endures is whether all must go on while the fault lasts, because others can take over.
	endures bool
	least   time.Duration // how long the fault lasts at least
	undo    func()        // ends it
	after   func()        // puts things back once all goes on; nil: nothing
}

// zombie is longer than a session (10 s) and a transaction (15 s) may last.
const zombie = 18 * time.Second

// inflict begins a fault.
func (c *cluster) inflict(f fault) ongoing {
	c.t.Helper()
	switch f.kind {
	case leaderKilled, groupKilled, transactionKilled:
		b := c.choose(f)
		b.server.Kill(c.t)
		return ongoing{endures: true, undo: func() { b.server.Begin(c.t) }, after: func() { c.awaitBrokers() }}
	case leaderFrozen:
		b := c.choose(f)
		b.server.Freeze(c.t)
		return ongoing{endures: true, undo: func() { b.server.Thaw(c.t) }, after: func() { c.awaitBrokers() }}
	case brokerCut:
		o := c.cutOff(c.brokers[f.whom%brokers].name)
		o.after = func() { c.awaitBrokers() }
		return o
	case brokersReset:
		for _, b := range c.brokers {
			c.net.reset(b.name)
		}
		return ongoing{endures: true, undo: func() {}}
	case primaryPromoted, primaryReplaced, primaryRestarted, standbyKilled, standbyCut, postgresReset:
		return c.inflictPostgres(f)
	case masterKilled, masterRestarted, masterFrozen, masterCut:
		return c.inflictRedis(f)
	case slowLinks, lossyLinks:
		return c.worsen(f)
	case replayKilled, retryKilled, repairKilled, rebuildKilled, targetKilled, modelKilled, backfillKilled:
		return c.operate(f)
	case dataFull, walFull, brokerFull, masterFull:
		return c.fillDisk(f)
	case standbyClock, brokerClock, masterClock, processorClock:
		return c.moveClock(f)
	case endTxnHeld:
		return c.holdEndTxn(f)
	case upgraded:
		return c.upgrade(f)
	}
	return c.inflictProcessor(f)
}

// choose returns the broker that a fault is about.
func (c *cluster) choose(f fault) *broker {
	switch f.kind {
	case groupKilled:
		return c.groupCoordinator(f.whom % brokers)
	case transactionKilled:
		return c.transactionCoordinator(f.whom)
	}
	return c.leader(c.stack.Raw(), int32(f.whom%partitions), f.whom%brokers)
}

// cutOff silences all ways from and to a program.
func (c *cluster) cutOff(name string) ongoing {
	c.net.cut(way{to: name})
	return ongoing{endures: true, undo: func() { c.net.heal(way{to: name}) }}
}

// awaitBrokers waits until every partition is on three brokers again, so that the next one may fail.
func (c *cluster) awaitBrokers() {
	c.t.Helper()
	c.await("every replica is in sync", func() bool {
		ctx, cancel := context.WithTimeout(c.t.Context(), shortly)
		defer cancel()
		m, err := c.stack.Admin.Metadata(ctx)
		if err != nil || len(m.Brokers) < brokers {
			return false
		}
		for _, topic := range m.Topics {
			for _, p := range topic.Partitions {
				if p.Err != nil || len(p.ISR) < brokers {
					return false
				}
			}
		}
		return len(m.Topics) > 0
	})
}

func (c *cluster) inflictPostgres(f fault) ongoing {
	c.t.Helper()
	first, second := c.primary(), c.standby()
	switch f.kind {
	case primaryPromoted:
		first.server.Kill(c.t)
		c.promote()
		return ongoing{endures: true, undo: func() {}, after: c.renewStandby}
	case primaryReplaced:
		first.server.Freeze(c.t)
		pause(c.t.Context(), f.hold) // until a manager of failovers has noticed
		c.promote()
		orphans := first.server.Children() // stopped too: their connections stay open, as of a machine that hangs
		first.server.Kill(c.t)
		return ongoing{endures: true, after: c.renewStandby, undo: func() {
			for _, pid := range orphans {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}}
	case primaryRestarted:
		first.server.Kill(c.t)
		return ongoing{least: f.hold, undo: func() { first.server.Start(c.t) }, after: c.awaitStandby}
	case standbyKilled:
		second.server.Kill(c.t)
		return ongoing{least: f.hold, undo: func() { second.server.Start(c.t) }, after: c.awaitStandby}
	case standbyCut:
		apart := way{second.name, first.name}
		c.net.cut(apart)
		return ongoing{least: f.hold, undo: func() { c.net.heal(apart) }, after: c.awaitStandby}
	}
	c.net.reset(first.name)
	return ongoing{endures: true, undo: func() {}, after: c.awaitStandby}
}

func (c *cluster) inflictRedis(f fault) ongoing {
	c.t.Helper()
	m := c.master()
	after := func() { c.awaitReplicas() }
	switch f.kind {
	case masterKilled:
		m.server.Kill(c.t)
		return ongoing{endures: true, undo: func() { m.server.Start(c.t) }, after: after}
	case masterRestarted:
		m.server.Kill(c.t)
		m.server.Start(c.t)
		return ongoing{endures: true, undo: func() {}, after: after}
	case masterFrozen:
		m.server.Freeze(c.t)
		return ongoing{endures: true, undo: func() { m.server.Thaw(c.t) }, after: after}
	}
	o := c.cutOff(m.name)
	o.after = after
	return o
}

// worsen makes every way between a processor and a server slow or lossy, and those between the brokers.
func (c *cluster) worsen(f fault) ongoing {
	worse := condition{delay: 30 * time.Millisecond}
	if f.kind == lossyLinks {
		worse = condition{loss: 0.1}
	}
	var names []string
	for _, b := range c.brokers {
		names = append(names, b.name)
	}
	for _, d := range c.databases {
		names = append(names, d.name)
	}
	for _, k := range c.keepers {
		names = append(names, k.name)
	}
	for _, name := range names {
		c.net.set(way{to: name}, &worse)
	}
	return ongoing{endures: true, least: f.hold, undo: func() {
		for _, name := range names {
			c.net.heal(way{to: name})
		}
	}}
}

func (c *cluster) inflictProcessor(f fault) ongoing {
	c.t.Helper()
	i := f.whom % processors
	p, name := c.processors[i], fmt.Sprint("processor-", i+1)
	cut := func(to ...string) ongoing {
		for _, server := range to {
			c.net.cut(way{name, server})
		}
		return ongoing{endures: true, least: f.hold, undo: func() {
			for _, server := range to {
				c.net.heal(way{name, server})
			}
		}}
	}
	switch f.kind {
	case processorKilled:
		c.kill(i)
		return ongoing{endures: true, undo: func() { c.revive(i) }}
	case processorZombie:
		p.Freeze(c.t)
		return ongoing{endures: true, least: zombie, undo: func() { p.Thaw(c.t) }}
	case fromKafka:
		return cut("kafka-1", "kafka-2", "kafka-3")
	case fromPostgres: // it keeps its partitions, so no other can take over
		o := cut("postgres-1", "postgres-2")
		o.endures = false
		return o
	case fromRedis:
		o := cut("redis-1", "redis-2", "redis-3")
		o.endures = false
		return o
	case twins:
		args := []string{"run", "--log-format=text", "--instance-id=processor-1"}
		twin := c.runBinary("twin", args...)
		return ongoing{endures: true, least: f.hold, undo: func() { twin.Kill(c.t) }}
	}
	c.t.Fatalf("no fault is called %s", f.kind)
	return ongoing{}
}

// kill ends a processor as kill -9 does, and revive starts it again. It stays down in between.
func (c *cluster) kill(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processors[i].Kill(c.t)
}

func (c *cluster) revive(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin(c.processors[i], i)
}

// supervise starts processors again that have ended by themselves, as any supervisor does. One that was ready
// must not do so.
func (c *cluster) supervise() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.processors {
		if !p.Ended() {
			continue
		}
		if c.wasReady(i) {
			c.t.Errorf("processor %d ended by itself after it was ready; its log: %s", i+1, c.lastWords(i))
		}
		p.Kill(c.t) // only to collect it
		c.vain++
		c.begin(p, i)
	}
}

func (c *cluster) begin(p *testkit.Server, i int) {
	c.began[i] = size(c.logFile(fmt.Sprint("processor-", i+1)))
	p.Begin(c.t)
}
