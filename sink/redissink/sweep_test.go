package redissink

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestSweepFillsAnEmptyRedis(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		for id := range int64(170) {
			for g := range id % 5 {
				w.truth.change(id, "g"+strconv.FormatInt(g, 10), (id+g)%4)
			}
		}
		w.truth.move(3, 77)
		if rep := w.sweep(t); rep != (SweepReport{Checked: 136, Repaired: 136}) {
			t.Errorf("%+v", rep)
		}
		w.isWhole(t)
		if a := w.applied(t); a["pitches.raw/3"] != 77 {
			t.Errorf("applied: %v", a)
		}
		if rep := w.sweep(t); rep != (SweepReport{Checked: 136}) {
			t.Errorf("again: %+v", rep)
		}
	})
}

func TestSweepAfterAFlushOrTheLossOfOneKey(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1), w.truth.change(2, "a", 1), w.truth.change(3, "a", 1))
		w.push(t, w.truth.change(3, "a", 0))
		w.sweep(t)
		for i, lose := range [][]string{{w.overall(1)}, {w.gone(3)}, w.allKeys(t)} {
			w.client.Del(t.Context(), lose...)
			if rep := w.sweep(t); rep.Repaired != []int{1, 1, 3}[i] {
				t.Errorf("without %v: %+v", lose, rep)
			}
			w.isWhole(t)
		}
	})
}

// Redis ahead of Postgres, which was restored from a backup: another past, in which games and a batter are
// that Postgres has never heard of.
func TestSweepAfterPostgresCameBackOlder(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1), w.truth.change(2, "a", 1), w.truth.change(3, "a", 1))
		w.sweep(t)
		w.advanced(t, false, w.truth.move(0, 10))
		backup := w.truth.backup()
		w.push(t, w.truth.change(1, "a", 2), w.truth.change(2, "a", 0), w.truth.change(9, "lost", 4))
		w.push(t, w.truth.change(1, "lost", 2))
		w.advanced(t, false, w.truth.move(0, 20), w.truth.move(1, 5))
		w.truth.restore(backup)
		other := w.again(t)
		if rep := w.sweep(t); rep != (SweepReport{Checked: 4, Repaired: 3, Forced: 3, Dropped: 1}) {
			t.Errorf("%+v", rep)
		}
		w.isWhole(t)
		if a := w.applied(t); len(a) != 1 || a["pitches.raw/0"] != 10 {
			t.Errorf("applied: %v", a)
		}
		if rep := other.sweep(t); rep.Repaired != 0 {
			t.Errorf("again: %+v", rep)
		}
	})
}

// Only a batter's sequence number shows that Postgres was restored.
func TestSweepFindsGamesOfALostPast(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.loseThePast(t)
		if rep := w.sweep(t); rep != (SweepReport{Checked: 1, Repaired: 1, Forced: 1}) {
			t.Errorf("%+v", rep)
		}
		w.isWhole(t)
	})
}

// Only a position shows that Postgres was restored, which no longer knows the batter.
func TestSweepFindsABatterOfALostPast(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1))
		w.sweep(t)
		backup := w.truth.backup()
		if lost, err := w.Push(t.Context(), []schemas.Snapshot{w.truth.change(2, "a", 2)}, []schemas.Position{w.truth.move(0, 1)}); lost || err != nil {
			t.Errorf("lost %t, %v", lost, err)
		}
		w.truth.restore(backup)
		if rep := w.sweep(t); rep != (SweepReport{Checked: 2, Repaired: 1, Forced: 1, Dropped: 1}) {
			t.Errorf("%+v", rep)
		}
		w.isWhole(t)
	})
}

