package redissink

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "40") // the arguments, which are read later, win
	testkit.Main(m,
		// A cluster's client that was closed may still pause for 200 ms between two looks at the cluster's shape.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*clusterStateHolder).LazyReload.func1"))
}

// eachServer runs a test on a real Redis and on the one in memory that demonstrations use.
func eachServer(t *testing.T, f func(t *testing.T, w *redisTest)) {
	eachServerOfBatters(t, f)
	t.Run("redis, pitchers", func(t *testing.T) {
		w := newRedisTest(t, Config{URL: "redis://" + testkit.Redis(t)})
		w.truth.side = schemas.Pitcher
		f(t, w)
	})
}

// eachServerOfBatters runs a test that reads what only batters have.
func eachServerOfBatters(t *testing.T, f func(t *testing.T, w *redisTest)) {
	t.Run("redis", func(t *testing.T) { f(t, newRedisTest(t, Config{URL: "redis://" + testkit.Redis(t)})) })
	t.Run("miniredis", func(t *testing.T) { f(t, newRedisTest(t, Config{URL: "redis://" + miniredis.RunT(t).Addr()})) })
}

// overall, inGame and gone are keys of a player of the truth's side.
func (w *redisTest) overall(id int64) string { return w.inGame(id, "") }

func (w *redisTest) inGame(id int64, gamePK string) string {
	return w.keys.of(schemas.PlayerKey{Side: w.truth.side, PlayerID: id, GamePK: gamePK})
}

func (w *redisTest) gone(id int64) string { return w.keys.gone(w.truth.side, id) }

// redisTest is a Redis under test, and the truth that it must show.
type redisTest struct {
	*Sink
	*Reader // of the Sink
	truth   *truth
}

func (w *redisTest) Close() error { return w.Sink.Close() }

