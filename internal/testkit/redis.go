package testkit

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os/exec"
	"strings"
)

func redisSpec(args ...string) spec {
	quiet := []string{"--save", "", "--appendonly", "no"}
	return spec{
		name: "Redis",
		container: containerSpec{
			image: image("REDIS", "redis:7"), port: 6379,
			cmd: append(append([]string{"redis-server"}, quiet...), args...),
		},
		process: func(context.Context) (*Server, error) {
			program, err := exec.LookPath("redis-server")
			if err != nil {
				return nil, &errUnavailable{"or an installed redis-server"}
			}
			port := FreePort()
			fixed := []string{"--port", port, "--bind", "127.0.0.1"}
			p, err := newProcess(program, append(append(fixed, quiet...), args...)...)
			return &Server{Addr: net.JoinHostPort("127.0.0.1", port), host: p}, err
		},
		answers: redisAnswers,
	}
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
