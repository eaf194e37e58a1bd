package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// readyz returns the status and body of a processor's /readyz; 0 while it does not answer.
func readyz(addr string) (status int, body string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

func redisClient(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { c.Close() })
	return c
}

// onRedis returns a stack with a Redis of its own, and the address where its processor says how it is.
func onRedis(t *testing.T, addr string) (w *stack.Stack, admin string) {
	t.Helper()
	w = stack.On(t, testkit.Kafka(t), testkit.Postgres(t), addr, 2)
	admin = testkit.FreeAddr()
	w.Env = append(w.Env, "PITCHSTREAM_ADMIN_ADDR="+admin)
	return w, admin
}

func TestARedisThatMayEvictIsRefusedWhileTheStreamGoesOn(t *testing.T) {
	w, admin := onRedis(t, testkit.OwnRedis(t, "--maxmemory-policy", "allkeys-lru").Addr)
	c := redisClient(t, w.Redis)
	stress(w, 5, 300)
	p := w.Start()
	w.WaitCaughtUp()
	w.WaitFor("readyz is ready and names Redis", func() bool {
		status, body := readyz(admin)
		return status == http.StatusOK && strings.Contains(body, "redis: refused: ") && strings.Contains(body, "noeviction")
	})
	batters, err := c.Keys(t.Context(), w.Name+":batter:*").Result()
	require.NoError(t, err)
	require.Empty(t, batters, "no batter is written to it")
	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	want := w.Expected()
	w.WaitFor("Redis is filled by itself", func() bool { return w.RedisDiffers(want) == nil })
	w.WaitFor("readyz names it no more", func() bool { _, body := readyz(admin); return !strings.Contains(body, "redis") })
	p.Halt()
	requireBooks(w, 1)
}

func TestKeysOfAnotherTypeAreReplacedWhileTheStreamGoesOn(t *testing.T) {
	w, admin := onRedis(t, testkit.OwnRedis(t).Addr)
	c := redisClient(t, w.Redis)
	stress(w, 6, 300)
	p := w.Start()
	w.WaitCaughtUp()
	for wave := range uint64(2) {
		keys, err := c.Keys(t.Context(), w.Name+":*").Result()
		require.NoError(t, err)
		for i, key := range keys {
			require.NoError(t, c.Del(t.Context(), key).Err())
			if i%2 == 0 {
				require.NoError(t, c.RPush(t.Context(), key, "in the way").Err())
			} else {
				require.NoError(t, c.Set(t.Context(), key, "in the way", 0).Err())
			}
		}
		if wave == 1 {
			stress(w, 7, 300) // under load
			w.WaitCaughtUp()
		}
		want := w.Expected()
		w.WaitFor("Redis is repaired", func() bool { return w.RedisDiffers(want) == nil })
		w.WaitFor("readyz names it no more", func() bool { _, body := readyz(admin); return !strings.Contains(body, "redis") })
	}
	p.Halt()
	requireBooks(w, 1)
}

func TestASentinelFailoverWhileTheStreamGoesOn(t *testing.T) {
	servers, sentinels := testkit.RedisSentinels(t, "pitches", nil)
	w, _ := onRedis(t, servers[0].Addr)
	w.Env = append(w.Env, "PITCHSTREAM_REDIS_URL=redis+sentinel://"+sentinels[0].Addr+","+sentinels[1].Addr+","+
		sentinels[2].Addr+"/pitches")
	p := w.Start()
	stress(w, 8, 200)
	w.WaitCaughtUp()
	replicas := redisClient(t, servers[0].Addr)
	w.WaitFor("both replicas are up to date", func() bool {
		return strings.Count(replicas.Info(t.Context(), "replication").Val(), "state=online") == 2
	})
	servers[0].Kill(t)
	stress(w, 9, 200)
	w.WaitCaughtUp()
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: sentinels[0].Addr})
	defer sentinel.Close()
	w.WaitFor("another master was chosen", func() bool {
		addr := sentinel.GetMasterAddrByName(t.Context(), "pitches").Val()
		w.Redis = strings.Join(addr, ":")
		return len(addr) == 2 && w.Redis != servers[0].Addr
	})
	want := w.Expected()
	w.WaitFor("the new master has everything", func() bool { return w.RedisDiffers(want) == nil })
	p.Halt()
	requireBooks(w, 1)
}
