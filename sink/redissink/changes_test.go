package redissink

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/push"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// calls returns how often a server was sent a command.
func calls(t *testing.T, c redis.UniversalClient, command string) int {
	t.Helper()
	info, err := c.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	found := regexp.MustCompile(`cmdstat_` + command + `:calls=(\d+)`).FindStringSubmatch(info)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	require.NoError(t, err)
	return n
}

// guard: redis: changed keys are read at once
func TestChangedKeysAreRepairedWithoutReadingTheOthers(t *testing.T) {
	const batters = 300
	w := newRedisTest(t, Config{URL: testkit.OwnRedis(t).Addr})
	var snaps []schemas.Snapshot
	for id := range int64(batters) {
		snaps = append(snaps, w.truth.change(id+1, "g", 4))
	}
	w.push(t, snaps...)
	_, c := watch(t, w)
	c.until(t, PhaseOK)
	eventually(t, "all keys were read once", func() bool { return calls(t, w.client, "hgetall") >= 3*batters })

	ctx := t.Context()
	for range 3 {
		before := calls(t, w.client, "hgetall")
		require.NoError(t, w.client.Set(ctx, w.overall(1), "in the way", 0).Err())
		require.NoError(t, w.client.Del(ctx, w.inGame(2, "g")).Err())
		require.NoError(t, w.client.RPush(ctx, w.inGame(2, "g"), "a").Err())
		require.NoError(t, w.client.ZAdd(ctx, w.gone(3), redis.Z{Member: "a"}).Err())
		require.NoError(t, w.client.HSet(ctx, w.overall(4), "pitches", "many").Err())
		require.NoError(t, w.client.HSet(ctx, w.inGame(5, "g"), "last_pitch", "{").Err())
		require.NoError(t, w.client.Del(ctx, w.overall(6)).Err())
		require.NoError(t, w.client.Set(ctx, w.overall(1_000_000), "of nobody", 0).Err())
		eventually(t, "they are repaired", func() bool {
			return w.client.Type(ctx, w.overall(1)).Val() == "hash" && w.client.Type(ctx, w.inGame(2, "g")).Val() == "hash" &&
				w.client.Exists(ctx, w.gone(3), w.overall(1_000_000)).Val() == 0 &&
				w.client.HGet(ctx, w.overall(4), "pitches").Val() == "4" &&
				w.client.HGet(ctx, w.inGame(5, "g"), "last_pitch").Val() != "{" && w.client.Exists(ctx, w.overall(6)).Val() == 1
		})
		require.Less(t, calls(t, w.client, "hgetall")-before, batters)
	}
	w.isWhole(t)
}

// guard: redis: a new connection may have missed changes
// guard: redis: the names of changed keys are bounded
func TestAllKeysAreReadAfterNamesMayHaveBeenMissed(t *testing.T) {
	w := newRedisTest(t, Config{URL: testkit.OwnRedis(t).Addr, Prefix: "ps:live:"})
	ctx, feed := t.Context(), w.Sink.changes
	missed := func(want bool) map[string]bool {
		t.Helper()
		names, ok := feed.take(ctx)
		require.Equal(t, want, !ok)
		return names
	}
	missed(true)
	feed.restart()
	require.NoError(t, w.client.HSet(ctx, "ps:live:batter:{1}", "a", "b").Err())
	require.NoError(t, w.client.Set(ctx, "other", "", 0).Err())
	require.Equal(t, map[string]bool{"ps:live:batter:{1}": true}, missed(false))
	require.Empty(t, missed(false))

	require.NoError(t, w.client.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
	missed(true)
	missed(true)
	feed.restart()
	missed(false)
	require.NoError(t, w.client.FlushAll(ctx).Err())
	missed(true)

	feed.restart()
	names := make([]any, maxChanges)
	for i := range names {
		names[i] = fmt.Sprint("ps:live:batter:{", i, "}")
	}
	require.NoError(t, feed.HandlePushNotification(ctx, push.NotificationHandlerContext{}, []any{"invalidate", names}))
	require.Len(t, missed(false), maxChanges)
	names = append(names, "one more")
	require.NoError(t, feed.HandlePushNotification(ctx, push.NotificationHandlerContext{}, []any{"invalidate", names}))
	require.Empty(t, missed(true))
}
