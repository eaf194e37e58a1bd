package redissink

import (
	"log/slog"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// startCluster starts a cluster of n masters and gives the address of the first, and a client of each.
func startCluster(t *testing.T, n int) (addr string, clients []*redis.Client) {
	t.Helper()
	servers, clients := startNodes(t, n, 5000)
	return servers[0].Addr, clients
}

// startNodes starts the masters of a cluster, which miss one after that many milliseconds.
func startNodes(t *testing.T, n, timeout int) (servers []*testkit.Server, clients []*redis.Client) {
	t.Helper()
	ctx := t.Context()
	for i := range n {
		server, c := startNode(t, timeout)
		servers, clients = append(servers, server), append(clients, c)
		must(t, c.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", 16384*i/n, 16384*(i+1)/n-1).Err())
		meet(t, c, clients[0])
	}
	awaitCluster(t, clients, n)
	return servers, clients
}

func startNode(t *testing.T, timeout int) (*testkit.Server, *redis.Client) {
	t.Helper()
	server := testkit.RedisProcess(t, "--cluster-enabled", "yes", "--cluster-port", testkit.FreePort(),
		"--cluster-node-timeout", strconv.Itoa(timeout), "--repl-diskless-sync-delay", "0")
	c := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = c.Close() })
	if err := c.ConfigSet(t.Context(), "cluster-announce-ip", "127.0.0.1").Err(); err != nil {
		t.Fatal(err)
	}
	return server, c
}

// meet makes a node known to those that the other one knows.
func meet(t *testing.T, c, other *redis.Client) {
	t.Helper()
	host, port, _ := net.SplitHostPort(other.Options().Addr)
	bus, err := other.ConfigGet(t.Context(), "cluster-port").Result()
	must(t, err)
	must(t, c.Do(t.Context(), "CLUSTER", "MEET", host, port, bus["cluster-port"]).Err())
}

// awaitCluster waits until every node knows all the others.
func awaitCluster(t *testing.T, clients []*redis.Client, masters int) {
	t.Helper()
	for _, c := range clients {
		eventually(t, "the cluster is complete", func() bool {
			info := c.ClusterInfo(t.Context()).Val()
			return infoField(info, "cluster_state") == "ok" && infoField(info, "cluster_size") == strconv.Itoa(masters) &&
				infoField(info, "cluster_known_nodes") == strconv.Itoa(len(clients))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("not so within 30 s: " + what)
		}
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"of one": 1, "of three": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, nodes := startCluster(t, n)
			w := newRedisTest(t, Config{URL: "redis://" + addr + ","})
			var snaps []schemas.Snapshot
			for id := range int64(100) {
				snaps = append(snaps, w.truth.change(id, "a}b", 1+id%4))
			}
			w.push(t, snaps...)
			w.isWhole(t)
			w.sweep(t)
			w.advanced(t, false, w.truth.move(0, 1))
			for i, node := range nodes {
				w.advanced(t, false, w.truth.move(0, int64(2+i)))
				before := node.DBSize(t.Context()).Val()
				must(t, node.FlushAll(t.Context()).Err())
				if lost, err := w.check(t.Context()); !lost || err != nil {
					t.Errorf("node %d of %d keys lost its data: lost %t, %v", i, before, lost, err)
				}
				if rep := w.sweep(t); rep.Repaired == 0 || rep.Forced != 0 {
					t.Errorf("node %d: %+v", i, rep)
				}
				w.isWhole(t)
			}
			if lost, err := w.check(t.Context()); lost || err != nil {
				t.Errorf("in the end: lost %t, %v", lost, err)
			}
			if n > 1 {
				must(t, nodes[1].ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
			} else {
				must(t, nodes[0].ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
			}
			requireRefused(t, Config{URL: addr + "," + addr}, "allkeys-lru")
		})
	}
}

func TestANodeOfAClusterAloneIsRefused(t *testing.T) {
	t.Parallel()
	addr, _ := startCluster(t, 1)
	requireRefused(t, Config{URL: addr}, "comma")
}

// requireRefused requires that the stream goes on without this server, and that the error has these words.
func requireRefused(t *testing.T, cfg Config, words ...string) {
	t.Helper()
	log := &lines{}
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	s, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Push(t.Context(), []schemas.Snapshot{{PlayerID: 1, Seq: 1}}, nil)
	require.ErrorAs(t, err, new(*RefusedError))
	for _, word := range words {
		require.ErrorContains(t, err, word)
		require.Contains(t, log.String(), word)
	}
}
