package redissink

import (
	"log/slog"
	"net"
	"strconv"
	"strings"
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
	ctx := t.Context()
	var first, bus string
	for i := range n {
		port := testkit.FreePort()
		server := testkit.OwnRedis(t, "--cluster-enabled", "yes", "--cluster-port", port, "--cluster-node-timeout", "5000")
		c := redis.NewClient(&redis.Options{Addr: server.Addr})
		t.Cleanup(func() { _ = c.Close() })
		clients = append(clients, c)
		must(t, c.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", 16384*i/n, 16384*(i+1)/n-1).Err())
		if i > 0 {
			host, port, _ := net.SplitHostPort(first)
			must(t, c.Do(ctx, "CLUSTER", "MEET", host, port, bus).Err())
			continue
		}
		addr, first, bus = server.Addr, serverSide(t, c), port
		if n == 1 { // it meets nobody who could tell its address
			host, port, _ := net.SplitHostPort(addr)
			must(t, c.ConfigSet(ctx, "cluster-announce-ip", host).Err())
			must(t, c.ConfigSet(ctx, "cluster-announce-port", port).Err())
		}
	}
	for _, c := range clients {
		eventually(t, "the cluster is complete", func() bool {
			info := c.ClusterInfo(ctx).Val()
			return infoField(info, "cluster_state") == "ok" && infoField(info, "cluster_known_nodes") == strconv.Itoa(n) && infoField(info, "cluster_size") == strconv.Itoa(n)
		})
	}
	return addr, clients
}

// serverSide returns the server's own address of this connection, which differs in a container.
func serverSide(t *testing.T, c *redis.Client) string {
	t.Helper()
	text, err := c.Do(t.Context(), "CLIENT", "INFO").Text()
	must(t, err)
	_, rest, _ := strings.Cut(text, " laddr=")
	addr, _, _ := strings.Cut(rest, " ")
	return addr
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
	_, err = s.Push(t.Context(), []schemas.Snapshot{{BatterID: 1, Seq: 1}}, nil)
	require.ErrorAs(t, err, new(*RefusedError))
	for _, word := range words {
		require.ErrorContains(t, err, word)
		require.Contains(t, log.String(), word)
	}
}
