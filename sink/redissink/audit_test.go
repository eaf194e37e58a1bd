package redissink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// quickly is for a Redis that no processor writes to.
var quickly = AuditOptions{Settle: 20 * time.Millisecond}

func (w *redisTest) audit(t testing.TB, o AuditOptions) AuditReport {
	t.Helper()
	rep, err := w.Audit(t.Context(), w.truth, o)
	require.NoError(t, err)
	return rep
}

// league fills Redis with so many batters, each with so many games, and gives their keys.
func (w *redisTest) league(t testing.TB, batters, games int64) []string {
	t.Helper()
	for id := range batters {
		for g := range games {
			w.truth.change(600_000+id, fmt.Sprint(700_000+g), 1+(id+g)%9)
		}
	}
	w.sweep(t)
	keys := slices.DeleteFunc(w.allKeys(t), func(key string) bool { return !strings.Contains(key, ":batter:") })
	require.Len(t, keys, int(batters*(1+games)))
	return keys
}

// dumps are all keys under the prefix as Redis would write them to disk.
func (w *redisTest) dumps(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range w.allKeys(t) {
		all[key] = w.client.Dump(t.Context(), key).Val()
	}
	return all
}

// breakages are what a person may do to a key by hand. Each gives the kind of difference that it makes.
var breakages = []struct {
	kind  string
	spoil func(t *testing.T, w *redisTest, key string)
}{
	{schemas.DiffersContent, func(t *testing.T, w *redisTest, key string) { w.hset(t, key, "pitches", "99") }},
	{schemas.DiffersContent, func(t *testing.T, w *redisTest, key string) { w.hdel(t, key, "contact_count") }},
	{schemas.DiffersContent, func(t *testing.T, w *redisTest, key string) { w.hset(t, key, "favourite_colour", "blue") }},
	{schemas.DiffersContent, func(t *testing.T, w *redisTest, key string) { w.hset(t, key, "updated_at", "1970-01-01T00:00:00.000Z") }},
	{schemas.DiffersContent, func(t *testing.T, w *redisTest, key string) { w.hset(t, key, "last_pitch", "{}") }},
	{schemas.DiffersContent, func(t *testing.T, w *redisTest, key string) { w.hdel(t, key, "seq") }},
	{schemas.DiffersMissing, func(t *testing.T, w *redisTest, key string) {
		must(t, w.client.Del(t.Context(), key).Err())
	}},
	{schemas.DiffersType, func(t *testing.T, w *redisTest, key string) {
		must(t, w.client.Set(t.Context(), key, "a string", 0).Err())
	}},
	{schemas.DiffersOlder, func(t *testing.T, w *redisTest, key string) { // a stale copy
		seq, err := w.client.HGet(t.Context(), key, "seq").Int64()
		must(t, err)
		w.hset(t, key, "seq", strconv.FormatInt(seq-1000, 10))
		w.hset(t, key, "pitches", "1000")
	}},
	{schemas.DiffersNewer, func(t *testing.T, w *redisTest, key string) { // from a past that Postgres has lost
		seq, err := w.client.HGet(t.Context(), key, "seq").Int64()
		must(t, err)
		w.hset(t, key, "seq", strconv.FormatInt(seq+1000, 10))
	}},
}

func (w *redisTest) hset(t *testing.T, key, field, value string) {
	t.Helper()
	must(t, w.client.HSet(t.Context(), key, field, value).Err())
}

func (w *redisTest) hdel(t *testing.T, key, field string) {
	t.Helper()
	must(t, w.client.HDel(t.Context(), key, field).Err())
}

// One in 500 of 10,200 keys is broken, and some are added that belong to no batter. Exactly those are found
// and repaired.
func TestAuditFindsAndRepairsExactlyTheBrokenKeys(t *testing.T) {
	w := newRedisTest(t, Config{URL: "redis://" + testkit.Redis(t)})
	keys := w.league(t, 200, 50)
	require.Empty(t, w.audit(t, quickly).Differences)
	right := w.dumps(t)

	broken := map[string]string{}
	for i, b := range breakages {
		for _, at := range []int{51 * (10*i + 3), 51*(10*i+7) + 10} { // one batter, one game
			b.spoil(t, w, keys[at])
			broken[keys[at]] = b.kind
		}
	}
	added := []string{w.overall(600_000) + ":game:800", w.overall(9), w.inGame(9, "7"),
		string(w.keys) + "batter:x", string(w.keys) + "batter:{007}"}
	for _, key := range added {
		w.hset(t, key, "pitches", "1")
		broken[key] = schemas.DiffersExtra
	}
	spoilt := w.dumps(t)

	rep := w.audit(t, quickly)
	require.Equal(t, broken, kinds(rep))
	require.EqualValues(t, len(keys)+len(added), rep.Keys)
	require.Zero(t, rep.Moving)
	require.Equal(t, spoilt, w.dumps(t), "looking changes nothing")

	repairing := quickly
	repairing.Repair = true
	rep = w.audit(t, repairing)
	require.Equal(t, broken, kinds(rep))
	for _, d := range rep.Differences {
		require.True(t, d.Repaired, d.Key)
	}
	require.Empty(t, w.audit(t, quickly).Differences)
	w.isTrue(t)
	now := w.dumps(t)
	for key := range broken {
		delete(right, key)
		delete(now, key)
	}
	require.Empty(t, cmp.Diff(withoutTombstones(right), withoutTombstones(now)), "a key was touched that was not broken")
	require.Zero(t, w.sweep(t).Forced)
}

func kinds(rep AuditReport) map[string]string {
	found := map[string]string{}
	for _, d := range rep.Differences {
		found[d.Key] += d.Kind // twice reported is wrong
	}
	return found
}

