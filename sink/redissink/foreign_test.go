package redissink

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// damages are what another program may put under one of these names: every other type, and contents of the
// right type that no processor writes.
func damages(ctx context.Context, c redis.UniversalClient, key string) map[string]func() error {
	all := map[string]func() error{
		"string":         func() error { return c.Set(ctx, key, "in the way", 0).Err() },
		"empty string":   func() error { return c.Set(ctx, key, "", 0).Err() },
		"no UTF-8":       func() error { return c.Set(ctx, key, "\xff\x00", 0).Err() },
		"list":           func() error { return c.RPush(ctx, key, "a").Err() },
		"set":            func() error { return c.SAdd(ctx, key, "a").Err() },
		"sorted set":     func() error { return c.ZAdd(ctx, key, redis.Z{Member: "a"}).Err() },
		"stream":         func() error { return c.XAdd(ctx, &redis.XAddArgs{Stream: key, Values: []string{"a", "b"}}).Err() },
		"another hash":   func() error { return c.HSet(ctx, key, "a", "b").Err() },
		"an empty field": func() error { return c.HSet(ctx, key, "", "").Err() },
	}
	remove := func(f func() error) func() error {
		return func() error {
			if err := c.Del(ctx, key).Err(); err != nil {
				return err
			}
			return f()
		}
	}
	for name, f := range all {
		all[name] = remove(f)
	}
	set := func(field, value string) {
		all[field+"="+value] = func() error { return c.HSet(ctx, key, field, value).Err() }
	}
	switch name := key[strings.LastIndex(key, ":")+1:]; {
	case strings.Contains(key, ":batter:"):
		for _, field := range []string{"seq", "pitches", "hard_hit_count", "whole"} {
			if field == "whole" && !strings.HasSuffix(key, "}") {
				continue
			}
			for _, value := range []string{"", "x", "1.5", "1e3", "0x10", "inf", "99999999999999999999"} {
				set(field, value)
			}
			if field != "whole" {
				all["no "+field] = func() error { return c.HDel(ctx, key, field).Err() }
			}
		}
		for _, value := range []string{"0", "-1", "9007199254740993", "9007199254740991"} {
			set("seq", value)
		}
		for _, value := range []string{"", "x", "NaN", "inf", "1e999"} {
			set("max_exit_velocity_mph", value)
		}
		for _, value := range []string{"", "x", "{", "[]", "5", "{\"pitch_id\":5}"} {
			set("last_pitch", value)
			set("by_pitch_type", value)
		}
		for _, value := range []string{"", "now", "5"} {
			set("updated_at", value)
		}
	case strings.Contains(key, ":gone:"):
		for _, field := range []string{"seq", "game:g"} {
			for _, value := range []string{"x", "inf", "-7", "9007199254740991"} {
				set(field, value)
			}
		}
	case name == "applied":
		for _, value := range []string{"", "x", "-5", "1.5", "inf", "0x10", "1e3", "99999999999999999999", "9000000000000000000"} {
			set("pitches.raw/0", value)
			set("pitches.raw/7", value)
			set("x", value)
		}
	case name == "heartbeat", name == "work":
		for _, value := range []string{"", "x", "{", "[]", "5", "{\"at\":"} {
			set("a", value)
			set("somebody", value)
		}
	case strings.Contains(key, "epoch:"):
		all["a name with a blank"] = func() error { return c.Set(ctx, key, "a b", 0).Err() }
		all["another name"] = func() error { return c.Set(ctx, key, "another", 0).Err() }
	case name == "pointer":
		all["broken JSON"] = func() error { return c.Set(ctx, key, "{", 0).Err() }
	}
	return all
}

// ourKeys are all keys that a processor writes. Player 2 has no row any more, so only a tombstone says so.
func (w *redisTest) ourKeys() []string {
	k := w.keys
	return []string{w.overall(1), w.inGame(1, "g"), w.gone(1), w.gone(2), k.applied(), k.epoch(), k.heartbeat(), k.work(), k.pointer()}
}

// beatOnce writes what a processor writes each second.
func (w *redisTest) beatOnce(ctx context.Context, phase Phase) error {
	h := schemas.Heartbeat{At: schemas.TimeMSOf(time.Now()), Phase: string(phase), Work: &schemas.Work{}}
	if err := w.Beat(ctx, "a", h); err != nil {
		return err
	}
	return w.WritePointer(ctx, string(w.keys), schemas.Pointer{Target: schemas.Target{Name: "live"}})
}

