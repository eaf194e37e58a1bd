package redissink

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/pitchstream/pitchstream/schemas"
)

// line is the way to a server, which can be cut, or left without answers.
type line struct {
	server *miniredis.Miniredis
	mu     sync.Mutex
	conns  []net.Conn
	down   bool
	mute   bool
}

func (l *line) dial(context.Context, string, string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errors.New("connection refused")
	}
	if l.mute {
		mine, theirs := net.Pipe()
		l.conns = append(l.conns, mine, theirs)
		return mine, nil
	}
	c, err := l.server.Dial()
	l.conns = append(l.conns, c)
	return &conn{c, l}, err
}

// conn loses what is sent over a line that is mute.
type conn struct {
	net.Conn
	line *line
}

func (c *conn) Write(b []byte) (int, error) {
	c.line.mu.Lock()
	mute := c.line.mute
	c.line.mu.Unlock()
	if mute {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// silence leaves whatever is sent from now on without an answer.
func (l *line) silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mute = true
}

// cut ends all connections, and new ones are refused.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down, l.mute = true, false
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

func (l *line) repair() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down, l.mute = false, false
}

// kept is a Keeper at work on a Redis in memory, under a clock that passes only while all goroutines wait.
type kept struct {
	*redisTest
	*line
	*Keeper
	offset int64
	phase  Phase
	log    []string // what the hooks were called with
	logMu  sync.Mutex
}

func keep(t *testing.T, f func(t *testing.T, k *kept)) {
	t.Helper()
	keepOn(t, &line{}, f)
}

func keepOn(t *testing.T, l *line, f func(t *testing.T, k *kept)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l.server = miniredis.NewMiniRedis()
		k := &kept{line: l, redisTest: newRedisTest(t, Config{Dialer: l.dial, URL: "memory:1", Prefix: "p:"})}
		k.Keeper = NewKeeper(k.Sink, k.truth, k.hooks())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- k.Run(ctx) }()
		defer func() { // nothing may be left in the bubble, also where the test failed
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
			_ = k.Close()
			l.cut()
			l.server.Close()
			synctest.Wait()
		}()
		f(t, k)
	})
}

func (k *kept) hooks() Hooks {
	return Hooks{
		Pushed: func(err error) {
			if err != nil {
				k.note("push failed")
			} else {
				k.note("pushed")
			}
		},
		Skipped: func() { k.note("skipped") },
		Swept: func(_ SweepReport, err error) {
			if err != nil {
				k.note("sweep failed")
			} else {
				k.note("swept")
			}
		},
		Changed: func(s State) {
			k.logMu.Lock()
			same := s.Phase == k.phase // and only the reason another one
			k.phase = s.Phase
			k.logMu.Unlock()
			if !same {
				k.note(string(s.Phase))
			}
		},
	}
}

func (k *kept) note(what string) {
	k.logMu.Lock()
	defer k.logMu.Unlock()
	if len(k.log) == 0 || k.log[len(k.log)-1] != what {
		k.log = append(k.log, what)
	}
}

// after lets time pass and everything settle, and gives what happened since the last call, repetitions left
// out.
func (k *kept) after(d time.Duration) []string {
	time.Sleep(d) // of the bubble's clock: takes no time
	synctest.Wait()
	k.logMu.Lock()
	defer k.logMu.Unlock()
	happened := k.log
	k.log = nil
	return happened
}

func (k *kept) expect(t *testing.T, d time.Duration, want ...string) {
	t.Helper()
	if got := k.after(d); !slices.Equal(got, want) {
		t.Errorf("happened: %q, want %q", got, want)
	}
}

// pitch is what a processor does for a batch: Postgres, then Redis. It says how long Redis held it up.
func (k *kept) pitch(ctx context.Context, id int64, pitches int64) time.Duration {
	k.offset++
	snap, at := k.truth.change(id, "g", pitches), k.truth.move(0, k.offset)
	start := time.Now()
	k.Push(ctx, []schemas.Snapshot{snap}, []schemas.Position{at})
	return time.Since(start)
}

// well expects that Redis is right, and known to be.
func (k *kept) well(t *testing.T) {
	t.Helper()
	if s := k.State(); s.Phase != PhaseOK || s.Reason != "" {
		t.Errorf("state: %+v", s)
	}
	k.isTrue(t)
	if a := k.applied(t); a["pitches.raw/0"] != k.offset {
		t.Errorf("applied %v, want %d", a, k.offset)
	}
}

