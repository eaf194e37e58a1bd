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

// redisAnswers asks by hand: a client would try again on its own and write about it. A refusal is an answer too, of a
// server that wants a password.
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
