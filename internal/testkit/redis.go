package testkit

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// quiet are the options of a server that keeps nothing on disk.
var quiet = []string{"--save", "", "--appendonly", "no"}

func redisSpec(args ...string) spec {
	sp := redisProcess(args...)
	if os.Getenv("PITCHSTREAM_TEST_REDIS_SERVER") == "" {
		sp.container = containerSpec{
			image: image("REDIS", "redis:7"), port: 6379, cmd: slices.Concat([]string{"redis-server"}, quiet, args),
		}
	}
	return sp
}

// redisProcess describes a server that is never in a container.
func redisProcess(args ...string) spec {
	return spec{name: "Redis", answers: redisAnswers, process: func(context.Context) (*Server, error) {
		port := FreePort()
		p, err := redisProgram(slices.Concat([]string{"--port", port, "--bind", "127.0.0.1"}, quiet, args)...)
		return &Server{Addr: net.JoinHostPort("127.0.0.1", port), host: p}, err
	}}
}

func redisProgram(args ...string) (*process, error) {
	program, err := exec.LookPath(cmp.Or(os.Getenv("PITCHSTREAM_TEST_REDIS_SERVER"), "redis-server"))
	if err != nil {
		return nil, &errUnavailable{"Redis needs an installed redis-server"}
	}
	return newProcess(program, args...)
}

// RedisProcess starts a server for this test as a process of this machine. Its address is then the same for
// clients and for other servers, as replicas, Sentinels and the nodes of a cluster want it.
func RedisProcess(t testing.TB, args ...string) *Server {
	t.Helper()
	return own(t, redisProcess(args...))
}

// RedisSentinels starts a master with two replicas, and three Sentinels that call it by this name and replace
// it after a second without an answer. args are options of the servers, settings lines of the Sentinels.
func RedisSentinels(
	t testing.TB, name string, args []string, settings ...string,
) (servers, sentinels []*Server) {
	t.Helper()
	servers = append(servers, RedisProcess(t, args...))
	host, port, _ := net.SplitHostPort(servers[0].Addr)
	replica := []string{"--replicaof", host, port, "--repl-diskless-sync-delay", "0"}
	for range 2 {
		servers = append(servers, RedisProcess(t, slices.Concat(args, replica)...))
	}
	for range 3 {
		sentinels = append(sentinels, RedisSentinel(t, name, servers[0].Addr, 2, settings...))
	}
	return servers, sentinels
}

// RedisSentinel starts a Sentinel that calls the master at an address by this name.
func RedisSentinel(t testing.TB, name, master string, quorum int, settings ...string) *Server {
	t.Helper()
	return own(t, spec{name: "Sentinel", answers: redisAnswers, process: func(context.Context) (*Server, error) {
		p, err := redisProgram("sentinel.conf", "--sentinel")
		if err != nil {
			return nil, err
		}
		addr := FreeAddr()
		_, port, _ := net.SplitHostPort(addr)
		file := fmt.Sprintf("port %[1]s\nbind 127.0.0.1\nsentinel monitor %[2]s %[3]s %[4]d\n"+
			"sentinel down-after-milliseconds %[2]s 1000\nsentinel failover-timeout %[2]s 3000\n%[5]s\n",
			port, name, strings.Replace(master, ":", " ", 1), quorum, strings.Join(settings, "\n"))
		path := filepath.Join(p.dir, "sentinel.conf") // of its own, because it writes there
		return &Server{Addr: addr, host: p}, os.WriteFile(path, []byte(file), 0o600)
	}})
}

// redisAnswers sends PING without a client, because a client would retry and log. An error reply counts as an
// answer, because a server with a password sends one.
func redisAnswers(ctx context.Context, s *Server) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && strings.HasPrefix(answer, "-LOADING") {
		return errors.New(answer)
	}
	return err
}