func TestKeeperInCalm(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.expect(t, 0, "swept", "ok")
		for i := range int64(5) {
			if held := k.pitch(t.Context(), i%2, i+1); held != 0 {
				t.Errorf("held up for %v", held)
			}
		}
		k.expect(t, 0, "pushed")
		k.well(t)
		k.expect(t, 4*time.Minute)
		k.expect(t, 62*time.Second, "swept")
		k.isWhole(t)
	})
}

func TestKeeperWhileRedisIsUnavailable(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.after(time.Second)
		k.cut()
		if held := k.pitch(t.Context(), 1, 2); held > time.Second {
			t.Errorf("the first push was held up for %v", held)
		}
		k.expect(t, 0, "push failed", "away")
		for range 3 {
			if held := k.pitch(t.Context(), 2, 2); held != 0 {
				t.Errorf("a push was held up for %v though Redis is unavailable", held)
			}
		}
		k.expect(t, time.Minute, "skipped")
		if s := k.State(); s.Phase != PhaseUnavailable || s.Reason == "" || time.Since(s.Since) < time.Minute {
			t.Errorf("state: %+v", s)
		}
		k.server.FlushAll() // it was restarted
		k.repair()
		k.expect(t, 2*time.Second, "mending", "swept", "ok")
		k.well(t)
	})
}

// A server that refuses writes answers reads. It must not look repaired for a moment with every attempt,
// because an alert on the phase would then start over. That also holds where the small write of a check
// succeeds: just below maxmemory, or on another node of a cluster.
//
// guard: redis: a server that refuses writes stays refused
func TestKeeperWhileRedisRefusesWrites(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		writes []string
	}{
		"full":                      {"OOM command not allowed when used memory > 'maxmemory'.", []string{"SET", "SETNX", "EVAL", "EVALSHA"}},
		"full for more than a name": {"OOM command not allowed when used memory > 'maxmemory'.", []string{"EVAL", "EVALSHA"}},
		"no disk":                   {"MISCONF Redis is configured to save RDB snapshots", []string{"SET", "SETNX", "EVAL", "EVALSHA"}},
		"too few replicas":          {"NOREPLICAS Not enough good replicas to write.", []string{"SET", "SETNX", "EVAL", "EVALSHA"}},
		"a replica":                 {"READONLY You can't write against a read only replica.", []string{"SET", "SETNX", "EVAL", "EVALSHA"}},
		"a right":                   {"NOPERM this user has no permissions", []string{"EVAL", "EVALSHA"}},
	} {
		t.Run(name, func(t *testing.T) {
			keep(t, func(t *testing.T, k *kept) {
				k.pitch(t.Context(), 1, 1)
				k.after(time.Second)
				allow := k.refuse(c.answer, c.writes...)
				k.pitch(t.Context(), 1, 2)
				k.after(time.Minute)
				s := k.State()
				if !strings.Contains(s.Reason, c.answer) || s.Phase != PhaseRefused || time.Since(s.Since) < time.Minute {
					t.Errorf("state: %+v", s)
				}
				allow()
				k.after(5 * time.Second)
				k.well(t)
				k.isWhole(t)
			})
		})
	}
}

// A push during the sweep that ends the refusal is skipped, and Redis must have it all the same.
//
// guard: redis: pushes that were skipped during a sweep are swept
func TestKeeperSkipsAPushDuringTheSweepAfterARefusal(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.after(time.Second)
		allow := k.refuse("OOM command not allowed", "SET", "SETNX", "EVAL", "EVALSHA")
		k.pitch(t.Context(), 1, 2)
		k.expect(t, 10*time.Second, "push failed", "refused")
		reached, letGo := k.truth.hold("PlayerSnapshots") // Postgres has said which batters there are
		allow()
		<-reached
		k.pitch(t.Context(), 2, 3)
		k.expect(t, 0, "skipped")
		letGo()
		k.expect(t, 5*time.Second, "swept", "mending", "swept", "ok")
		k.well(t)
		k.isWhole(t)
	})
}

