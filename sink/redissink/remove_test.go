package redissink

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// guard: what is removed from Redis is below the prefix
func TestRemoveLeavesWhatIsNotBelowThePrefix(t *testing.T) {
	eachServer(t, func(t *testing.T, w *world) {
		w.push(t, w.truth.change(1, "a", 1))
		w.sweep(t)
		other := newWorld(t, Config{URL: w.cfg.URL, Prefix: w.cfg.Prefix[:len(w.cfg.Prefix)-1] + "*:"}) // a pattern of it would match
		other.push(t, other.truth.change(2, "a", 1))
		other.sweep(t)
		before := w.dump(t)
		if err := Remove(t.Context(), other.cfg); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, w.dump(t)); diff != "" {
			t.Error(diff)
		}
		if state, err := other.Batter(t.Context(), 2); state != nil || err != nil {
			t.Errorf("left: %v, %v", state, err)
		}
		if err := Remove(t.Context(), w.cfg); err != nil {
			t.Fatal(err)
		}
		if left := w.allKeys(t); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}