// A processor goes on from the restored Postgres before any sweep. Its sequence numbers are greater than
// those of the lost past, but its PrevSeq is not the version that Redis holds.
func TestPushOverALostPast(t *testing.T) {
	for name, between := range map[string]func(*testing.T, *redisTest){
		"in order":     func(*testing.T, *redisTest) {},
		"after a gap":  func(t *testing.T, w *redisTest) { w.truth.change(1, "a", 3) },
		"sweep midway": func(t *testing.T, w *redisTest) { w.sweep(t) },
	} {
		t.Run(name, func(t *testing.T) {
			eachServer(t, func(t *testing.T, w *redisTest) {
				w.push(t, w.truth.change(1, "a", 1))
				backup := w.truth.backup()
				w.push(t, w.truth.change(1, "lost", 2))
				w.truth.restore(backup)
				between(t, w)
				found, err := w.pushSnapshots(t.Context(), []schemas.Snapshot{w.truth.change(1, "b", 2)})
				if err != nil || name == "in order" && found != foundLoss {
					t.Errorf("found %d, %v", found, err)
				}
				w.push(t, w.truth.change(1, "b", 3))
				w.sweep(t)
				w.isWhole(t)
			})
		})
	}
}

// The first snapshot after the restore comes late: the stored one is newer, but followed on the lost past.
func TestALateSnapshotOverALostPast(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.loseThePast(t)
		late := w.truth.change(1, "b", 2)
		for _, push := range []struct {
			snap  schemas.Snapshot
			found int64
		}{{w.truth.change(1, "c", 2), foundGap}, {late, foundLoss}} {
			found, err := w.pushSnapshots(t.Context(), []schemas.Snapshot{push.snap})
			if err != nil || found != push.found {
				t.Errorf("found %d, want %d, %v", found, push.found, err)
			}
		}
		if v, err := stateOf(t, w.Reader, w.truth.side, 1, ""); err != nil || !v.Suspect || w.whole(t, 1) != -1 {
			t.Errorf("%+v, %v", v, err)
		}
		w.sweep(t)
		w.isWhole(t)
	})
}

// The lost past had a gap, so whole is older than the snapshot's PrevSeq.
func TestPushOverALostPastThatHadAGap(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1))
		w.truth.change(1, "missed", 1)
		backup := w.truth.backup()
		w.push(t, w.truth.change(1, "lost", 2))
		w.truth.restore(backup)
		found, err := w.pushSnapshots(t.Context(), []schemas.Snapshot{w.truth.change(1, "b", 2)})
		if err != nil || found != foundLoss {
			t.Errorf("found %d, %v", found, err)
		}
		w.sweep(t)
		w.isWhole(t)
	})
}

// While a sweep reads Postgres and writes Redis, a push comes in between at every step.
func TestPushesDuringASweep(t *testing.T) {
	for _, method := range []string{"AppliedPositions", "PlayerSeqs", "PlayerSnapshots"} {
		t.Run(method, func(t *testing.T) {
			eachServer(t, func(t *testing.T, w *redisTest) {
				w.push(t, w.truth.change(1, "a", 1), w.truth.change(2, "a", 1))
				w.truth.change(1, "missed", 1)
				w.truth.change(2, "missed", 1)
				w.truth.beforeEach(func(m string) error {
					if m == method {
						w.push(t, w.truth.change(1, "a", 4), w.truth.change(7, "new", 1))
					}
					return nil
				})
				rep := w.sweep(t)
				if rep.Forced != 0 {
					t.Errorf("%+v", rep)
				}
				w.isTrue(t)
				w.truth.beforeEach(nil)
				w.sweep(t)
				w.isWhole(t)
			})
		})
	}
}

// A newer snapshot is pushed between the reading of a repair's snapshot and its arrival.
func TestAnOvertakenRepairDoesNotTakeBack(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1))
		w.truth.change(1, "missed", 1)
		overtaken := &overtaken{w.truth, func() { w.push(t, w.truth.change(1, "a", 4)) }}
		if _, err := w.Sweep(t.Context(), overtaken); err != nil {
			t.Fatal(err)
		}
		w.isTrue(t)
	})
}

