package redissink

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// The rights that docs/REDIS.md gives a processor's user suffice for all that it does, and for nothing else.
func TestTheProcessorsUser(t *testing.T) {
	addr, admin := ownRedis(t)
	setUser(t, admin, aclLine(t, "pitchstream"))
	w := newRedisTest(t, Config{URL: "redis://pitchstream:a-password@" + addr, Prefix: "ps:live:"})
	require.NoError(t, everything(t, w))
	w.isWhole(t)
	_, _ = w.changes.take(t.Context())
	w.changes.restart()
	_, ok := w.changes.take(t.Context())
	require.True(t, ok, "it learns which keys are changed")
	requireNoOtherRights(t, w.client)
	require.NoError(t, admin.Get(t.Context(), "other:key").Err(), "another prefix is untouched")
}

func TestTheProcessorsUserOfACluster(t *testing.T) {
	addr, clients := startCluster(t, 3)
	for _, admin := range clients {
		setUser(t, admin, aclLine(t, "pitchstream"))
		setUser(t, admin, aclLine(t, "dashboard"))
	}
	w := newRedisTest(t, Config{URL: "redis://pitchstream:a-password@" + addr + ",", Prefix: "ps:live:"})
	require.NoError(t, everything(t, w))
	w.isWhole(t)
	r, err := OpenReader(Config{URL: "redis://dashboard:a-password@" + addr + ",", Prefix: "ps:live:"})
	require.NoError(t, err)
	defer r.Close()
	views, err := r.States(t.Context(), []schemas.PlayerKey{{PlayerID: 600_001}, {PlayerID: 600_002}})
	require.NoError(t, err)
	require.NotNil(t, views[0])
	states, pulse, err := r.Look(t.Context(), []schemas.PlayerKey{{PlayerID: 600_001}, {PlayerID: 600_002}})
	require.NoError(t, err)
	require.NotNil(t, states[0])
	require.NotEmpty(t, pulse.Epoch)
	_, _, err = r.Seqs(t.Context(), []schemas.PlayerKey{{PlayerID: 600_001}, {PlayerID: 9}})
	require.NoError(t, err)
}

// Without any of its commands something fails: the line says no more than is needed.
func TestTheProcessorsUserNeedsEachOfItsCommands(t *testing.T) {
	addr, admin := ownRedis(t)
	line := aclLine(t, "pitchstream")
	for _, word := range line {
		// A server that does not say is used too; some commands are for clusters and for people.
		if !strings.HasPrefix(word, "+") || slices.Contains([]string{"+info", "+dbsize", "+ping", "+readonly", "+cluster|slots", "+cluster|shards", "+client|tracking"}, word) {
			continue
		}
		require.NoError(t, admin.FlushAll(t.Context()).Err())
		require.NoError(t, admin.ScriptFlush(t.Context()).Err())
		require.NoError(t, admin.Do(t.Context(), "ACL", "DELUSER", "pitchstream").Err())
		setUser(t, admin, slices.DeleteFunc(slices.Clone(line), func(w string) bool { return w == word }))
		w := newRedisTest(t, Config{URL: "redis://pitchstream:a-password@" + addr, Prefix: "ps:live:"})
		err := everything(t, w)
		require.Error(t, err, word)
		require.Regexp(t, denied, err.Error(), word)
		_ = w.Close()
	}
}

func TestTheReadersUser(t *testing.T) {
	addr, admin := ownRedis(t)
	writer := newRedisTest(t, Config{URL: addr, Prefix: "ps:live:"})
	require.NoError(t, everything(t, writer))
	setUser(t, admin, aclLine(t, "dashboard"))
	r, err := OpenReader(Config{URL: "redis://dashboard:a-password@" + addr, Prefix: "ps:live:"})
	require.NoError(t, err)
	defer r.Close()
	view, err := stateOf(t, r, schemas.Batter, 600_001, "")
	require.NoError(t, err)
	require.NotNil(t, view)
	game, err := stateOf(t, r, schemas.Batter, 600_001, "700000")
	require.NoError(t, err)
	require.NotNil(t, game)
	_, err = r.Applied(t.Context())
	require.NoError(t, err)
	_, pulse, err := r.Look(t.Context(), []schemas.PlayerKey{{PlayerID: 600_001}})
	require.NoError(t, err)
	require.NotEmpty(t, pulse.Epoch)
	_, err = r.client.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		return p.HMGet(t.Context(), "ps:live:batter:{600001}", "pitches").Err()
	})
	require.NoError(t, err)
	requireNoOtherRights(t, r.client)
	for _, command := range []string{
		"HSET ps:live:batter:{600001} pitches 9", "DEL ps:live:batter:{600001}", "EXPIRE ps:live:applied 1", "SET ps:live:x 1",
		"EVAL return(1) 0", "SCAN 0", "RENAME ps:live:applied ps:live:x",
	} {
		requireNoPerm(t, r.client, command)
	}
}

