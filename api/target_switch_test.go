package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// crossing is a Switch between two targets. The number of a batter's pitches identifies the target.
type crossing struct {
	*Switch
	t        *testing.T
	old, new *stores

	mu      sync.Mutex
	pointer schemas.Pointer
	err     error
	copied  schemas.Pointer
	copyErr error
	reach   time.Duration
	closed  map[string]bool
}

func newCrossing(t *testing.T, grace time.Duration, before ...func(*crossing)) *crossing {
	t.Helper()
	c := &crossing{t: t, old: newStores(), new: newStores(), closed: map[string]bool{}, copyErr: errGone}
	c.old.put(state(1, 10))
	c.new.put(state(1, 20))
	c.pointer.Target.Name = "live"
	for _, set := range before {
		set(c)
	}
	var err error
	c.Switch, err = NewSwitch(t.Context(), SwitchConfig{
		API: Config{Build: "test", PollEvery: 10 * time.Millisecond}, Every: 5 * time.Millisecond, Grace: grace, Reach: c.reach,
		Pointer: func(context.Context) (schemas.Pointer, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.pointer, c.err
		},
		Copy: func(context.Context) (schemas.Pointer, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.copied, c.copyErr
		},
		Open: func(target schemas.Target) (Live, Store, func(), error) {
			s := map[string]*stores{"live": c.old, "better": c.new}[target.Name]
			if s == nil {
				return nil, nil, nil, errors.New("there is no such target")
			}
			return s, fakeStore{s}, func() { c.set(func() { c.closed[target.Name] = true }) }, nil
		},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		c.Close()
		require.True(t, c.closed["live"] || c.closed["better"], "everything that was opened is closed")
	})
	return c
}

func (c *crossing) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *crossing) promote(name string) {
	c.set(func() { c.pointer.Target.Name, c.pointer.Generation = name, c.pointer.Generation+1 })
}

// sees is which target an answer names, and how many pitches are in it.
func (c *crossing) sees() (target string, pitches string) {
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest("GET", "/v1/batters/1", nil))
	require.Equal(c.t, 200, w.Code, w.Body)
	_, rest, _ := strings.Cut(w.Body.String(), `"pitches":`)
	pitches, _, _ = strings.Cut(rest, ",")
	return w.Header().Get(HeaderTarget), pitches
}

func (c *crossing) waitFor(target, pitches string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		is, n := c.sees()
		return is == target && n == pitches
	}, time.Minute, 2*time.Millisecond)
}

func TestSwitchFollowsThePointer(t *testing.T) {
	c := newCrossing(t, 20*time.Millisecond)
	c.waitFor("live", "10")
	c.promote("better")
	c.waitFor("better", "20")
	require.Eventually(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.closed["live"] }, time.Minute, 2*time.Millisecond)
	c.promote("live")
	c.waitFor("live", "10")
	require.NoError(t, c.Ready(t.Context()))
}

// A target that has not read what readers have seen is gone over to when it has, or after a time.
//
// guard: switch: readers wait for what they have seen
func TestSwitchWaitsForWhatReadersHaveSeen(t *testing.T) {
	c := newCrossing(t, time.Millisecond, func(c *crossing) {
		c.reach = time.Minute
		c.old.apply("0", 5)
		c.new.apply("0", 4)
	})
	c.promote("better")
	asked := c.new.called("Seqs")
	require.Eventually(t, func() bool { return c.new.called("Seqs") > asked+3 }, time.Minute, time.Millisecond)
	target, _ := c.sees()
	require.Equal(t, "live", target)
	c.new.apply("0", 5)
	c.waitFor("better", "20")

	c = newCrossing(t, time.Millisecond, func(c *crossing) {
		c.reach = time.Millisecond
		c.old.apply("0", 5)
		c.new.apply("0", 4)
	})
	c.promote("better")
	c.waitFor("better", "20")
}

// guard: switch: a target that was left is let go
func TestSwitchLetsGoOfTheTargetsThatWereLeft(t *testing.T) {
	c := newCrossing(t, time.Millisecond)
	first := weak.Make(c.now.Load().api)
	for range 10 {
		c.promote("better")
		c.waitFor("better", "20")
		c.promote("live")
		c.waitFor("live", "10")
	}
	require.EventuallyWithT(t, func(check *assert.CollectT) {
		c.Switch.mu.Lock()
		defer c.Switch.mu.Unlock()
		assert.Empty(check, c.left)
	}, 10*time.Second, 2*time.Millisecond)
	require.Eventually(t, func() bool {
		runtime.GC()
		return first.Value() == nil
	}, 10*time.Second, 2*time.Millisecond, "the memory of an API that was left is free")
}

// A Switch keeps the last target while the pointer or the next target cannot be read.
func TestSwitchStaysWhereItCannotGo(t *testing.T) {
	c := newCrossing(t, time.Minute)
	c.promote("better")
	c.waitFor("better", "20")
	c.set(func() { c.err, c.pointer.Target.Name = errors.New("away"), "live" })
	looks := func() bool { c.old.beat(schemas.Heartbeat{}); is, _ := c.sees(); return is != "better" }
	require.Never(t, looks, 100*time.Millisecond, 5*time.Millisecond)
	c.set(func() { c.err, c.pointer.Target.Name = nil, "nowhere" })
	require.Never(t, looks, 100*time.Millisecond, 5*time.Millisecond)
	c.old.set(func() { c.old.liveErr, c.old.storeErr = errGone, errGone })
	c.set(func() { c.pointer.Target.Name = "live" })
	require.Never(t, looks, 100*time.Millisecond, 5*time.Millisecond)
	c.old.set(func() { c.old.liveErr, c.old.storeErr = nil, nil })
	c.waitFor("live", "10")
}

