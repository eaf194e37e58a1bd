package testkit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// startTimeout bounds the start of a server. A JVM on a busy machine needs long.
const startTimeout = 2 * time.Minute

// Server is a running server. Stop, Kill and Start fail the test on an error. A restarted server has its old
// address and the data that it kept.
type Server struct {
	Addr string // host:port
	URL  string // Postgres only

	spec spec
	host host
}

// host runs a server: as a container or as a process of this machine.
type host interface {
	Start(context.Context) error  // the first time and again
	Stop(context.Context) error   // as an operator would: what was acknowledged is kept
	Kill(context.Context) error   // as a crash does
	Remove(context.Context) error // with its data; whether it runs or not
	Logs(context.Context) string  // the last lines, for a failure's message
}

// spec describes how to run one kind of server.
type spec struct {
	name      string
	container containerSpec
	process   func(context.Context) (*Server, error) // nil: in containers only
	answers   func(context.Context, *Server) error   // nil when a client gets an answer
}

// errUnavailable means that this machine has no such server, and that the test is to be skipped.
type errUnavailable struct{ reason string }

func (e *errUnavailable) Error() string { return e.reason }

// Stop ends the server as an operator would.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.must(t, "stop", s.host.Stop) }

// Kill ends the server as kill -9 does.
func (s *Server) Kill(t testing.TB) { t.Helper(); s.must(t, "kill", s.host.Kill) }

// Start starts the server again and returns when it answers.
func (s *Server) Start(t testing.TB) { t.Helper(); s.must(t, "start", s.start) }

// Logs returns the last lines that the server wrote.
func (s *Server) Logs() string { return s.host.Logs(context.Background()) }

func (s *Server) must(t testing.TB, verb string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatalf("%s %s: %v", verb, s.spec.name, err)
	}
}

// launch starts a server in a container, or as a process where there is no container engine.
func launch(ctx context.Context, sp spec) (*Server, error) {
	s, err := newContainer(ctx, sp)
	if no := (*errUnavailable)(nil); errors.As(err, &no) && sp.process != nil {
		if s, err = sp.process(ctx); err != nil {
			return nil, fmt.Errorf("%s; %w", no.reason, err)
		}
	}
	if err != nil {
		return nil, err
	}
	s.spec = sp
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.host.Remove(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// start starts the server and waits until it answers. It polls often, because a test is waiting.
func (s *Server) start(ctx context.Context) error {
	if err := s.host.Start(ctx); err != nil {
		return err
	}
	tick := time.Tick(25 * time.Millisecond)
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s at %s does not answer: %w\n%s", s.spec.name, s.Addr, err,
				s.host.Logs(context.WithoutCancel(ctx)))
		case <-tick:
		}
	}
}

func (s *Server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.spec.answers(ctx, s)
}

// own starts a server that is removed when the test ends.
func own(t testing.TB, sp spec) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s, err := launch(ctx, sp)
	check(t, sp.name, err)
	t.Cleanup(func() {
		if err := s.host.Remove(context.Background()); err != nil {
			t.Errorf("remove %s: %v", sp.name, err)
		}
	})
	return s
}

// check fails the test when its server did not start, or skips it when the machine has none.
func check(t testing.TB, name string, err error) {
	t.Helper()
	if no := (*errUnavailable)(nil); errors.As(err, &no) {
		Unavailable(t, err.Error())
	} else if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
}

// pool holds the servers that the tests of this process share. The first test that needs a server starts it.
type pool struct {
	mu      sync.Mutex
	servers map[string]*sharedServer
}

type sharedServer struct {
	once sync.Once
	*Server
	err error
}

var shared = pool{servers: map[string]*sharedServer{}}

func (p *pool) get(t testing.TB, sp spec) *Server {
	t.Helper()
	p.mu.Lock()
	s := p.servers[sp.name]
	if s == nil {
		s = &sharedServer{}
		p.servers[sp.name] = s
	}
	p.mu.Unlock()
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		s.Server, s.err = launch(ctx, sp)
	})
	check(t, sp.name, s.err)
	return s.Server
}

// close ends the shared servers.
func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.servers {
		if s.Server != nil {
			errs = append(errs, s.host.Remove(context.Background()))
		}
	}
	clear(p.servers)
	return errors.Join(errs...)
}
