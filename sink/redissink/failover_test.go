package redissink

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// stream pushes without a pause, as a processor does, until its test ends it.
type stream struct {
	w      *redisTest
	keeper *Keeper
	phases changes
	stop   func()

	mu     sync.Mutex
	offset int64
	log    *lockedLog
}

// startStream opens the URL and pushes the changes of batters to it, through a Keeper.
func startStream(t *testing.T, cfg Config) *stream {
	t.Helper()
	s := &stream{log: &lockedLog{}}
	cfg.Log = slog.New(slog.NewTextHandler(s.log, nil))
	s.w = newRedisTest(t, cfg)
	s.keeper, s.phases = watch(t, s.w)
	s.phases.until(t, PhaseOK)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	s.stop = func() { cancel(); running.Wait() }
	t.Cleanup(func() {
		s.stop()
		t.Log(s.log.String())
	})
	running.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			s.push(ctx)
			<-tick.C
		}
	})
	return s
}

func (s *stream) push(ctx context.Context) {
	s.mu.Lock()
	s.offset++
	offset := s.offset
	s.mu.Unlock()
	var snaps []schemas.Snapshot
	for i := range int64(8) {
		id := (offset*7 + i*13) % 97
		snaps = append(snaps, s.w.truth.change(id, fmt.Sprint("g", offset%3), (offset+i)%40))
	}
	s.keeper.Push(ctx, snaps, []schemas.Position{s.w.truth.move(0, offset)})
}

func (s *stream) pushed() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offset
}

// goOn waits until so many more batches were pushed while Redis is well.
func (s *stream) goOn(t *testing.T, batches int64) {
	t.Helper()
	until := s.pushed() + batches
	eventually(t, "the stream goes on", func() bool { return s.pushed() >= until && s.keeper.State().Phase == PhaseOK })
}

// requireBalance ends the stream, and requires that Redis has what the reference has.
func (s *stream) requireBalance(t *testing.T) {
	t.Helper()
	s.stop()
	eventually(t, "Redis is well in the end", func() bool { return s.keeper.State().Phase == PhaseOK })
	s.w.isTrue(t)
	require.Equal(t, s.pushed(), s.w.applied(t)["pitches.raw/0"])
	report := s.w.audit(t, quickly)
	require.Empty(t, report.Differences)
	require.NotContains(t, s.log.String(), "hush", "no password is printed")
}

func TestSentinelFailoverUnderLoadKeepsTheBooksBalanced(t *testing.T) {
	t.Parallel()
	servers, sentinels := testkit.RedisSentinels(t, "my-master", nil)
	s := startStream(t, Config{URL: sentinelURL(sentinels, "", "/my-master")})
	s.goOn(t, 100)
	awaitReplicas(t, servers[0].Addr, "")
	servers[0].Kill(t)
	s.phases.until(t, PhaseUnavailable)
	s.phases.until(t, PhaseOK)
	s.goOn(t, 100)
	servers[0].Start(t) // it comes back as a replica of the new master
	s.goOn(t, 100)
	sentinels[0].Kill(t)
	s.goOn(t, 100)
	s.requireBalance(t)
}

// The old master lives on and answers READONLY.
func TestSentinelSwitchUnderLoadKeepsTheBooksBalanced(t *testing.T) {
	t.Parallel()
	args := []string{"--requirepass", "hush-redis", "--masterauth", "hush-redis"}
	servers, sentinels := testkit.RedisSentinels(t, "m", args, "sentinel auth-pass m hush-redis", "requirepass hush-sentinel",
		"sentinel sentinel-pass hush-sentinel")
	s := startStream(t, Config{URL: sentinelURL(sentinels, ":hush-redis@", "/m/0?sentinel_password=hush-sentinel")})
	s.goOn(t, 100)
	awaitReplicas(t, servers[0].Addr, "hush-redis")
	admin := redis.NewSentinelClient(&redis.Options{Addr: sentinels[1].Addr, Password: "hush-sentinel"})
	defer admin.Close()
	eventually(t, "a Sentinel takes the order", func() bool { return admin.Failover(t.Context(), "m").Err() == nil })
	eventually(t, "the master is another one", func() bool {
		addr := admin.GetMasterAddrByName(t.Context(), "m").Val()
		return len(addr) == 2 && strings.Join(addr, ":") != servers[0].Addr
	})
	s.goOn(t, 100)
	s.requireBalance(t)
}

// awaitReplicas waits until both replicas have what the master has, else there is none to take over.
func awaitReplicas(t *testing.T, addr, password string) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, Password: password})
	defer c.Close()
	eventually(t, "two replicas are up to date", func() bool {
		return strings.Count(c.Info(t.Context(), "replication").Val(), "state=online") == 2
	})
}

func sentinelURL(sentinels []*testkit.Server, user, tail string) string {
	var addrs []string
	for _, s := range sentinels {
		addrs = append(addrs, s.Addr)
	}
	return "redis+sentinel://" + user + strings.Join(addrs, ",") + tail
}

func TestSentinelsAndTheirMasterAreReachedWithTLS(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	pair := ca.Sign(t, "redis")
	serverPort, sentinelPort := testkit.FreePort(), testkit.FreePort()
	files := []string{"--tls-cert-file", pair.CertFile, "--tls-key-file", pair.KeyFile, "--tls-ca-cert-file", ca.File}
	testkit.RedisProcess(t, append(files, "--tls-port", serverPort)...)
	testkit.RedisSentinel(t, "m", "127.0.0.1:"+serverPort, 1, "tls-replication yes", "tls-port "+sentinelPort,
		"tls-cert-file "+pair.CertFile, "tls-key-file "+pair.KeyFile, "tls-ca-cert-file "+ca.File)
	ours := ca.Sign(t, "us")
	conf := tlsOf(ca, ours)
	s := startStream(t, Config{URL: "rediss+sentinel://127.0.0.1:" + sentinelPort + "/m", TLS: conf})
	s.goOn(t, 20)
	s.requireBalance(t)
}

