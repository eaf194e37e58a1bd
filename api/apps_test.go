package api

import (
	"context"
	"crypto/sha256"
	"math"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEachAppHasATokenAndLimitsOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStores()
		s.put(state(1, 1))
		k := newAsker(t, s, func(c *Config) {
			c.Token = "everybody"
			c.Apps = []App{{Name: "scoreboard", Token: "one", Rate: 2, Streams: 1}, {Name: "coach", Token: "two"}}
		})
		status := func(token string) int { return k.ask("/v1/batters/1", "Authorization: Bearer "+token).Code }
		require.Equal(t, 401, status("three"))
		for range 4 { // a burst of two seconds
			require.Equal(t, 200, status("one"))
		}
		w := k.ask("/v1/batters/1", "Authorization: Bearer one")
		require.Equal(t, 429, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Contains(t, w.Body.String(), "scoreboard")
		require.Equal(t, 200, status("two"), "another app's share is its own")
		require.Equal(t, 200, status("everybody"))
		time.Sleep(time.Second)
		require.Equal(t, 200, status("one"))

		ctx, cancel := context.WithCancel(t.Context())
		first, ended := open(k, ctx, "one"), make(chan struct{})
		go func() { defer close(ended); first() }()
		synctest.Wait()
		require.Equal(t, 1., value(t, k.metrics.appStreams.WithLabelValues("scoreboard")))
		require.Equal(t, 429, k.ask("/v1/batters/1/stream", "Authorization: Bearer one").Code)
		cancel()
		<-ended
		require.Equal(t, 0., value(t, k.metrics.appStreams.WithLabelValues("scoreboard")))
		require.Equal(t, 5., value(t, k.metrics.appRequests.WithLabelValues("scoreboard", "200"))-1, "the stream is one more")
		require.Equal(t, 2., value(t, k.metrics.appRequests.WithLabelValues("scoreboard", "429")))
	})
}

// open returns a function that reads a stream until its context ends.
func open(k *asker, ctx context.Context, token string) func() {
	r := httptest.NewRequestWithContext(ctx, "GET", "/v1/batters/1/stream", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return func() { k.ServeHTTP(httptest.NewRecorder(), r) }
}

// guard: api: an app has a token that is not empty
func TestAppsThatCannotBeToldApartAreRefused(t *testing.T) {
	for want, apps := range map[string][]App{
		"a name of its own":          {{Name: "a", Token: "1"}, {Name: "a", Token: "2"}},
		`not "shared"`:               {{Name: "shared", Token: "1"}},
		"lower-case":                 {{Name: "A b", Token: "1"}},
		"has no token":               {{Name: "a"}},
		"have the same token":        {{Name: "a", Token: "1"}, {Name: "b", Token: "1"}},
		"limits are 0, for none":     {{Name: "a", Token: "1", Rate: -1}},
		"at most 1000000 requests":   {{Name: "a", Token: "1", Rate: math.Inf(1)}},
		"none, or more":              {{Name: "a", Token: "1", Rate: math.NaN()}},
		"of an empty token":          {{Name: "a", Digest: sha256.Sum256(nil)}},
		"ends with a blank":          {{Name: "a", Token: "1 "}},
		"201 apps: want at most 200": make([]App, 201),
	} {
		_, err := New(Config{Apps: apps})
		require.ErrorContains(t, err, want)
	}
}

// A client that comes back after Retry-After is answered.
func TestAnAppIsToldWhenItMayComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAsker(t, newStores(), func(c *Config) { c.Apps = []App{{Name: "a", Token: "1", Rate: 0.3}} })
		ask := func() *httptest.ResponseRecorder { return k.ask("/v1/games", "Authorization: Bearer 1") }
		require.Equal(t, 200, ask().Code)
		w := ask()
		require.Equal(t, 429, w.Code)
		seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
		require.NoError(t, err)
		time.Sleep(time.Duration(seconds) * time.Second)
		require.Equal(t, 200, ask().Code)
		synctest.Wait()
	})
}
