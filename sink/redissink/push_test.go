package redissink

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// guard: sequence fence of Redis
// guard: a key that is gone is noticed by its tombstone
func TestSnapshotsInAnyOrderEndInTheSameState(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		rapid.Check(t, func(rt *rapid.T) {
			w := w.anew(t)
			var snaps []schemas.Snapshot
			for range rapid.IntRange(1, 8).Draw(rt, "changes") {
				snaps = append(snaps, w.truth.change(
					rapid.Int64Range(1, 2).Draw(rt, "batter"),
					rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "game"),
					rapid.Int64Range(0, 3).Draw(rt, "pitches")))
			}
			twice := append(slices.Clone(snaps), snaps[:rapid.IntRange(0, len(snaps)).Draw(rt, "repeated")]...)
			for _, snap := range rapid.Permutation(twice).Draw(rt, "order") {
				w.push(t, snap)
			}
			if wrong := w.wrong(t); wrong != "" {
				rt.Fatal(wrong)
			}
			w.sweep(t)
			if wrong := w.wrong(t) + w.gaps(t); wrong != "" {
				rt.Fatal("after a sweep: " + wrong)
			}
			if rep := w.sweep(t); rep.Repaired != 0 {
				rt.Fatalf("a second sweep repaired %+v", rep)
			}
		})
	})
}

func TestPushesInOrderLeaveNothingToRepair(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		var snaps []schemas.Snapshot
		for i := range int64(10) {
			snaps = append(snaps, w.truth.change(7, "g"+strconv.FormatInt(i%3, 10), i%4))
		}
		for _, snap := range append(snaps, snaps...) {
			w.push(t, snap)
		}
		w.isWhole(t)
		if rep := w.sweep(t); rep != (SweepReport{Checked: 1}) {
			t.Errorf("sweep: %+v", rep)
		}
	})
}

// Two snapshots of one batter never come in one push, but batters of one push may be a thousand, in pipelines
// of a megabyte.
func TestPushOfManyBatters(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		var snaps []schemas.Snapshot
		for id := range int64(1500) {
			snaps = append(snaps, w.truth.change(id, "1", 1+id%9))
		}
		w.push(t, snaps...)
		w.isWhole(t)
	})
}

func TestAMissingValueHasNoField(t *testing.T) {
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "g", 4))
		w.client.HSet(t.Context(), w.overall(1), "left_by_another_version", "1")
		w.push(t, w.truth.change(1, "g", 3))
		w.isTrue(t)
		if n := len(w.dump(t)["batter:{1}"]); n != 12 { // seven counts, two texts in JSON, seq, whole, updated_at
			t.Errorf("%d fields: %v", n, w.dump(t)["batter:{1}"])
		}
	})
}

// A processor pushes the same snapshot again after a crash.
func TestTheSameSnapshotIsWrittenAgain(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		snap := w.truth.change(1, "g", 4)
		w.push(t, snap)
		w.client.HSet(t.Context(), w.overall(1), "pitches", 99)
		w.client.HSet(t.Context(), w.inGame(1, "g"), "pitches", 99)
		w.push(t, snap)
		w.isWhole(t)
	})
}

// guard: sequence fence of Redis
// guard: a key that is gone is noticed by its tombstone
func TestTombstonesFenceOlderSnapshots(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		stood := w.truth.change(1, "g", 4)
		gone := w.truth.change(1, "g", 0)
		w.push(t, stood)
		w.push(t, gone)
		w.push(t, stood)
		w.isTrue(t)
		if got := w.dump(t); len(got) != 0 {
			t.Errorf("keys of a batter without rows: %v", got)
		}
		tombstone, err := w.client.HGetAll(t.Context(), w.gone(1)).Result()
		seq := strconv.FormatInt(gone.Seq, 10)
		if diff := cmp.Diff(map[string]string{"seq": seq, "whole": seq, "game:g": seq}, tombstone); diff != "" || err != nil {
			t.Errorf("tombstone, %v:\n%s", err, diff)
		}
		if ttl := w.client.TTL(t.Context(), w.gone(1)).Val(); ttl <= goneTTL*9/10 || ttl > goneTTL {
			t.Errorf("the tombstone stays for %v", ttl)
		}
		w.push(t, w.truth.change(1, "g", 2))
		w.isWhole(t)
		if n := w.client.Exists(t.Context(), w.gone(1)).Val(); n != 0 {
			t.Error("a tombstone of a batter who has rows")
		}
	})
}

func TestGamesWithWeirdNames(t *testing.T) {
	names := []string{"a}b{c", "ünïcödé ⚾ " + strings.Repeat("x", 40), ":game:", "{}", " ", "a\nb", strings.Repeat("}", 64), "\\*?[x]"}
	eachServer(t, func(t *testing.T, w *redisTest) {
		for i, name := range names {
			w.push(t, w.truth.change(1, name, int64(i+1)))
		}
		w.isWhole(t)
		for i, name := range names {
			v, err := stateOf(t, w.Reader, w.truth.side, 1, name)
			if err != nil || v == nil || *v.Fields()[0].(*int64) != int64(i+1) || v.GamePK != name {
				t.Errorf("game %q: %+v, %v", name, v, err)
			}
			w.push(t, w.truth.change(1, name, 0))
		}
		w.isTrue(t)
		w.client.FlushAll(t.Context())
		w.truth.change(1, names[0], 1)
		w.sweep(t)
		w.isWhole(t)
	})
}