// refuse has the server answer some commands with an error, until allow is called.
func (k *kept) refuse(answer string, commands ...string) (allow func()) {
	var isOver atomic.Bool
	k.server.Server().SetPreHook(func(c *server.Peer, cmd string, _ ...string) bool {
		isRefused := !isOver.Load() && slices.Contains(commands, strings.ToUpper(cmd))
		if isRefused {
			c.WriteError(answer)
		}
		return isRefused
	})
	return func() { isOver.Store(true) }
}

func TestKeeperStartsWithoutRedis(t *testing.T) {
	keepOn(t, &line{down: true}, func(t *testing.T, k *kept) {
		k.expect(t, time.Second, "away")
		k.pitch(t.Context(), 1, 1)
		k.repair()
		k.expect(t, 2*time.Second, "skipped", "mending", "swept", "ok")
		k.well(t)
	})
}

func TestKeeperWhileRedisDoesNotAnswer(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.after(500 * time.Millisecond)
		k.silence()
		if held := k.pitch(t.Context(), 1, 2); held != 2*time.Second {
			t.Errorf("held up for %v", held)
		}
		if held := k.pitch(t.Context(), 1, 3); held != 0 {
			t.Errorf("then for %v", held)
		}
		k.cut()
		k.repair()
		k.after(5 * time.Second)
		k.well(t)
	})
}

func TestKeeperNoticesAFlushWithoutAPush(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.after(time.Second)
		k.server.FlushAll()
		k.expect(t, 2*time.Second, "mending", "swept", "ok")
		k.well(t)
	})
}

// An operator loads yesterday's file into Redis: everything in it is in order, and old.
func TestKeeperNoticesAnOlderCopy(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.after(time.Second)
		old := k.dump(t)
		k.pitch(t.Context(), 1, 2)
		k.pitch(t.Context(), 2, 2)
		k.after(time.Second)
		for _, key := range []string{"p:batter:{2}", "p:batter:{2}:game:g"} {
			k.server.Del(key)
		}
		for name, hash := range old {
			k.server.Del("p:" + name)
			for field, value := range hash {
				k.server.HSet("p:"+name, field, value)
			}
		}
		k.expect(t, 2*time.Second, "mending", "swept", "ok")
		k.well(t)
	})
}

// Postgres is restored, the processor reads again from where Postgres is, and says so by RequestSweep.
func TestKeeperAfterPostgresCameBackOlder(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		backup := k.truth.backup()
		k.pitch(t.Context(), 1, 2)
		k.pitch(t.Context(), 2, 2)
		k.after(time.Second)
		k.truth.restore(backup)
		k.offset = 1
		k.RequestSweep()
		k.expect(t, 0, "mending", "swept", "ok")
		k.well(t)
		k.isWhole(t)
		k.pitch(t.Context(), 1, 3)
		k.expect(t, 10*time.Second, "pushed")
		k.well(t)
	})
}

// Postgres has since moved on so far that its positions no longer show the restore.
func TestKeeperFindsBattersUnknownToPostgres(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		backup := k.truth.backup()
		k.pitch(t.Context(), 2, 2)
		k.after(time.Second)
		k.truth.restore(backup)
		k.truth.move(0, k.offset)
		k.RequestSweep()
		k.expect(t, 0, "mending", "swept", "ok")
		k.well(t)
	})
}

// A person removed a batter's hash. In a cluster, a node that lost its data looks like that.
func TestKeeperFindsABatterMissing(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.pitch(t.Context(), 2, 1)
		k.after(0)
		k.server.Del("p:batter:{1}")
		k.server.Del("p:batter:{1}:game:g")
		k.pitch(t.Context(), 1, 2)
		k.expect(t, 0, "push failed", "mending", "swept", "ok")
		k.well(t)
		k.isWhole(t)
	})
}

// Players whose change no batch pushes are compared at once, although another sweep has just ended. Then
// they are compared at most each gapDelay.
//
// guard: redis: players whose change no batch pushes are compared at once
// guard: redis: the last players of a scoring are compared soon
func TestKeeperComparesWhatNoBatchPushes(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.after(time.Second)
		for range 2 {
			if !k.Behind() {
				t.Fatal("another processor compares them")
			}
		}
		k.expect(t, 3*checkEvery/2, "swept") // within settleDelay
		for range 6 {                        // a scoring goes on
			k.Behind()
			k.expect(t, time.Second)
		}
		k.expect(t, settleDelay+2*checkEvery, "swept")
		k.expect(t, 2*gapDelay)
		k.Behind()
		k.expect(t, 2*checkEvery, "swept")
		k.Behind() // its last players, just behind a sweep
		k.expect(t, settleDelay+2*checkEvery, "swept")
		k.expect(t, 2*gapDelay)
	})
}

