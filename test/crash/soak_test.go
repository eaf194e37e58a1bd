package crash

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// soak is a target under load, and who torments it.
type soak struct {
	t          *testing.T
	w          *stack.Stack
	kafka      *testkit.Server
	postgres   *testkit.Server
	redis      *testkit.Server
	database   string // address of Postgres, or of the pooler in front of it
	processors []*processor
	audit      *audit
	feed       *feed
	committed  atomic.Int64 // records, by the group
	undo       []undo       // what is to be done later
	counts     counts
}

// undo ends a fault when the group has committed so much more, or at the latest then.
type undo struct {
	at     int64
	latest time.Time
	do     func()
}

type counts struct{ kills, aimed, caught, servers, networks, exits int }

func newSoak(t *testing.T, size size) *soak {
	t.Helper()
	s := &soak{t: t, kafka: testkit.OwnKafka(t), postgres: testkit.OwnPostgres(t), redis: testkit.OwnRedis(t)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of Kafka, its end:\n%s", s.kafka.Logs())
		}
	})
	s.w = stack.On(t, s.kafka.Addr, s.postgres.URL, s.redis.Addr, 2*size.processors)
	s.w.Patience = 5 * time.Minute
	s.audit = newAudit(t, s.postgres.URL)
	s.database = s.postgres.Addr
	if mode := os.Getenv("PITCHSTREAM_CRASH_POOLER"); mode != "" {
		s.database = testkit.PgBouncer(t, s.postgres.URL, "pool_mode="+mode).Addr
	}
	for i := range size.processors {
		s.processors = append(s.processors, newProcessor(t, s.w, i, s.database, s.redis.Addr))
		s.processors[i].records = size.records
		s.start(s.processors[i])
	}
	return s
}

func (s *soak) start(p *processor) { p.start(s.databaseAt(p.postgres.addr)) }

// databaseAt returns the URL of the database under another address.
func (s *soak) databaseAt(addr string) string {
	u, err := url.Parse(s.postgres.URL)
	require.NoError(s.t, err)
	u.Host = addr
	return u.String()
}

// watch counts the records that the group has committed. A broker that is unavailable is asked again.
func (s *soak) watch(ctx context.Context) {
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		if n := s.committedNow(ctx); n > s.committed.Load() {
			s.committed.Store(n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *soak) committedNow(ctx context.Context) (n int64) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	offsets, err := s.w.Admin.FetchOffsets(ctx, s.w.Name)
	if err != nil {
		return 0
	}
	offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
	return n
}

// stillstand is the longest time that a target may go without a commit, after any fault. It allows for a
// member that is given up (10 s), a transaction that times out (15 s) and attempts at a store (30 s). They
// may follow one another, on a slow machine.
const stillstand = 2 * time.Minute

// reach waits until the group has committed so many records, and ends faults meanwhile whose time has come.
func (s *soak) reach(at int64) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last, since := s.committed.Load(), time.Now()
	for {
		now := s.committed.Load()
		s.endFaults(func(u undo) bool { return now >= u.at || time.Now().After(u.latest) })
		s.supervise()
		if now >= at {
			return
		}
		if now > last {
			last, since = now, time.Now()
		}
		if time.Since(since) > stillstand {
			s.t.Fatalf("nothing was committed for %v, at %d records", stillstand, now)
		}
		<-tick.C
	}
}

// supervise restarts processors that gave up while they were starting, because a server was unavailable. Any
// supervisor does so. A processor that was ready must not end by itself.
func (s *soak) supervise() {
	s.t.Helper()
	for _, p := range s.processors {
		if !p.ended() {
			continue
		}
		require.False(s.t, p.wasReady(), "%s ended by itself", p.name)
		p.kill()
		s.counts.exits++
		s.later(1<<40, 500*time.Millisecond, func() { s.start(p) })
	}
}

func (s *soak) endFaults(due func(undo) bool) {
	left := s.undo[:0]
	for _, u := range s.undo {
		if due(u) {
			u.do()
		} else {
			left = append(left, u)
		}
	}
	s.undo = left
}

// later ends a fault after some records, or after the time.
func (s *soak) later(records int64, latest time.Duration, do func()) {
	s.undo = append(s.undo, undo{s.committed.Load() + records, time.Now().Add(latest), do})
}

// running is the processor, or the next one that runs.
func (s *soak) running(whom int) *processor {
	for i := range s.processors {
		if p := s.processors[(whom+i)%len(s.processors)]; p.cmd != nil && !p.ended() {
			return p
		}
	}
	s.t.Fatal("no processor runs")
	return nil
}

