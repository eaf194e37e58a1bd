package redissink

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/pitchstream/pitchstream/schemas"
)

func miniredisAddr(t testing.TB) string { return miniredis.RunT(t).Addr() }

func (w *redisTest) advanced(t *testing.T, lost bool, positions ...schemas.Position) {
	t.Helper()
	got, err := w.Push(t.Context(), nil, positions)
	if err != nil || got != lost {
		t.Errorf("lost %t (want %t), %v", got, lost, err)
	}
}

func TestAppliedNeverGoesBack(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.advanced(t, false, w.truth.move(0, 10), w.truth.move(11, 7))
		w.advanced(t, false, w.truth.move(0, 9))
		w.advanced(t, false)
		if diff := cmp.Diff(map[string]int64{"pitches.raw/0": 10, "pitches.raw/11": 7}, w.applied(t)); diff != "" {
			t.Error(diff)
		}
	})
}

// An older copy of the data: its name is right, its positions are not.
func TestAppliedThatWentBackIsNoticed(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.sweep(t)
		w.advanced(t, false, w.truth.move(0, 10), w.truth.move(1, 20))
		w.client.HSet(t.Context(), w.keys.applied(), "pitches.raw/0", 9)
		if lost, err := w.check(t.Context()); err != nil || !lost {
			t.Errorf("check: lost %t, %v", lost, err)
		}
		w.advanced(t, true, w.truth.move(1, 21), w.truth.move(0, 11))
		if diff := cmp.Diff(map[string]int64{"pitches.raw/0": 9, "pitches.raw/1": 20}, w.applied(t)); diff != "" {
			t.Error("applied was moved:", diff)
		}
		w.sweep(t)
		w.advanced(t, false, w.truth.move(0, 12))
		if lost, err := w.check(t.Context()); err != nil || lost {
			t.Errorf("check after the sweep: lost %t, %v", lost, err)
		}
	})
}

// A flush before the first position of a partition is written: there is no position that could be missing.
func TestAFlushIsNoticedBeforeAPartitionsFirstPosition(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.sweep(t)
		w.client.FlushAll(t.Context())
		w.advanced(t, true, w.truth.move(0, 1))
		if a := w.applied(t); len(a) != 0 {
			t.Errorf("applied: %v", a)
		}
	})
}

// Another processor found the flush first and swept: this one, who may have pushed in between, must look for
// itself.
func TestAFlushRepairedByAnotherProcessIsNoticed(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.sweep(t)
		w.client.FlushAll(t.Context())
		w.again(t).sweep(t)
		if lost, err := w.check(t.Context()); err != nil || !lost {
			t.Errorf("lost %t, %v", lost, err)
		}
	})
}
