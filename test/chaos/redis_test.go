package chaos

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// keeper is one server of Redis.
type keeper struct {
	name   string
	server *testkit.Server
	door   *door
	disk   *disk // for a log that it may keep; nil: none
}

// masterName is what the Sentinels call the master.
const masterName = "live"

// startRedis starts a master, two replicas and three Sentinels, all of which reach each other by the network.
func (c *cluster) startRedis() {
	c.t.Helper()
	for i := range 3 {
		k := &keeper{name: fmt.Sprint("redis-", i+1), door: c.net.newDoor(c.t)}
		k.server = c.runRedis(k, i > 0)
		c.add(k.name, k.server)
		c.net.lead(c.t, k.door, k.name, k.server.Addr)
		c.keepers = append(c.keepers, k)
	}
	var addrs []string
	for i := range 3 {
		s := testkit.RedisSentinel(c.t, masterName, c.keepers[0].door.addr, 2,
			"sentinel down-after-milliseconds "+masterName+" 3000")
		c.add(fmt.Sprint("sentinel-", i+1), s)
		addrs = append(addrs, s.Addr)
	}
	c.redisURL = "redis+sentinel://" + strings.Join(addrs, ",") + "/" + masterName
	c.sentinels = addrs
	c.await("the Sentinels know the replicas and each other", func() bool {
		s := redis.NewSentinelClient(&redis.Options{Addr: addrs[0]})
		defer s.Close()
		m, err := s.Master(c.t.Context(), masterName).Result()
		return err == nil && m["num-slaves"] == "2" && m["num-other-sentinels"] == "2"
	})
}

// runRedis starts a server from a file that the Sentinels have it rewrite. So a server that comes back has
// the role that it had last. It keeps nothing on disk.
func (c *cluster) runRedis(k *keeper, isReplica bool) *testkit.Server {
	c.t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		testkit.Unavailable(c.t, "Redis needs an installed redis-server")
	}
	addr := testkit.FreeAddr()
	_, port, _ := net.SplitHostPort(addr)
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\nsave \"\"\nappendonly no\nmaxmemory-policy noeviction\nrepl-timeout 10\n"+
		"repl-diskless-sync-delay 0\nreplica-announce-ip 127.0.0.1\nreplica-announce-port %s\n", port, k.door.port())
	if k.disk = c.diskFor(nil, masterFull); k.disk != nil {
		text += "dir " + k.disk.path + "\n"
	}
	if isReplica {
		text += "replicaof 127.0.0.1 " + c.keepers[0].door.port() + "\n"
	}
	return testkit.RunProgram(c.t, testkit.Program{
		Name: k.name, Addr: addr, Path: program, Args: []string{"redis.conf"},
		Env: c.clockOf(k.name, masterClock), LogFile: c.logFile(k.name),
		Prepare: func(dir string) error { return os.WriteFile(filepath.Join(dir, "redis.conf"), []byte(text), 0o600) },
		Answers: func(ctx context.Context) error {
			client := redis.NewClient(&redis.Options{Addr: addr})
			defer client.Close()
			return client.Ping(ctx).Err()
		},
	})
}

// master returns the server that the Sentinels hold for the master.
func (c *cluster) master() *keeper {
	ctx, cancel := context.WithTimeout(c.t.Context(), shortly)
	defer cancel()
	for _, addr := range c.sentinels {
		s := redis.NewSentinelClient(&redis.Options{Addr: addr})
		at, err := s.GetMasterAddrByName(ctx, masterName).Result()
		_ = s.Close()
		if err != nil || len(at) != 2 {
			continue
		}
		for _, k := range c.keepers {
			if k.door.addr == net.JoinHostPort(at[0], at[1]) {
				return k
			}
		}
	}
	return c.keepers[0]
}

// askRedis sends a command to a server, beside the network.
func (c *cluster) askRedis(k *keeper, command ...any) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), shortly)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: k.server.Addr})
	defer client.Close()
	return client.Do(ctx, command...).Err()
}

// infoOf returns what a server says of itself.
func (c *cluster) infoOf(k *keeper, section string) string {
	ctx, cancel := context.WithTimeout(c.t.Context(), shortly)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: k.server.Addr})
	defer client.Close()
	return client.Info(ctx, section).Val()
}

// awaitReplicas waits until the master has both replicas again, so that the next one may fail.
func (c *cluster) awaitReplicas() {
	c.t.Helper()
	c.await("the replicas follow the master", func() bool {
		info := c.infoOf(c.master(), "replication")
		return strings.Contains(info, "role:master") && strings.Count(info, "state=online") == 2
	})
}