func (s *soak) inflict(f fault) {
	began := time.Now()
	switch f.kind {
	case killAnywhere, killUnanswered, killAnswered, killAtRedis, killWithoutWord:
		s.kill(f)
	case kafkaStopped, kafkaKilled, postgresStopped, postgresKilled, redisStopped, redisKilled:
		s.restartServer(f)
		s.counts.servers++
	case redisFlushed:
		client := redis.NewClient(&redis.Options{Addr: s.redis.Addr})
		require.NoError(s.t, client.FlushAll(s.t.Context()).Err())
		require.NoError(s.t, client.Close())
		s.counts.servers++
	default:
		s.disturb(f)
		s.counts.networks++
	}
	s.t.Logf("%v: %v; %d of %d kills in the window", f, time.Since(began).Round(time.Millisecond), s.counts.caught, s.counts.kills)
}

// kill kills a processor and starts it again: at once, or after others have taken over.
func (s *soak) kill(f fault) {
	p, bury := s.running(f.whom), func() {}
	if f.kind == killAnywhere {
		time.Sleep(f.wait / 10) // tidy: the moment of a kill, drawn by the schedule
		p.kill()
	} else {
		p, bury = s.aim(f)
	}
	s.counts.kills++
	if s.audit.caught(s.t, s.w, p, f.kind == killWithoutWord) {
		s.counts.caught++
	}
	runs := 0
	for _, p := range s.processors {
		if p.cmd != nil {
			runs++
		}
	}
	if f.kind == killWithoutWord { // no server notices that the machine is gone
		s.later(1<<40, time.Hour, bury)
	}
	if f.late && runs > 1 {
		s.later(3000, 12*time.Second, func() { s.start(p) })
		return
	}
	s.start(p)
}

// aim kills a processor at its moment, that of the fault or the next one that has something to do.
func (s *soak) aim(f fault) (p *processor, bury func()) {
	attempts := 8 * len(s.processors)
	for i := range attempts {
		p := s.running(f.whom + i)
		if a := p.take(f.kind, 500*time.Millisecond); a != nil {
			s.counts.aimed++
			return p, a.bury
		}
		// where all was done already, no run ever comes to that moment
		s.feed.open(s.feed.gate.Load() + s.feed.ahead/int64(attempts))
	}
	s.t.Logf("no processor came to that moment, at %d records", s.committed.Load())
	p = s.running(f.whom)
	p.kill()
	return p, func() {}
}

// restartServer stops or kills a server and starts it again, and may have a processor killed in between.
func (s *soak) restartServer(f fault) {
	server := map[kind]*testkit.Server{kafkaStopped: s.kafka, kafkaKilled: s.kafka, postgresStopped: s.postgres,
		postgresKilled: s.postgres, redisStopped: s.redis, redisKilled: s.redis}[f.kind]
	switch f.kind {
	case kafkaStopped, postgresStopped, redisStopped:
		server.Stop(s.t)
	default:
		server.Kill(s.t)
	}
	time.Sleep(f.wait / 2) // tidy: how long a server is gone
	if f.also {
		p := s.running(f.whom)
		p.kill()
		s.counts.kills++
		defer s.start(p)
	}
	time.Sleep(f.wait / 2) // tidy: how long a server is gone
	server.Start(s.t)
}

// disturb does something to what is between a processor and its servers.
func (s *soak) disturb(f fault) {
	p := s.running(f.whom)
	proxy := map[kind]*proxy{postgresCut: p.postgres, postgresSlow: p.postgres, postgresHeld: p.postgres,
		redisCut: p.redis, redisSlow: p.redis, redisHeld: p.redis}[f.kind]
	switch f.kind {
	case postgresCut, redisCut:
		proxy.cut()
	case postgresSlow, redisSlow:
		proxy.slow.Store(int64(5*time.Millisecond + f.wait/50))
		s.later(1000, 10*time.Second, proxy.flow)
	case postgresHeld, redisHeld:
		proxy.hold()
		s.later(2000, 5*time.Second, proxy.flow)
	case paused:
		s.later(1<<40, 13*time.Second, p.pause())
	}
}

// summary is one line.
func (s *soak) summary(seed uint64, lost, doubled, back int, took time.Duration) string {
	return fmt.Sprintf("crash: seed %d, %d processors, %d pitches in %d records (%d MB): %d kills, %d of them aimed, %d between Postgres' commit and Kafka's; "+
		"%d server faults; %d network faults; %d starts in vain; lost %d, doubled %d, gone back %d; %v",
		seed, len(s.processors), s.feed.tally.Records[0], s.feed.tally.Total(),
		s.feed.bytes>>20, s.counts.kills, s.counts.aimed, s.counts.caught,
		s.counts.servers, s.counts.networks, s.counts.exits, lost, doubled, back, took.Round(time.Second))
}