// everything does all that a processor, a comparison and a rebuild do to a Redis.
func everything(t *testing.T, w *redisTest) error {
	t.Helper()
	ctx := t.Context()
	if _, err := w.Sweep(ctx, w.truth); err != nil {
		return err
	}
	snap := w.truth.change(600_001, "700000", 3)
	if _, err := w.Push(ctx, append([]schemas.Snapshot{snap}, w.truth.change(600_002, "700001", 2)), nil); err != nil {
		return err
	}
	if _, err := w.Push(ctx, []schemas.Snapshot{w.truth.change(600_002, "700001", 0)}, nil); err != nil { // his last pitch
		return err
	}
	if _, err := w.check(ctx); err != nil {
		return err
	}
	if err := w.Beat(ctx, "a", schemas.Heartbeat{}); err != nil {
		return err
	}
	if err := w.Rest(ctx, "a"); err != nil {
		return err
	}
	if err := w.WritePointer(ctx, "ps:live:", schemas.Pointer{Target: schemas.Target{Name: "live"}}); err != nil {
		return err
	}
	if _, err := w.Rebuild(ctx, w.truth); err != nil {
		return err
	}
	if _, _, err := w.Patrol(ctx, w.truth); err != nil {
		return err
	}
	if err := w.client.Set(ctx, w.overall(600_001), "in the way", 0).Err(); err != nil {
		return err
	}
	quick := quickly
	quick.Repair = true
	_, err := w.Audit(ctx, w.truth, quick)
	return err
}

func requireNoOtherRights(t *testing.T, c redis.UniversalClient) {
	t.Helper()
	for _, command := range []string{
		"FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "SHUTDOWN", "CONFIG SET maxmemory-policy allkeys-lru", "CONFIG GET requirepass",
		"ACL SETUSER pitchstream +@all", "ACL LIST", "KEYS *", "CLIENT KILL ID 1", "REPLICAOF NO ONE", "MONITOR",
		"GET other:key", "SET other:key 2", "DEL other:key", "HGETALL other:key", "HSET other:hash a b", "EVAL return(redis.call('GET','other:key')) 0",
		"EVALSHA 0 1 other:key", "RENAME other:key ps:live:mine", "MIGRATE host 1 ps:live:applied 0 1",
	} {
		requireNoPerm(t, c, command)
	}
}

func requireNoPerm(t *testing.T, c redis.UniversalClient, command string) {
	t.Helper()
	var args []any
	for _, word := range strings.Fields(command) {
		args = append(args, word)
	}
	err := c.Do(t.Context(), args...).Err()
	require.Error(t, err, command)
	require.Regexp(t, denied, err.Error(), command)
}

// denied is what a server says where a user's rights end, by itself and out of a script (Redis 6 and later).
const denied = `NOPERM|ACL failure in script|The user executing the script can't`

// ownRedis is a real server, with a key of another program, and its administrator.
func ownRedis(t *testing.T) (addr string, admin *redis.Client) {
	t.Helper()
	addr = testkit.OwnRedis(t).Addr
	admin = redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = admin.Close() })
	require.NoError(t, admin.Set(t.Context(), "other:key", "1", 0).Err())
	return addr, admin
}

// aclLine is what docs/REDIS.md says after ACL SETUSER for this user, with the name.
func aclLine(t *testing.T, user string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "REDIS.md"))
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if words := strings.Fields(line); len(words) > 3 && strings.HasPrefix(line, "ACL SETUSER "+user+" ") {
			return words[2:]
		}
	}
	t.Fatal("docs/REDIS.md has no line ACL SETUSER " + user)
	return nil
}

func setUser(t *testing.T, admin *redis.Client, words []string) {
	t.Helper()
	args := []any{"ACL", "SETUSER"}
	for _, word := range words {
		args = append(args, word)
	}
	require.NoError(t, admin.Do(t.Context(), args...).Err())
}