// The miss comes just when a sweep ends.
func TestKeeperStaysInRepairIfSomethingWasMissedSince(t *testing.T) {
	k := NewKeeper(newRedisTest(t, Config{URL: miniredisAddr(t)}).Sink, nil, Hooks{})
	_, began := k.sweepDue()
	k.miss("")
	k.clean(began.misses)
	if s := k.State(); s.Phase != PhaseRepairing {
		t.Errorf("%+v", s)
	}
	_, began = k.sweepDue()
	k.clean(began.misses)
	if s := k.State(); s.Phase != PhaseOK {
		t.Errorf("%+v", s)
	}
}

// hold stops the source at a method until it is let go.
func (tr *truth) hold(method string) (reached <-chan struct{}, letGo func()) {
	at, on := make(chan struct{}), make(chan struct{})
	var once sync.Once
	tr.beforeEach(func(m string) error {
		if m == method {
			once.Do(func() { close(at); <-on })
		}
		return nil
	})
	return at, func() { close(on) }
}

func TestKeeperDoesNotMoveAppliedUntilASweepSucceeded(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.after(0)
		reached, letGo := k.truth.hold("PlayerSeqs")
		k.RequestSweep()
		<-reached
		k.pitch(t.Context(), 1, 2)
		k.pitch(t.Context(), 3, 2)
		k.expect(t, time.Minute, "mending", "pushed")
		if a := k.applied(t); a["pitches.raw/0"] != 1 {
			t.Errorf("applied moved: %v", a)
		}
		k.isTrue(t)
		letGo()
		k.expect(t, 0, "swept", "ok")
		k.well(t) // applied has caught up, though nothing more is pushed
	})
}

// A push that fails during a sweep may be of a batter that the sweep has already compared.
func TestKeeperSweepsAgainAfterAMissDuringASweep(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.after(0)
		k.server.HSet("p:batter:{1}", "whole", "1") // so that there is a batter to repair
		reached, letGo := k.truth.hold("PlayerSnapshots")
		k.RequestSweep()
		<-reached
		given, giveUp := context.WithCancel(t.Context())
		giveUp()
		k.pitch(given, 2, 2)
		k.expect(t, 0, "mending", "push failed")
		letGo()
		k.expect(t, 0, "swept", "ok")
		k.well(t)
	})
}

// A caller who gives up (a revoked partition) says nothing about Redis.
func TestKeeperWhoseCallerGivesUp(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.after(0)
		given, giveUp := context.WithCancel(t.Context())
		giveUp()
		k.pitch(given, 2, 2)
		k.expect(t, 0, "push failed", "mending", "swept", "ok")
		k.well(t)
	})
}

func TestKeeperWhileAnotherSweeps(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.after(0)
		k.truth.lock(true)
		k.RequestSweep()
		k.pitch(t.Context(), 1, 1)
		k.expect(t, time.Minute, "mending", "pushed")
		if a := k.applied(t); len(a) != 0 {
			t.Errorf("applied moved: %v", a)
		}
		k.truth.lock(false)
		k.expect(t, time.Second, "swept", "ok")
		k.well(t)
	})
}

// An unavailable Postgres does not make Redis unavailable. The phase says what the repair waits for.
// guard: redis: the phase says why a sweep fails
func TestKeeperWhoseSourceFails(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.after(0)
		k.truth.beforeEach(func(string) error { return errors.New("no Postgres") })
		k.expect(t, 6*time.Minute, "sweep failed")
		k.RequestSweep()
		k.expect(t, time.Minute, "mending", "sweep failed")
		synctest.Wait()
		if reason := k.State().Reason; !strings.Contains(reason, "no Postgres") {
			t.Errorf("the phase says %q", reason)
		}
		k.pitch(t.Context(), 1, 1)
		k.truth.beforeEach(nil)
		k.expect(t, 3*time.Second, "pushed", "swept", "ok")
		k.well(t)
	})
}