func withoutTombstones(all map[string]string) map[string]string {
	maps.DeleteFunc(all, func(key, _ string) bool { return strings.Contains(key, ":gone:") })
	return all
}

// A processor goes on during the audit, and pushes each change a while after its commit.
func TestAuditBesideAProcessorRaisesNoFalseAlarm(t *testing.T) {
	w := newRedisTest(t, Config{URL: "redis://" + testkit.Redis(t)})
	keys := w.league(t, 20, 10)
	spoilt := w.inGame(600_019, "700003") // of a batter who rests
	w.hset(t, spoilt, "pitches", "77")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error)
	go func() {
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for n := int64(0); ; n++ {
			snap := w.truth.change(600_000+n%15, fmt.Sprint(700_000+n%10), 1+n%50)
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-tick.C:
			}
			if _, err := w.Push(ctx, []schemas.Snapshot{snap}, nil); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
		}
	}()
	for range 10 {
		rep := w.audit(t, AuditOptions{Settle: 300 * time.Millisecond})
		require.Equal(t, map[string]string{spoilt: schemas.DiffersContent}, kinds(rep))
		require.EqualValues(t, len(keys), rep.Keys)
	}
	repaired := w.audit(t, AuditOptions{Settle: 300 * time.Millisecond, Repair: true})
	require.Equal(t, map[string]string{spoilt: schemas.DiffersContent}, kinds(repaired))
	stop()
	require.NoError(t, <-done)
	w.sweep(t)
	require.Empty(t, w.audit(t, quickly).Differences)
}

// A processor writes a newer state between the look and the repair.
func TestRepairNeverOverwritesANewerState(t *testing.T) {
	w := newRedisTest(t, Config{URL: "redis://" + testkit.Redis(t)})
	w.league(t, 1, 2)
	key := w.inGame(600_000, "700000")
	w.hset(t, key, "pitches", "77")
	a := &audit{sink: w.Sink, r: w.Reader, src: w.truth, o: quickly, suspects: map[string]suspect{}}
	snaps, err := currentStates(t.Context(), w.truth, schemas.Batter, []int64{600_000}, nil)
	require.NoError(t, err)
	parts, err := partsOf(w.keys, snaps[0])
	require.NoError(t, err)
	at := slices.IndexFunc(parts, func(p part) bool { return p.key == key })
	is, err := observe(t.Context(), w.client, []string{key})
	require.NoError(t, err)
	w.push(t, w.truth.change(600_000, "700000", 30))
	moved, err := a.repair(t.Context(), suspect{part: parts[at], is: is[0]})
	require.NoError(t, err)
	require.True(t, moved)
	w.isTrue(t)
}

func TestAuditFindsPositionsAheadOfPostgres(t *testing.T) {
	w := newRedisTest(t, Config{URL: "redis://" + testkit.Redis(t)})
	w.league(t, 1, 1)
	w.truth.move(0, 10)
	w.sweep(t)
	w.hset(t, w.keys.applied(), "pitches.raw/0", "11")
	repairing := quickly
	repairing.Repair = true
	require.Equal(t, map[string]string{w.keys.applied(): schemas.DiffersNewer}, kinds(w.audit(t, repairing)))
	require.Equal(t, map[string]int64{"pitches.raw/0": 10}, w.applied(t))
	require.Empty(t, w.audit(t, quickly).Differences)
}

// In a cluster, with the rights of a processor's user.
func TestAuditOfACluster(t *testing.T) {
	t.Parallel()
	addr, nodes := startCluster(t, 3)
	for _, admin := range nodes {
		setUser(t, admin, aclLine(t, "pitchstream"))
	}
	w := newRedisTest(t, Config{URL: "redis://pitchstream:a-password@" + addr + ",", Prefix: "ps:live:"})
	keys := w.league(t, 30, 3)
	broken := map[string]string{}
	for i, b := range breakages {
		b.spoil(t, w, keys[11*i])
		broken[keys[11*i]] = b.kind
	}
	w.hset(t, w.overall(9), "pitches", "1")
	broken[w.overall(9)] = schemas.DiffersExtra
	repairing := quickly
	repairing.Repair = true
	require.Equal(t, broken, kinds(w.audit(t, repairing)))
	require.Empty(t, w.audit(t, quickly).Differences)
	w.isTrue(t)
}

// atEachLook has a function called before each reading of batters from Postgres, with its number.
func (tr *truth) atEachLook(f func(look int)) {
	look := 0
	tr.beforeEach(func(method string) error {
		if method == "PlayerSnapshots" {
			look++
			f(look)
		}
		return nil
	})
}

// The push comes some looks after its commit.
func TestAuditWaitsForAPushOnItsWay(t *testing.T) {
	w := newRedisTest(t, Config{URL: "redis://" + testkit.Redis(t)})
	w.league(t, 1, 2)
	late := w.truth.change(600_000, "700000", 30)
	w.truth.atEachLook(func(look int) {
		if look == 4 {
			w.push(t, late)
		}
	})
	rep := w.audit(t, AuditOptions{Settle: 2 * time.Second})
	require.Empty(t, rep.Differences)
	require.Zero(t, rep.Moving)
}

// Redis is always one state behind.
func TestAuditLeavesAloneABatterThatMovesAtEveryLook(t *testing.T) {
	w := newRedisTest(t, Config{URL: "redis://" + testkit.Redis(t)})
	w.league(t, 1, 2)
	before := w.truth.change(600_000, "700000", 30)
	w.truth.atEachLook(func(look int) {
		w.push(t, before)
		before = w.truth.change(600_000, "700000", 30+int64(look))
	})
	rep := w.audit(t, AuditOptions{Settle: 40 * time.Millisecond, Repair: true})
	require.Empty(t, rep.Differences)
	require.EqualValues(t, 2, rep.Moving, "he and his game")
}