// healthy returns what is wrong under our names, "" for nothing.
func (w *redisTest) healthy(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	for _, key := range w.ourKeys() {
		want := "hash"
		if key == w.keys.epoch() || key == w.keys.pointer() {
			want = "string"
		}
		if got := w.client.Type(ctx, key).Val(); got != want && !(got == "none" && strings.Contains(key, ":gone:{1}")) {
			return key + " is a " + got
		}
	}
	_, pulse, err := w.Look(ctx, nil)
	if err != nil {
		return err.Error()
	}
	applied, err := w.Applied(ctx)
	h := pulse.Heartbeats["a"]
	switch {
	case err != nil:
		return err.Error()
	case h.Phase != string(PhaseOK) || h.Epoch == "" || h.Epoch != pulse.Epoch || len(pulse.Heartbeats) != 1:
		return "the pulse does not confirm"
	case len(applied) != 1 || applied["pitches.raw/0"] != w.truth.positions["pitches.raw/0"].NextOffset:
		return "applied is wrong"
	}
	for _, key := range []string{w.keys.heartbeat(), w.keys.work()} {
		for field, text := range w.client.HGetAll(ctx, key).Val() {
			if field != "a" || !json.Valid([]byte(text)) {
				return key + " has the field " + field
			}
		}
	}
	if _, err := w.Pointer(ctx); err != nil {
		return err.Error()
	}
	return w.wrong(t) + w.gaps(t)
}

// guard: what no reader can parse is found
// guard: a player with a broken key is written anew
// guard: an epoch that no processor wrote is replaced
// guard: a heartbeat takes the place of a key of another type
// guard: a key of another type does not hide the other keys
func TestWhateverIsPutUnderOurNamesIsRepairedWithinFiveSeconds(t *testing.T) {
	var names []string
	for _, key := range (&redisTest{Reader: &Reader{keys: "p:"}, truth: newTruth()}).ourKeys() {
		for name := range damages(t.Context(), nil, key) {
			names = append(names, key+"|"+name)
		}
	}
	slices.Sort(names)
	for _, isBusy := range []bool{false, true} {
		for _, name := range names {
			key, damage, _ := strings.Cut(name, "|")
			load := map[bool]string{false: "in the quiet", true: "under load"}[isBusy]
			t.Run(load+"/"+key+"/"+damage, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { repairsWithinFiveSeconds(t, key, damage, isBusy) })
			})
		}
	}
}

func repairsWithinFiveSeconds(t *testing.T, key, damage string, isBusy bool) {
	l := &line{server: miniredis.NewMiniRedis()}
	var log lockedLog
	w := newRedisTest(t, Config{Dialer: l.dial, URL: "memory:1", Prefix: "p:", Log: slog.New(slog.NewTextHandler(&log, nil))})
	k := NewKeeper(w.Sink, w.truth, Hooks{})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer func() {
		cancel()
		running.Wait()
		_ = w.Close()
		l.cut()
		l.server.Close()
		synctest.Wait()
	}()
	running.Go(func() { _ = k.Run(ctx) })
	every := func(d time.Duration, f func()) {
		running.Go(func() {
			for ctx.Err() == nil {
				f()
				time.Sleep(d)
			}
		})
	}
	every(time.Second, func() { _ = w.beatOnce(ctx, k.State().Phase) })
	offset := int64(0)
	pitch := func(id, pitches int64) {
		offset++
		snap, at := w.truth.change(id, "g", pitches), w.truth.move(0, offset)
		k.Push(ctx, []schemas.Snapshot{snap}, []schemas.Position{at})
	}
	pitch(1, 4)
	pitch(2, 2)
	pitch(2, 0)
	time.Sleep(4 * time.Second)
	synctest.Wait()
	require.Empty(t, w.healthy(t), "before")
	busy := func() {}
	if isBusy {
		busy = func() {
			pitch(3, offset%40)
			pitch(1, offset%40+1)
		}
	}
	log.reset()
	busy()
	require.NoError(t, damages(ctx, w.client, key)[damage]())
	for range 9 {
		busy()
		time.Sleep(500 * time.Millisecond)
	}
	time.Sleep(400 * time.Millisecond)
	synctest.Wait()
	require.Empty(t, w.healthy(t), "after 4.9 s; log:\n"+log.String())
	require.Equal(t, PhaseOK, k.State().Phase)
	isOverwritten := strings.HasSuffix(key, "pointer") || strings.HasSuffix(key, "work") ||
		strings.HasSuffix(key, "heartbeat") || isBusy && strings.Contains(key, "{1}")
	if !isOverwritten {
		require.Regexp(t, `level=WARN|no longer holds`, log.String())
	}
}

// lockedLog is a log that may be read while it is written.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// A real server answers other texts than the one in memory. Each damage is done to all keys at once.
func TestARealServerIsRepairedToo(t *testing.T) {
	w := newRedisTest(t, Config{URL: "redis://" + testkit.Redis(t)})
	k, c := watch(t, w)
	c.until(t, PhaseOK)
	ctx := t.Context()
	k.Push(ctx, []schemas.Snapshot{w.truth.change(1, "g", 4)}, []schemas.Position{w.truth.move(0, 1)})
	k.Push(ctx, []schemas.Snapshot{w.truth.change(2, "g", 2)}, []schemas.Position{w.truth.move(0, 2)})
	k.Push(ctx, []schemas.Snapshot{w.truth.change(2, "g", 0)}, []schemas.Position{w.truth.move(0, 3)})
	for _, damage := range slices.Sorted(maps.Keys(damages(ctx, nil, "p:"))) {
		for _, key := range w.ourKeys() {
			require.NoError(t, damages(ctx, w.client, key)[damage]())
		}
		eventually(t, damage+" is repaired", func() bool {
			return w.beatOnce(ctx, k.State().Phase) == nil && w.healthy(t) == ""
		})
	}
}
