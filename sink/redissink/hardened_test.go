package redissink

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// A hardened server has renamed its dangerous commands away, has no default user, and wants a user's name.
// Everything works there; a login without the name is refused, and no password is in the error.
func TestAServerWithoutDangerousCommandsAndDefaultUser(t *testing.T) {
	t.Parallel()
	var args []string
	for _, command := range []string{
		"CONFIG", "FLUSHALL", "FLUSHDB", "KEYS", "DEBUG", "MONITOR", "SHUTDOWN", "SWAPDB", "REPLICAOF", "MIGRATE",
	} {
		args = append(args, "--rename-command", command, "")
	}
	args = append(args, strings.Fields("--user feed on >hush ~* &* +@all --user default off")...)
	addr := testkit.RedisProcess(t, args...).Addr
	w := newRedisTest(t, Config{URL: "redis://feed:hush@" + addr})
	w.sweep(t)
	w.push(t, w.truth.change(1, "700000", 3), w.truth.change(2, "700000", 4))
	w.isTrue(t)
	require.Empty(t, w.audit(t, quickly).Differences)
	require.NoError(t, w.client.Del(t.Context(), w.overall(1)).Err())
	quick := quickly
	quick.Repair = true
	require.NotEmpty(t, w.audit(t, quick).Differences)
	w.isTrue(t)
	admin := redis.NewClient(&redis.Options{Addr: addr, Username: "feed", Password: "hush"})
	defer admin.Close()
	require.ErrorContains(t, admin.FlushAll(t.Context()).Err(), "unknown command", "the test has renamed it")

	for url, want := range map[string]string{
		"redis://:hush@" + addr: "WRONGPASS", "redis://" + addr: "NOAUTH", "redis://feed:hushed@" + addr: "WRONGPASS",
	} {
		r, err := OpenReader(Config{URL: url})
		require.NoError(t, err)
		_, err = r.Applied(t.Context())
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hush")
		require.NoError(t, r.Close())
	}
}
