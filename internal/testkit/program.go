package testkit

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// Program describes a server that a test composes itself, because it must know its neighbours: a broker of a
// cluster, a standby.
type Program struct {
	Name, Addr string
	Path       string
	Args       []string
	Env        []string    // added to the environment of this process
	User       *child.User // nil: the user of this process
	LogFile    string      // to which all of its processes append; "": none
	// Prepare fills the folder in which the program then runs. nil: it stays empty.
	Prepare func(dir string) error
	// Answers returns nil when a client gets an answer. nil: the program is taken to be ready at once.
	Answers func(context.Context) error
}

// RunProgram starts a program as a process of this machine, never in a container. It is removed when the test
// ends, or when the process of the test dies.
func RunProgram(t testing.TB, p Program) *Server {
	t.Helper()
	return own(t, spec{
		name: p.Name,
		answers: func(ctx context.Context, _ *Server) error {
			if p.Answers == nil {
				return nil
			}
			return p.Answers(ctx)
		},
		process: func(context.Context) (*Server, error) {
			host, err := newProcess(p.Path, p.Args...)
			if err != nil {
				return nil, err
			}
			host.env, host.user = p.Env, p.User
			if p.User != nil {
				err = os.Chown(host.dir, int(p.User.UID), int(p.User.GID))
			}
			if err == nil && p.LogFile != "" {
				host.file, err = os.OpenFile(p.LogFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			}
			if err == nil && p.Prepare != nil {
				err = p.Prepare(host.dir)
			}
			return &Server{Addr: p.Addr, host: host}, err
		},
	})
}

// Pid returns the number of the server's process, or 0 where it does not run as a process of this machine.
func (s *Server) Pid() int {
	if p, ok := s.host.(*process); ok && p.cmd != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// Freeze stops the process in its tracks until Thaw: its connections stay open, and nothing answers.
func (s *Server) Freeze(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGSTOP) }

// Thaw lets a frozen process go on. It does nothing to one that runs.
func (s *Server) Thaw(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	pid := s.Pid()
	if pid == 0 {
		t.Fatalf("%s is no process of this machine", s.spec.name)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatalf("%v of %s: %v", signal, s.spec.name, err)
	}
	for _, child := range children(pid) {
		_ = syscall.Kill(child, signal) // it may have ended meanwhile
	}
}

// Children returns the processes that the server's process has started.
func (s *Server) Children() []int { return children(s.Pid()) }

// children returns the processes that a process has started, as Postgres does for each connection. Only Linux
// tells them.
func children(pid int) (pids []int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, field := range strings.Fields(string(b)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(append(pids, child), children(child)...)
		}
	}
	return pids
}

// Ended reports whether the server's process has ended by itself.
func (s *Server) Ended() bool {
	p, ok := s.host.(*process)
	if !ok || p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Dir returns the folder of the server's process, which is removed with it. "" for a container.
func (s *Server) Dir() string {
	if p, ok := s.host.(*process); ok {
		return p.dir
	}
	return ""
}

// Begin starts the server again as Start does, and does not wait until it answers.
func (s *Server) Begin(t testing.TB) { t.Helper(); s.must(t, "start", s.host.Start) }
