package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/api"
)

// awayPostgres is this Postgres behind an address that hangs up on every client until it is back.
func (w *town) awayPostgres(t *testing.T) (flag string, back func()) {
	t.Helper()
	name, text, _ := strings.Cut(w.flags[1], "=")
	u, err := url.Parse(text)
	require.NoError(t, err)
	there := u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	u.Host = l.Addr().String()
	var answers atomic.Bool
	var all sync.WaitGroup
	all.Go(func() {
		for {
			outside, err := l.Accept()
			if err != nil {
				return
			}
			inside, err := net.Dial("tcp", there)
			if err != nil || !answers.Load() {
				_ = outside.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{inside, outside}, {outside, inside}} {
				all.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					_ = inside.Close()
					_ = outside.Close()
				})
			}
		}
	})
	t.Cleanup(func() { // after those who read through it
		_ = l.Close()
		all.Wait()
	})
	return name + "=" + u.String(), func() { answers.Store(true) }
}

// served is what a server says of a batter: the target, the pitches, stale or not; or the status alone.
func served(url string, batter int64) string {
	resp, err := http.Get(fmt.Sprintf("%s/v1/batters/%d", url, batter))
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	var body struct {
		Pitches int64
		Stale   bool
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != 200 {
		return fmt.Sprint(resp.StatusCode)
	}
	return fmt.Sprintf("%s %d stale=%t", resp.Header.Get(api.HeaderTarget), body.Pitches, body.Stale)
}

// A server that starts while Postgres is unavailable reads the promoted target, because Redis has a copy of
// the pointer. Its answers are marked stale until it has asked Postgres. Without the copy it answers nothing,
// and never from the target live.
// guard: switch: processors copy the pointer to Redis
func TestServeStartedWithoutPostgresReadsThePromotedTarget(t *testing.T) {
	w := twoTargets(t, 200)
	w.thin(t)
	for _, target := range []string{"live", "better"} {
		stop := sync.OnceFunc(w.feed(t, target))
		defer stop()
		w.fed(t, target)
	}
	batters := w.seenBy(t, "pitchstream_better").batters
	batter := slices.MaxFunc(slices.Collect(maps.Keys(batters)), func(a, b int64) int {
		return int(batters[a] - batters[b])
	})
	comesTo := func(url, want string) {
		t.Helper()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			require.Equal(c, want, served(url, batter))
		}, time.Minute, 20*time.Millisecond)
	}
	w.target(t, exitOK, "promote", "better", "--force", "--reason=it is thin, to be told apart")
	copied := w.prefix + "pointer"
	require.Eventually(t, func() bool {
		text, err := w.redis.Get(t.Context(), copied).Result()
		return err == nil && strings.Contains(text, `"better"`)
	}, time.Minute, 20*time.Millisecond, "processors copy it each second")

	away, back := w.awayPostgres(t)
	url := w.serve(t, away)
	comesTo(url, fmt.Sprintf("better %d stale=true", batters[batter]))
	back()
	comesTo(url, fmt.Sprintf("better %d stale=false", batters[batter]))

	away, back = w.awayPostgres(t)
	url = w.serve(t, away, "--redis-prefix=another:")
	require.Equal(t, "503", served(url, batter))
	back()
	comesTo(url, fmt.Sprintf("better %d stale=false", batters[batter]))
}