// A push after Postgres was read is not mistaken for a lost past.
func TestAPushDuringASweepIsNotForced(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1))
		newer := &newer{w.truth, func() { w.push(t, w.truth.change(1, "a", 4), w.truth.change(2, "a", 4)) }}
		if rep, err := w.Sweep(t.Context(), newer); err != nil || rep.Repaired != 0 {
			t.Errorf("%+v, %v", rep, err)
		}
		w.isWhole(t)
	})
}

// newer is a truth that goes on right after its sequence numbers were read.
type newer struct {
	*truth
	then func()
}

func (n *newer) PlayerSeqs(ctx context.Context, side schemas.Side) ([]schemas.PlayerSeq, error) {
	seqs, err := n.truth.PlayerSeqs(ctx, side)
	if side == n.side {
		n.then()
	}
	return seqs, err
}

// A snapshot that a sweep found missing was only late: it arrives, with a newer one, before the repair.
func TestARepairThatComesTooLateLeavesNoGap(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1))
		late := w.truth.change(1, "b", 1)
		overtaken := &overtaken{w.truth, func() {
			w.push(t, late)
			w.push(t, w.truth.change(1, "a", 4))
		}}
		if _, err := w.Sweep(t.Context(), overtaken); err != nil {
			t.Fatal(err)
		}
		w.isWhole(t)
	})
}

// overtaken is a truth that goes on right after its snapshots were read.
type overtaken struct {
	*truth
	then func()
}

func (o *overtaken) PlayerSnapshots(
	ctx context.Context, side schemas.Side, ids []int64,
) ([]schemas.Snapshot, error) {
	snaps, err := o.truth.PlayerSnapshots(ctx, side, ids)
	o.then()
	return snaps, err
}

func TestABatterThatIsWrittenAlwaysIsNotForced(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1))
		backup := w.truth.backup()
		w.push(t, w.truth.change(1, "a", 2))
		w.truth.restore(backup)
		n := 0
		restless := &overtaken{w.truth, func() {
			if n++; n < 3 {
				w.push(t, w.truth.change(1, "b", int64(n)))
			}
		}}
		if _, err := w.Sweep(t.Context(), restless); err != nil {
			t.Fatal(err)
		}
		w.isWhole(t)
		w.truth.restore(backup)
		n = -100
		if _, err := w.Sweep(t.Context(), restless); err == nil {
			t.Error("no error")
		}
	})
}

// A flush while a sweep fills Redis: what was filled before is gone, and applied must not say otherwise.
func TestAFlushDuringASweepIsNoticed(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		for id := range int64(60) {
			w.truth.change(id, "a", 1)
		}
		w.truth.move(0, 60)
		calls := 0
		w.truth.beforeEach(func(method string) error {
			if method == "PlayerSnapshots" {
				if calls++; calls == 2 {
					w.client.FlushAll(t.Context())
				}
			}
			return nil
		})
		if _, err := w.Sweep(t.Context(), w.truth); !errors.Is(err, errLostMidway) {
			t.Errorf("sweep: %v", err)
		}
		if a := w.applied(t); len(a) != 0 {
			t.Errorf("applied: %v", a)
		}
		w.sweep(t)
		w.isWhole(t)
	})
}

// guard: redis: a scan that is requested during a sweep is done by the next one
func TestAScanThatIsRequestedDuringASweepIsDone(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1))
		w.sweep(t)
		w.truth.beforeEach(func(method string) error {
			if method == "PlayerSeqs" {
				w.requestScan()
			}
			return nil
		})
		w.sweep(t)
		w.truth.beforeEach(nil)
		w.client.HSet(t.Context(), w.inGame(2, "never"), "pitches", 99) // only a scan of all keys finds it
		w.sweep(t)
		w.isWhole(t)
	})
}