// A machine that hangs keeps its connections open. Redis is checked in between, and repaired once another
// server answers.
// guard: redis: Postgres that hangs is not waited for without end
func TestKeeperWhoseSourceHangs(t *testing.T) {
	for _, method := range []string{"TryLock", "AppliedPositions", "PlayerSeqs", "PlayerSnapshots"} {
		t.Run(method, func(t *testing.T) {
			keep(t, func(t *testing.T, k *kept) {
				k.pitch(t.Context(), 1, 1)
				k.after(0)
				k.server.HSet("p:batter:{1}", "whole", "1") // so that there is a batter to repair
				k.truth.hang(method)
				k.RequestSweep()
				k.after(sourceTimeout + time.Second)
				if reason := k.State().Reason; !strings.Contains(reason, "no answer within 30s") {
					t.Errorf("the phase says %q", reason)
				}
				k.cut()
				k.expect(t, sourceTimeout+5*time.Second, "sweep failed", "away")
				k.repair()
				k.truth.hang("")
				k.expect(t, 5*time.Second, "mending", "swept", "ok")
				k.well(t)
				k.isWhole(t)
			})
		})
	}
}

// The patrol does not wait without end either, and does not rest long after it.
// guard: redis: a patrol that waited for Postgres comes again soon
func TestPatrolWhoseSourceHangs(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.after(5 * time.Second)
		k.truth.hang("AppliedPositions")
		k.after(sourceTimeout)
		k.truth.hang("")
		k.server.HSet("p:batter:{1}", "pitches", "many")
		k.expect(t, 2*time.Minute, "swept") // within the five minutes of a sweep
		k.isWhole(t)
	})
}

// guard: redis: the positions that wait for a sweep are bounded
func TestPositionsThatWaitForASweepAreBounded(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.after(0)
		reached, letGo := k.truth.hold("PlayerSeqs")
		k.RequestSweep()
		<-reached
		for n := range int64(1000) {
			k.pitch(t.Context(), 1, n+1)
		}
		k.Keeper.mu.Lock()
		pending := len(k.Keeper.pending)
		k.Keeper.mu.Unlock()
		if pending != 1 {
			t.Errorf("%d positions are kept of one partition", pending)
		}
		letGo()
		k.after(time.Second)
		k.well(t)
	})
}

// Another processor sweeps, or Postgres is unavailable, just when a gap is due.
// guard: redis: a gap waits for a sweep that succeeds
func TestKeeperKeepsAGapInMind(t *testing.T) {
	for name, hinder := range map[string]func(tr *truth, on bool){
		"another sweeps": (*truth).lock,
		"no Postgres": func(tr *truth, on bool) {
			tr.beforeEach(nil)
			if on {
				tr.beforeEach(func(string) error { return errors.New("no Postgres") })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			keep(t, func(t *testing.T, k *kept) {
				k.pitch(t.Context(), 1, 1)
				k.after(time.Minute)
				hinder(k.truth, true)
				k.truth.change(1, "lost", 2)
				k.pitch(t.Context(), 1, 2)
				k.after(30 * time.Second)
				hinder(k.truth, false)
				k.expect(t, 5*time.Second, "swept")
				k.well(t)
				k.isWhole(t)
			})
		})
	}
}

// Another processor's snapshot of the same batter is late, or lost: this one's says that something came
// before.
func TestKeeperLooksAtAGapLater(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.pitch(t.Context(), 1, 1)
		k.after(time.Minute)
		k.truth.change(1, "lost", 2)
		k.pitch(t.Context(), 1, 2)
		k.pitch(t.Context(), 2, 2)
		k.expect(t, 2*time.Second, "pushed", "swept") // and was well all the time
		k.well(t)
		k.isWhole(t)
		k.truth.change(1, "lost", 3)
		k.pitch(t.Context(), 1, 4)
		k.expect(t, 8*time.Second, "pushed")
		k.expect(t, 3*time.Second, "swept")
		k.isWhole(t)
	})
}

// A key in the way of one batter does not stop the others, and is gone soon.
func TestKeeperWithAKeyInTheWay(t *testing.T) {
	keep(t, func(t *testing.T, k *kept) {
		k.after(0)
		_ = k.server.Set("p:batter:{1}:game:g", "in the way")
		k.pitch(t.Context(), 1, 1)
		k.expect(t, time.Second, "push failed", "mending", "swept", "ok")
		k.well(t)
	})
}
