package redissink

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// guard: what is removed from Redis is below the prefix
func TestDropRemovesOnlyKeysBelowThePrefix(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1))
		w.sweep(t)
		other := newRedisTest(t, Config{URL: w.cfg.URL, Prefix: w.cfg.Prefix[:len(w.cfg.Prefix)-1] + "*:"}) // a pattern of it would match
		other.push(t, other.truth.change(2, "a", 1))
		other.sweep(t)
		before := w.dump(t)
		if removed, err := Drop(t.Context(), other.cfg); err != nil || removed == 0 {
			t.Fatal(removed, err)
		}
		if diff := cmp.Diff(before, w.dump(t)); diff != "" {
			t.Error(diff)
		}
		if state, err := stateOf(t, other.Reader, w.truth.side, 2, ""); state != nil || err != nil {
			t.Errorf("left: %v, %v", state, err)
		}
		keys := len(w.allKeys(t))
		if removed, err := Drop(t.Context(), w.cfg); err != nil || removed != int64(keys) {
			t.Fatal(removed, keys, err)
		}
		if left := w.allKeys(t); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}