func newRedisTest(t testing.TB, cfg Config) *redisTest {
	t.Helper()
	if cfg.Prefix == "" {
		cfg.Prefix = testkit.Name(t) + ":"
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &redisTest{s, s.reader, newTruth()}
}

// again is another processor on the same Redis.
func (w *redisTest) again(t testing.TB) *redisTest {
	t.Helper()
	other := newRedisTest(t, w.cfg)
	other.truth = w.truth
	return other
}

// anew is a new processor on the same Redis, emptied.
func (w *redisTest) anew(t testing.TB) *redisTest {
	t.Helper()
	w.clear(t)
	s := &Sink{
		reader: w.Reader, scanRequests: 1, known: known{applied: map[string]int64{}},
		changes: &changeFeed{r: w.Reader, missed: true},
	}
	truth := newTruth()
	truth.side = w.truth.side
	return &redisTest{s, w.Reader, truth}
}

// clear loses all that was written under the prefix.
func (w *redisTest) clear(t testing.TB) {
	t.Helper()
	if all := w.allKeys(t); len(all) > 0 {
		if err := w.client.Del(t.Context(), all...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *redisTest) push(t testing.TB, snaps ...schemas.Snapshot) {
	t.Helper()
	if _, err := w.Push(t.Context(), snaps, nil); err != nil {
		t.Fatal(err)
	}
}

func (w *redisTest) sweep(t testing.TB) SweepReport {
	t.Helper()
	rep, err := w.Sweep(t.Context(), w.truth)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// dump returns the hashes of batters and applied: key → field → value.
func (w *redisTest) dump(t testing.TB) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, key := range w.allKeys(t) {
		name := strings.TrimPrefix(key, string(w.keys))
		kind, _, _ := strings.Cut(name, ":")
		if kind != "batter" && kind != "pitcher" && name != "applied" {
			continue
		}
		hash, err := w.client.HGetAll(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		all[name] = hash
	}
	return all
}

func (w *redisTest) allKeys(t testing.TB) (found []string) {
	t.Helper()
	var mu sync.Mutex
	err := w.eachMaster(t.Context(), func(ctx context.Context, c *redis.Client) error {
		it := c.Scan(ctx, 0, string(w.keys)+"*", 1000).Iterator()
		for it.Next(ctx) {
			mu.Lock()
			found = append(found, it.Val())
			mu.Unlock()
		}
		return it.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// isTrue fails the test unless Redis shows the truth, whatever whole and updated_at say.
func (w *redisTest) isTrue(t testing.TB) {
	t.Helper()
	if wrong := w.wrong(t); wrong != "" {
		t.Error(wrong)
	}
}

// isWhole fails the test unless Redis shows the truth, and says of every batter that nothing was missed.
func (w *redisTest) isWhole(t testing.TB) {
	t.Helper()
	if wrong := w.wrong(t) + w.gaps(t); wrong != "" {
		t.Error(wrong)
	}
}

func (w *redisTest) wrong(t testing.TB) string {
	t.Helper()
	got := w.dump(t)
	for _, hash := range got {
		delete(hash, "whole")
		delete(hash, "updated_at")
	}
	delete(got, "applied")
	if diff := cmp.Diff(w.truth.wanted(t), got); diff != "" {
		return "Redis is not as Postgres has it (-want +got):\n" + diff
	}
	return ""
}

func (w *redisTest) gaps(t testing.TB) (found string) {
	t.Helper()
	for name, hash := range w.dump(t) {
		of, ok := w.keys.parse(w.truth.side, string(w.keys)+name)
		if ok && of.GamePK == "" && hash["whole"] != hash["seq"] {
			found += fmt.Sprintf("player %d: seq %s, whole %s\n", of.PlayerID, hash["seq"], hash["whole"])
		}
	}
	return found
}

func (w *redisTest) applied(t testing.TB) map[string]int64 {
	t.Helper()
	a, err := w.Applied(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// truth is a Postgres of a few players of one side. The number of pitches says all of a player's stats.
type truth struct {
	side      schemas.Side
	mu        sync.Mutex
	clock     int64
	batters   map[int64]person
	positions map[string]schemas.Position
	sweeping  bool
	before    func(method string) error
	stuck     string // a method that does not answer
}

type person struct {
	seq   int64
	games map[string]game
}

type game struct{ seq, pitches int64 }

func newTruth() *truth {
	return &truth{
		clock: 1_758_000_000_000_000, batters: map[int64]person{}, positions: map[string]schemas.Position{},
	}
}

// change gives a batter in a game that many pitches, and says what Postgres would.
func (tr *truth) change(id int64, gamePK string, pitches int64) schemas.Snapshot {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.clock++
	p := tr.batters[id]
	prev := p.seq
	games := maps.Clone(p.games)
	if games == nil {
		games = map[string]game{}
	}
	games[gamePK] = game{tr.clock, pitches}
	tr.batters[id] = person{tr.clock, games}
	snap := tr.snapshot(id, tr.batters[id])
	snap.PrevSeq = prev
	snap.Games = slices.DeleteFunc(snap.Games, func(g schemas.GameStats) bool { return g.GamePK != gamePK })
	return snap
}

func (tr *truth) snapshot(id int64, p person) schemas.Snapshot {
	snap := schemas.Snapshot{Side: tr.side, PlayerID: id, Seq: p.seq}
	snap.UpdatedAt = schemas.TimeMS(p.seq / 1000)
	var sum int64
	for _, pk := range slices.Sorted(maps.Keys(p.games)) {
		g := p.games[pk]
		sum += g.pitches
		snap.Games = append(snap.Games, tr.state(pk, g.seq, g.pitches))
	}
	overall := tr.state("", p.seq, sum)
	snap.Stats, snap.Pitching = overall.Stats, overall.Pitching
	return snap
}

// state is what a player has with that many pitches.
func (tr *truth) state(gamePK string, seq, pitches int64) schemas.GameStats {
	g := schemas.GameStats{GamePK: gamePK, Seq: seq}
	if tr.side == schemas.Batter {
		g.Stats = stats(pitches)
	} else if pitches > 0 {
		g.Pitching = schemas.PitcherStatsOf(map[string]schemas.PitchSums{
			"slider":     {Pitches: pitches, Swings: pitches % 2, Speeds: 1, SpeedMPH: 90 + 1/float64(pitches)},
			"4-seam <&>": {InZone: 1, FirstMPH: schemas.Some(1400.0), LastMPH: schemas.Some(900.0)},
		}, stats(pitches).LastPitch)
	}
	return g
}

// stats have every value for even numbers of pitches and miss some for odd ones.
func stats(pitches int64) *schemas.Stats {
	if pitches == 0 {
		return nil
	}
	st := &schemas.Stats{
		Pitches: pitches, SwingCount: pitches / 2, ContactCount: pitches / 3,
		LastPitch:   &schemas.LastPitch{PitchID: schemas.PitchID{byte(pitches)}, EventTime: 1_727_561_077_926, PitchResult: "Strike"},
		ByPitchType: map[string]schemas.TypeCounts{"slider": {Pitches: pitches}, "unknown": {Swings: 1}, "4-seam <&>": {}},
	}
	if pitches%2 == 0 {
		st.WhiffCount, st.WhiffRatePct = 1, schemas.RatePct(1, st.SwingCount)
		st.MaxExitVelocityMPH = schemas.Some(100 + 1/float64(pitches))
		st.AvgAttackAngleDeg = schemas.Some(-1e-7 * float64(pitches))
		st.LastPitch.ExitVelocityMPH = schemas.Some(95.25)
	}
	return st
}

// wanted is what isTrue compares with.
func (tr *truth) wanted(t testing.TB) map[string]map[string]string {
	t.Helper()
	want := map[string]map[string]string{}
	add := func(name string, seq int64, g schemas.GameStats) {
		fields, err := encode(tr.side, g.Fields(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if fields == nil {
			return
		}
		hash := map[string]string{"seq": strconv.FormatInt(seq, 10)}
		for i := 0; i < len(fields); i += 2 {
			hash[fields[i].(string)] = fields[i+1].(string)
		}
		delete(hash, "updated_at")
		want[name] = hash
	}
	for id, p := range tr.batters {
		snap := tr.snapshot(id, p)
		add(fmt.Sprintf("%v:{%d}", tr.side, id), snap.Seq, snap.Overall())
		for _, g := range snap.Games {
			add(fmt.Sprintf("%v:{%d}:game:%s", tr.side, id, g.GamePK), g.Seq, g)
		}
	}
	return want
}

// move sets a position.
func (tr *truth) move(partition int32, next int64) schemas.Position {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	p := schemas.Position{Topic: "pitches.raw", Partition: partition, NextOffset: next}
	tr.positions[positionField(p)] = p
	return p
}

// backup is the truth as it is now. The clock of the copy goes on where the original's is when restored.
func (tr *truth) backup() *truth {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return &truth{
		side: tr.side, clock: tr.clock, batters: maps.Clone(tr.batters), positions: maps.Clone(tr.positions),
	}
}

func (tr *truth) restore(old *truth) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.batters, tr.positions = maps.Clone(old.batters), maps.Clone(old.positions)
}

func (tr *truth) call(ctx context.Context, method string) error {
	tr.mu.Lock()
	before, stuck := tr.before, tr.stuck
	tr.mu.Unlock()
	if stuck == method {
		<-ctx.Done()
		return ctx.Err()
	}
	if before != nil {
		if err := before(method); err != nil {
			return err
		}
	}
	tr.mu.Lock()
	return nil
}

// hang leaves a method without an answer; "" is none.
func (tr *truth) hang(method string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.stuck = method
}

// beforeEach has a function called before each method of Source.
func (tr *truth) beforeEach(f func(method string) error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.before = f
}

func (tr *truth) PlayerSeqs(
	ctx context.Context, side schemas.Side,
) (list []schemas.PlayerSeq, err error) {
	if side != tr.side {
		return nil, nil
	}
	if err := tr.call(ctx, "PlayerSeqs"); err != nil {
		return nil, err
	}
	defer tr.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(tr.batters)) {
		p := tr.batters[id]
		overall := tr.snapshot(id, p).Overall()
		list = append(list, schemas.PlayerSeq{PlayerID: id, Seq: p.seq, HasRows: overall.Fields() != nil})
	}
	return list, nil
}

func (tr *truth) PlayerSnapshots(
	ctx context.Context, side schemas.Side, ids []int64,
) (list []schemas.Snapshot, err error) {
	if side != tr.side {
		return nil, nil
	}
	if err := tr.call(ctx, "PlayerSnapshots"); err != nil {
		return nil, err
	}
	defer tr.mu.Unlock()
	for _, id := range ids {
		if p, ok := tr.batters[id]; ok {
			list = append(list, tr.snapshot(id, p))
		}
	}
	return list, nil
}

func (tr *truth) AppliedPositions(ctx context.Context) (list []schemas.Position, err error) {
	if err := tr.call(ctx, "AppliedPositions"); err != nil {
		return nil, err
	}
	defer tr.mu.Unlock()
	return slices.Collect(maps.Values(tr.positions)), nil
}

func (tr *truth) TryLock(ctx context.Context, name string) (release func(), ok bool, err error) {
	if err := tr.call(ctx, "TryLock"); err != nil {
		return nil, false, err
	}
	defer tr.mu.Unlock()
	if name != "sweep" {
		return nil, false, errors.New("unknown lock " + name)
	}
	if tr.sweeping {
		return nil, false, nil
	}
	tr.sweeping = true
	return func() { tr.lock(false) }, true, nil
}

// lock has another process take the lock, or give it back.
func (tr *truth) lock(taken bool) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.sweeping = taken
}

// stateOf reads one batter, in a game or (gamePK "") over all games.
func stateOf(
	t testing.TB, r *Reader, side schemas.Side, id int64, gamePK string,
) (*schemas.PlayerState, error) {
	t.Helper()
	states, err := r.States(t.Context(), []schemas.PlayerKey{{Side: side, PlayerID: id, GamePK: gamePK}})
	if err != nil {
		return nil, err
	}
	return states[0], nil
}

// whole is the sequence number up to which no snapshot of the batter is missing; −1: a sweep must replace
// them all.
func (w *redisTest) whole(t testing.TB, id int64) int64 {
	t.Helper()
	n, err := w.client.HGet(t.Context(), w.overall(id), "whole").Int64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}