func TestSweepStopsAtErrorsOfTheSource(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.truth.change(1, "a", 1)
		w.truth.move(0, 1)
		for _, method := range []string{"TryLock", "AppliedPositions", "PlayerSeqs", "PlayerSnapshots"} {
			failed := errors.New("no " + method)
			w.truth.beforeEach(func(m string) error {
				if m == method {
					return failed
				}
				return nil
			})
			_, err := w.Sweep(t.Context(), w.truth)
			if source := (*sourceError)(nil); !errors.Is(err, failed) || !errors.As(err, &source) {
				t.Errorf("%s: %v", method, err)
			}
			if a := w.applied(t); len(a) != 0 {
				t.Errorf("%s: applied: %v", method, a)
			}
			if w.truth.sweeping {
				t.Errorf("%s: the lock was kept", method)
			}
		}
		w.truth.beforeEach(nil)
		w.truth.lock(true)
		if _, err := w.Sweep(t.Context(), w.truth); !errors.Is(err, ErrSweeping) {
			t.Errorf("locked: %v", err)
		}
	})
}

func TestRebuildWritesAllAnew(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(1, "a", 1), w.truth.change(2, "a", 1))
		w.client.Del(t.Context(), w.inGame(1, "a"))
		w.client.HSet(t.Context(), w.inGame(2, "a"), "pitches", 99)
		w.client.HSet(t.Context(), w.inGame(2, "never"), "pitches", 99)
		w.client.HSet(t.Context(), w.overall(3), "pitches", 99)
		w.client.HSet(t.Context(), w.overall(4)+"x", "not", "ours")
		rep, err := w.Rebuild(t.Context(), w.truth)
		if err != nil || rep != (SweepReport{Checked: 3, Repaired: 3, Forced: 1, Dropped: 1}) {
			t.Errorf("%+v, %v", rep, err)
		}
		w.client.Del(t.Context(), w.overall(4)+"x")
		w.isWhole(t)
	})
}

// Other prefixes on the same server, also one that a pattern could be taken for, are left alone.
func TestSweepLooksAtItsOwnPrefixOnly(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		base := string(w.keys)
		w.keys = keys(base + "*:")
		w.client.HSet(t.Context(), base+"other:batter:{5}", "seq", 1)
		w.client.HSet(t.Context(), base+"*:batter:{6}", "seq", 1)
		if rep := w.sweep(t); rep.Dropped != 1 {
			t.Errorf("%+v", rep)
		}
		if n := w.client.Exists(t.Context(), base+"other:batter:{5}").Val(); n != 1 {
			t.Error("a neighbour's key was removed")
		}
	})
}

// Everything at once, at random: pushes lost and late, Redis flushed, Postgres restored. A sweep puts it
// right.
func TestASweepRepairsAnySequenceOfFaults(t *testing.T) {
	eachServer(t, func(t *testing.T, w *redisTest) {
		rapid.Check(t, func(rt *rapid.T) {
			w := w.anew(t)
			var late []schemas.Snapshot
			backup, offset := w.truth.backup(), int64(0)
			for range rapid.IntRange(1, 15).Draw(rt, "steps") {
				switch step := rapid.SampledFrom([]string{"push", "push", "push", "miss", "late", "flush", "back up", "restore", "sweep"}).Draw(rt, "step"); step {
				case "push", "miss":
					snap := w.truth.change(rapid.Int64Range(1, 2).Draw(rt, "batter"), rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "game"), rapid.Int64Range(0, 3).Draw(rt, "pitches"))
					offset++ // never the same again
					at := w.truth.move(0, offset)
					if step == "push" {
						if _, err := w.Push(t.Context(), []schemas.Snapshot{snap}, []schemas.Position{at}); err != nil {
							t.Fatal(err)
						}
					} else {
						late = append(late, snap)
					}
				case "late":
					if _, err := w.Push(t.Context(), late, []schemas.Position{w.truth.move(0, offset)}); err != nil {
						t.Fatal(err)
					}
					late = nil
				case "flush":
					w.clear(t)
				case "back up":
					backup = w.truth.backup()
				case "restore":
					w.truth.restore(backup)
					late = nil
					w.requestScan() // as RequestSweep does
				case "sweep":
					w.sweep(t)
					if wrong := w.wrong(t); wrong != "" {
						rt.Fatal(wrong)
					}
				}
			}
			w.sweep(t)
			if wrong := w.wrong(t) + w.gaps(t); wrong != "" {
				rt.Fatal("in the end: " + wrong)
			}
		})
	})
}