func TestClusterSlotMigrationUnderLoadKeepsTheBooksBalanced(t *testing.T) {
	t.Parallel()
	servers, nodes := startNodes(t, 3, 5000)
	s := startStream(t, Config{URL: "redis://" + servers[0].Addr + ","})
	s.goOn(t, 100)
	migrated := 0
	for id := range int64(97) {
		migrated += migrateSlot(t, nodes, s.w.overall(id))
	}
	migrateSlot(t, nodes, s.w.keys.epoch())
	require.Positive(t, migrated)
	s.goOn(t, 100)
	s.requireBalance(t)
}

// migrateSlot moves the slot of a key to the second of three nodes, one key after the other as redis-cli
// does, and returns how many keys it moved.
func migrateSlot(t *testing.T, nodes []*redis.Client, key string) (moved int) {
	t.Helper()
	ctx := t.Context()
	slot := nodes[0].ClusterKeySlot(ctx, key).Val()
	ids := make([]string, len(nodes))
	from := -1
	for i, n := range nodes {
		id, err := n.Do(ctx, "CLUSTER", "MYID").Text()
		must(t, err)
		ids[i] = id
	}
	slots, err := nodes[0].ClusterSlots(ctx).Result() //nolint:staticcheck // CLUSTER SHARDS is new in Redis 7.0
	must(t, err)
	for _, s := range slots {
		for i := range ids {
			if int64(s.Start) <= slot && slot <= int64(s.End) && s.Nodes[0].ID == ids[i] {
				from = i
			}
		}
	}
	require.GreaterOrEqual(t, from, 0)
	const to = 1 // always, because nodes that get slots in turn would disagree about the newest configuration
	if from == to {
		return 0
	}
	must(t, nodes[to].Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[from]).Err())
	must(t, nodes[from].Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to]).Err())
	host, port, _ := strings.Cut(nodes[to].Options().Addr, ":")
	for {
		keys, err := nodes[from].ClusterGetKeysInSlot(ctx, int(slot), 1).Result()
		must(t, err)
		if len(keys) == 0 {
			break
		}
		must(t, nodes[from].Do(ctx, "MIGRATE", host, port, keys[0], 0, 5000).Err())
		moved++
	}
	for _, i := range []int{to, from, 2 - from} {
		must(t, nodes[i].Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", ids[to]).Err())
	}
	return moved
}

func TestClusterFailoverUnderLoadKeepsTheBooksBalanced(t *testing.T) {
	t.Parallel()
	servers, nodes := startNodes(t, 3, 1000)
	s := startStream(t, Config{URL: "redis://" + servers[0].Addr + "," + servers[1].Addr})
	_, replica := startNode(t, 1000)
	meet(t, replica, nodes[0])
	id, err := nodes[2].Do(t.Context(), "CLUSTER", "MYID").Text()
	must(t, err)
	awaitCluster(t, append(nodes, replica), 3)
	eventually(t, "the replica follows", func() bool { return replica.Do(t.Context(), "CLUSTER", "REPLICATE", id).Err() == nil })
	eventually(t, "the replica is up to date", func() bool {
		return strings.Contains(nodes[2].Info(t.Context(), "replication").Val(), "state=online")
	})
	s.goOn(t, 100)
	servers[2].Kill(t)
	s.phases.until(t, PhaseUnavailable)
	s.phases.until(t, PhaseOK)
	require.Contains(t, replica.Info(t.Context(), "replication").Val(), "role:master")
	s.goOn(t, 100)
	servers[2].Start(t)
	s.goOn(t, 100)
	s.requireBalance(t)
}

// guard: a master that the Sentinels do not know is named
// guard: a replica is no place to write to
func TestAnAddressOfAnotherKindOfServerIsNamed(t *testing.T) {
	t.Parallel()
	servers, sentinels := testkit.RedisSentinels(t, "m", nil)
	single, sentinel := servers[0].Addr, sentinels[0].Addr
	requireRefused(t, Config{URL: "redis://" + sentinel}, "it is a Sentinel: use redis+sentinel://", sentinel)
	requireRefused(t, Config{URL: "redis://" + sentinel + "," + sentinels[1].Addr}, "it is a Sentinel: use redis+sentinel://", sentinel)
	requireRefused(t, Config{URL: "redis://" + single + ","}, "it is no node of a Redis Cluster", single)
	requireRefused(t, Config{URL: "redis+sentinel://" + single + "/m"}, "it is no Sentinel", single)
	requireRefused(t, Config{URL: "redis+sentinel://" + sentinel + "/other"}, "it knows no master of the name", sentinel)
	node, _ := startCluster(t, 3)
	requireRefused(t, Config{URL: "redis+sentinel://" + node + "/m"}, "it is no Sentinel", node)
	for _, url := range []string{"redis://" + sentinel, "redis://" + node, "redis://" + single + ",", "redis+sentinel://" + single + "/m"} {
		r, err := OpenReader(Config{URL: url})
		require.NoError(t, err)
		defer r.Close()
		_, _, err = r.Look(t.Context(), []schemas.PlayerKey{{PlayerID: 1}})
		require.ErrorAs(t, err, new(*RefusedError), url)
	}
	s, err := Open(t.Context(), Config{URL: "redis://" + servers[1].Addr})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Push(t.Context(), []schemas.Snapshot{{PlayerID: 1, Seq: 1}}, nil)
	require.ErrorContains(t, err, "it is a replica")
}
