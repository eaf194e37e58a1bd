package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pitchstream/schemas"
)

// crossing is a Switch between two targets, each with a batter of as many pitches as tells which it is.
type crossing struct {
	*Switch
	t        *testing.T
	old, new *stores

	mu      sync.Mutex
	pointer schemas.Pointer
	err     error
	closed  map[string]bool
}

func newCrossing(t *testing.T, grace time.Duration) *crossing {
	t.Helper()
	c := &crossing{t: t, old: newStores(), new: newStores(), closed: map[string]bool{}}
	c.old.put(state(1, 10))
	c.new.put(state(1, 20))
	c.pointer.Target.Name = "live"
	var err error
	c.Switch, err = NewSwitch(t.Context(), SwitchConfig{
		API: Config{Build: "test", PollEvery: 10 * time.Millisecond}, Every: 5 * time.Millisecond, Grace: grace,
		Pointer: func(context.Context) (schemas.Pointer, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.pointer, c.err
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
		require.True(t, c.closed["live"], "everything that was opened is closed")
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
	require.Eventually(c.t, func() bool { is, n := c.sees(); return is == target && n == pitches }, 5*time.Second, 2*time.Millisecond)
}

func TestSwitchFollowsThePointer(t *testing.T) {
	c := newCrossing(t, 20*time.Millisecond)
	c.waitFor("live", "10")
	c.promote("better")
	c.waitFor("better", "20")
	require.Eventually(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.closed["live"] }, 5*time.Second, 2*time.Millisecond)
	c.promote("live")
	c.waitFor("live", "10")
	require.NoError(t, c.Ready(t.Context()))
}

// While the pointer cannot be read, the last target stands, whatever else was read; so it does where the next one cannot.
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
	held, goOn := make(chan bool), make(chan bool)
	release := sync.OnceFunc(func() { close(goOn) })
	defer release()
	var once sync.Once
	c.old.set(func() { c.old.onLook = func() { once.Do(func() { close(held); <-goOn }) } })
	type seen struct{ target, pitches string }
	answered := make(chan seen, 1)
	go func() { target, n := c.sees(); answered <- seen{target, n} }()
	<-held
	c.promote("better")
	require.Eventually(t, func() bool { return c.now.Load().target.Name == "better" }, 5*time.Second, 2*time.Millisecond)
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
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
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