// A request that is under way when readers go over is answered as it began, by stores that are still open.
func TestSwitchLetsRequestsEnd(t *testing.T) {
	c := newCrossing(t, time.Minute)
	held, moveOn := make(chan bool), make(chan bool)
	release := sync.OnceFunc(func() { close(moveOn) })
	defer release()
	var isHeld atomic.Bool // only the first look waits
	c.old.set(func() {
		c.old.onLook = func() {
			if isHeld.CompareAndSwap(false, true) {
				close(held)
				<-moveOn
			}
		}
	})
	type seen struct{ target, pitches string }
	answered := make(chan seen, 1)
	go func() { target, n := c.sees(); answered <- seen{target, n} }()
	<-held
	c.promote("better")
	require.Eventually(t, func() bool { return c.now.Load().target.Name == "better" }, time.Minute, 2*time.Millisecond)
	c.waitFor("better", "20")
	c.set(func() { require.False(t, c.closed["live"]) })
	release()
	require.Equal(t, seen{"live", "10"}, <-answered)
}

// A stream goes over while it is open, and ends with the server.
func TestSwitchTakesStreamsAlong(t *testing.T) {
	c := newCrossing(t, time.Minute)
	server := httptest.NewServer(c)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/v1/batters/1/stream", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func(pitches int) {
		for lines.Scan() {
			if strings.Contains(lines.Text(), fmt.Sprintf(`"pitches":%d,`, pitches)) {
				return
			}
		}
		t.Fatalf("the stream ended before %d pitches: %v", pitches, lines.Err())
	}
	next(10)
	c.promote("better")
	next(20)
	c.new.put(state(1, 21))
	next(21)
	c.promote("live")
	next(10)
}

// answers gives what is answered: the target, the pitches, stale or not; or the status alone.
func (c *crossing) answers() string {
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest("GET", "/v1/batters/1", nil))
	if w.Code != 200 {
		return fmt.Sprint(w.Code)
	}
	var body struct {
		Pitches int
		Stale   bool
	}
	require.NoError(c.t, json.Unmarshal(w.Body.Bytes(), &body))
	return fmt.Sprintf("%s %d stale=%t", w.Header().Get(HeaderTarget), body.Pitches, body.Stale)
}

func (c *crossing) comesTo(answer string) {
	c.t.Helper()
	require.EventuallyWithT(c.t, func(check *assert.CollectT) {
		require.Equal(check, answer, c.answers())
	}, 30*time.Second, 2*time.Millisecond)
}

// A server that starts without the pointer follows its copy. Every answer is stale until the pointer
// has been read, because the copy may be older than a change.
func TestSwitchBeginsWithTheCopy(t *testing.T) {
	c := newCrossing(t, time.Minute, func(c *crossing) {
		c.err, c.copyErr = errGone, nil
		c.copied.Target.Name, c.copied.Generation = "better", 3
	})
	require.Equal(t, "better 20 stale=true", c.answers())
	require.NoError(t, c.Ready(t.Context()))
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest("GET", "/v1/stream", nil))
	require.Contains(t, w.Body.String(), `"stale":true`)
	c.set(func() { c.err, c.pointer.Target.Name, c.pointer.Generation = nil, "better", 3 })
	c.comesTo("better 20 stale=false")
}

// The pointer wins over a copy that is of before a change, and of after a restored backup, too.
func TestSwitchLeavesTheCopyForThePointer(t *testing.T) {
	c := newCrossing(t, time.Minute, func(c *crossing) {
		c.err, c.copyErr = errGone, nil
		c.copied.Target.Name, c.copied.Generation = "better", 3
	})
	require.Equal(t, "better 20 stale=true", c.answers())
	c.set(func() { c.err, c.pointer.Target.Name, c.pointer.Generation = nil, "live", 2 })
	c.comesTo("live 10 stale=false")
}

// A Switch refuses requests while the target is unknown, because it might read the wrong one.
func TestSwitchRefusesRequestsWhileTheTargetIsUnknown(t *testing.T) {
	c := newCrossing(t, time.Minute, func(c *crossing) { c.err = errGone })
	require.Equal(t, "503", c.answers())
	require.ErrorIs(t, c.Ready(t.Context()), errUnknown)
	for _, path := range []string{"/v1/games", "/v1/leaders?stat=pitches", "/v1/stream", "/v1/batters/1/stream"} {
		w := httptest.NewRecorder()
		c.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		require.Equal(t, 503, w.Code, path)
	}
	c.set(func() { c.copyErr, c.copied.Target.Name = nil, "live" })
	c.comesTo("live 10 stale=true")
	c.set(func() { c.err, c.pointer.Target.Name, c.pointer.Generation = nil, "better", 1 })
	c.comesTo("better 20 stale=false")
}

// A Switch that can no longer read the pointer follows only a newer copy.
func TestSwitchFollowsANewerCopy(t *testing.T) {
	c := newCrossing(t, time.Minute)
	c.promote("better")
	c.comesTo("better 20 stale=false")
	c.set(func() { c.err, c.copyErr, c.copied.Target.Name, c.copied.Generation = errGone, nil, "live", 0 })
	looks := func() bool {
		c.old.beat(schemas.Heartbeat{})
		c.new.beat(schemas.Heartbeat{})
		return c.answers() != "better 20 stale=false"
	}
	require.Never(t, looks, 100*time.Millisecond, 5*time.Millisecond)
	c.set(func() { c.copied.Generation = 2 })
	c.comesTo("live 10 stale=true")
	c.set(func() { c.err, c.pointer.Target.Name, c.pointer.Generation = nil, "live", 2 })
	c.comesTo("live 10 stale=false")
}