func TestCompareVersions(t *testing.T) {
	at := func(seq int64, hasRows bool) schemas.PlayerSeq {
		return schemas.PlayerSeq{Seq: seq, HasRows: hasRows}
	}
	for _, c := range []struct {
		name          string
		before, after schemas.PlayerSeq
		known         bool
		r             stored
		want          string
	}{
		{"the same", at(5, true), at(5, true), true, stored{seq: 5, whole: 5, current: true}, ""},
		{"pushed while we looked", at(5, true), at(7, true), true, stored{seq: 6, whole: 6, current: true}, ""},
		{"first seen while we looked", at(0, false), at(7, true), true, stored{seq: 7, whole: 7, current: true}, ""},
		{"nothing there", at(5, true), at(5, true), true, stored{}, schemas.DiffersOlder},
		{"an older one", at(5, true), at(5, true), true, stored{seq: 4, whole: 4, current: true}, schemas.DiffersOlder},
		{"with a gap", at(5, true), at(5, true), true, stored{seq: 5, whole: 3, current: true}, schemas.DiffersOlder},
		{"gone, without a tombstone", at(5, false), at(5, false), true, stored{}, schemas.DiffersOlder},
		{"a hash though gone", at(5, false), at(5, false), true, stored{seq: 5, whole: 5, current: true}, schemas.DiffersContent},
		{"ahead", at(5, true), at(5, true), true, stored{seq: 6, whole: 6, current: true}, schemas.DiffersNewer},
		{"over a lost past", at(5, true), at(5, true), true, stored{seq: 5, whole: -1, current: true}, schemas.DiffersNewer},
		{"unknown", at(0, false), at(0, false), false, stored{seq: 5, whole: 5, current: true}, schemas.DiffersExtra},
	} {
		if got := compareVersions(c.before, c.after, c.known, c.r); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestKeysAreRead(t *testing.T) {
	k := keys("p:")
	type key = schemas.PlayerKey
	for _, side := range schemas.Sides {
		for _, want := range []key{
			{Side: side, PlayerID: 12}, {Side: side, PlayerID: -3}, {Side: side, PlayerID: 12, GamePK: "}:game:"},
		} {
			if got, ok := k.parse(side, k.of(want)); !ok || got != want {
				t.Errorf("%q: %+v %t", k.of(want), got, ok)
			}
			if _, ok := k.parse(1-side, k.of(want)); ok {
				t.Errorf("%q is of both sides", k.of(want))
			}
		}
		if id, ok := k.parseGone(side, k.gone(side, 12)); !ok || id != 12 {
			t.Errorf("%q: %d %t", k.gone(side, 12), id, ok)
		}
		if _, ok := k.parseGone(1-side, k.gone(side, 12)); ok {
			t.Errorf("%q is of both sides", k.gone(side, 12))
		}
		for _, of := range []string{k.gone(side, 12), "p:%v:{x}", "p:%v:{1", "p:%v:{1}x", "p:%v:{1}:game:", "q:%v:{1}"} {
			if _, ok := k.parse(side, strings.Replace(of, "%v", side.String(), 1)); ok {
				t.Errorf("%q is no key of a %v", of, side)
			}
		}
	}
	long := k.of(key{PlayerID: 1, GamePK: strings.Repeat("é", 32)})
	if !strings.HasPrefix(long, "p:batter:{1}:game:é") {
		t.Error(long)
	}
}

// loseThePast has Redis hold of batter 1 what Postgres, restored from a backup, no longer knows.
func (w *redisTest) loseThePast(t *testing.T) {
	t.Helper()
	w.push(t, w.truth.change(1, "a", 1))
	w.sweep(t)
	backup := w.truth.backup()
	w.push(t, w.truth.change(1, "lost", 2))
	w.truth.restore(backup)
}