func TestAGapIsKnownUntilASweep(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1))
		missed := w.truth.change(1, "b", 1)
		after := w.truth.change(1, "c", 1)
		found, err := w.pushSnapshots(t.Context(), []schemas.Snapshot{after})
		if err != nil || found != foundGap {
			t.Errorf("found %d, %v", found, err)
		}
		if v, _ := stateOf(t, w.Reader, w.truth.side, 1, ""); v.Seq != after.Seq || w.whole(t, 1) >= missed.Seq {
			t.Errorf("seq %d, whole %d", v.Seq, w.whole(t, 1))
		}
		w.push(t, w.truth.change(1, "c", 2)) // closes nothing
		if rep := w.sweep(t); rep != (SweepReport{Checked: 1, Repaired: 1}) {
			t.Errorf("sweep: %+v", rep)
		}
		w.isWhole(t)
		w.push(t, missed)
		w.isWhole(t)
	})
}

func TestNothingWhereSomethingShouldStandIsALoss(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		first := w.truth.change(1, "a", 1)
		w.push(t, first)
		w.client.FlushAll(t.Context())
		lost, err := w.Push(t.Context(), []schemas.Snapshot{w.truth.change(1, "a", 2)}, []schemas.Position{w.truth.move(0, 5)})
		if err != nil || !lost {
			t.Errorf("lost %t, %v", lost, err)
		}
		if a := w.applied(t); len(a) != 0 {
			t.Errorf("applied moved: %v", a)
		}
	})
}

// guard: a snapshot takes the place of a key of another type
// guard: an applied of another type is a lost one
// guard: an epoch of another type is a lost one
func TestASnapshotTakesThePlaceOfAKeyOfAnotherType(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		ctx := t.Context()
		w.push(t, w.truth.change(1, "a", 1))
		for _, key := range []string{w.overall(1), w.inGame(1, "b"), w.gone(1)} {
			w.client.Del(ctx, key)
			w.client.Set(ctx, key, "in the way", 0)
			found, err := w.pushSnapshots(ctx, []schemas.Snapshot{w.truth.change(1, "b", 2)})
			require.NoError(t, err)
			require.EqualValues(t, foundForeign, found)
			w.sweep(t)
			w.isWhole(t)
		}
		w.client.Del(ctx, w.keys.applied())
		w.client.Set(ctx, w.keys.applied(), "in the way", 0)
		lost, err := w.Push(ctx, nil, []schemas.Position{w.truth.move(0, 5)})
		require.NoError(t, err)
		require.True(t, lost)
		w.sweep(t)
		require.EqualValues(t, 5, w.applied(t)["pitches.raw/0"])
		w.client.Del(ctx, w.keys.epoch())
		w.client.LPush(ctx, w.keys.epoch(), "in the way")
		lost, err = w.Push(ctx, nil, []schemas.Position{w.truth.move(0, 6)})
		require.NoError(t, err)
		require.True(t, lost)
		w.sweep(t)
		require.EqualValues(t, 6, w.applied(t)["pitches.raw/0"])
	})
}

func TestAScriptThatTheServerForgotIsSentAgain(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		for i := range int64(3) {
			w.client.ScriptFlush(t.Context())
			w.push(t, w.truth.change(1, "a", i+1), w.truth.change(2, "a", i+1))
		}
		w.isWhole(t)
	})
}

// A server at its limit must refuse a snapshot as a whole, and must not be talked into growing beyond it.
func TestAServerWithoutMemoryKeepsWhatItHas(t *testing.T) {
	w := newRedisTest(t, Config{URL: "redis://" + testkit.OwnRedis(t).Addr})
	ctx := t.Context()
	w.push(t, w.truth.change(1, "a", 4))
	before := w.dump(t)
	w.client.ConfigSet(ctx, "maxmemory", "1")
	_, err := w.Push(ctx, []schemas.Snapshot{w.truth.change(1, "a", 5)}, []schemas.Position{w.truth.move(0, 1)})
	if !strings.Contains(fmt.Sprint(err), "OOM ") { // Redis 6 writes "ERR" before it
		t.Errorf("push: %v", err)
	}
	if diff := cmp.Diff(before, w.dump(t)); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
	w.client.ConfigSet(ctx, "maxmemory", "0")
	w.sweep(t)
	w.isWhole(t)
}

func TestSequenceNumbersBeyondLua(t *testing.T) {
	w := newRedisTest(t, Config{URL: "redis://" + miniredisAddr(t)})
	for _, seq := range []int64{-1, maxSeq + 1} {
		if _, err := w.Push(t.Context(), []schemas.Snapshot{{PlayerID: 1, Seq: seq}}, nil); err == nil {
			t.Errorf("%d was taken", seq)
		}
	}
	last := schemas.Snapshot{PlayerID: 1, Seq: maxSeq, PrevSeq: maxSeq - 1, Stats: stats(2)}
	before := schemas.Snapshot{PlayerID: 1, Seq: maxSeq - 1, Stats: stats(1)}
	w.push(t, last)
	w.push(t, before)
	if v, _ := stateOf(t, w.Reader, w.truth.side, 1, ""); v.Seq != maxSeq || v.Stats.Pitches != 2 {
		t.Errorf("%+v", v)
	}
}
