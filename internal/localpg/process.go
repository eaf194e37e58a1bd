package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// How long a server may take to end when asked to roll back and write a checkpoint, and to end at once.
const (
	fastShutdownTimeout      = 20 * time.Second
	immediateShutdownTimeout = 5 * time.Second
)

var (
	errPortTaken = errors.New("another program took the port")
	errMemory    = errors.New("shared memory of the killed server is still in use") // its last backends are ending
)

// Resume brings the server up again after Halt or Crash, at the same address with its data, and returns when it answers.
// A server that runs is left alone.
func (s *Server) Resume(ctx context.Context) error {
	if s.cmd != nil {
		select {
		case <-s.done: // it ended by itself
			if err := s.ended(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	for {
		err := s.up(ctx)
		if !errors.Is(err, errMemory) || ctx.Err() != nil {
			return err
		}
	}
}

// Halt ends the server and keeps its data: a fast shutdown, else an immediate one, else kill.
func (s *Server) Halt() error {
	if s.cmd == nil {
		return nil
	}
	switch {
	case s.end(syscall.SIGINT, fastShutdownTimeout), s.end(syscall.SIGQUIT, immediateShutdownTimeout):
	default:
		s.end(syscall.SIGKILL, immediateShutdownTimeout)
	}
	return s.ended()
}

// Crash ends the server as kill -9 does and keeps its data.
func (s *Server) Crash() error {
	if s.cmd == nil {
		return nil
	}
	s.end(syscall.SIGKILL, immediateShutdownTimeout)
	return s.ended()
}

// Done is closed when the server has ended, wanted or not. It is another channel after Resume.
func (s *Server) Done() <-chan struct{} { return s.done }

// Log is the last few thousand bytes that the server printed since it came up.
func (s *Server) Log() string { return s.log.String() }

// up starts the process and waits until it answers or has ended.
func (s *Server) up(ctx context.Context) error {
	if err := s.spawn(); err != nil {
		return err
	}
	alive, cancel := context.WithCancel(ctx) // a stranger on our port may never answer: ask no longer than we live
	defer cancel()
	go func(done chan struct{}) {
		select {
		case <-done:
			cancel()
		case <-alive.Done():
		}
	}(s.done)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.ping(alive)
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return errors.Join(s.whyEnded(), s.ended())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("Postgres does not answer: %w\n%s", err, s.log.String()), s.Crash())
		case <-tick.C:
		}
	}
}

// spawn starts the process, and the lifeline that ends it when we are gone.
func (s *Server) spawn() error {
	s.log.Reset()
	cmd := exec.Command(s.programs.path("postgres"), s.arguments()...)
	cmd.Dir, cmd.SysProcAttr = s.dir, child.Attr(s.user)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout = &s.log
	if s.options.Log != nil {
		cmd.Stdout = io.MultiWriter(&s.log, s.options.Log)
	}
	cmd.Stderr = cmd.Stdout
	cmd.WaitDelay = immediateShutdownTimeout // a backend that outlives a killed server holds its output
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start Postgres: %w", err)
	}
	s.cmd, s.done = cmd, make(chan struct{})
	go func(done chan struct{}) {
		_ = cmd.Wait() // how it ended is in its log
		close(done)
	}(s.done)
	line, err := child.Tie(s.user, undo, strconv.Itoa(cmd.Process.Pid), s.dir)
	if err != nil {
		return errors.Join(err, s.Crash())
	}
	s.line = line
	return nil
}

// undo ends the server $1 at once and removes its folder $2. Backends that are still ending may write into the folder
// while it is removed, so it is removed until it is gone.
const undo = `
	kill -QUIT "$1"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		kill -0 "$1" || break
		sleep 0.2
	done
	kill -9 "$1"
	for i in 1 2 3 4 5; do
		rm -rf "$2" && break
		sleep 0.2
	done`

// end sends the signal and tells whether the server ended in time.
func (s *Server) end(signal os.Signal, timeout time.Duration) bool {
	_ = s.cmd.Process.Signal(signal) // one that has ended cannot be signaled, and need not be
	select {
	case <-s.done:
		return true
	case <-time.After(timeout):
		return false
	}
}

// ended notes that the process is gone. The lifeline must not kill whoever gets its number next.
func (s *Server) ended() error {
	s.cmd = nil
	return s.line.Cut()
}

func (s *Server) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return err
	}
	return c.Close(ctx)
}

// whyEnded is the error for a server that ended while it was starting.
func (s *Server) whyEnded() error {
	log := s.log.String()
	err := fmt.Errorf("Postgres ended while it was starting:\n%s", log)
	switch {
	case strings.Contains(log, "Address already in use"):
		err = fmt.Errorf("%w: %w", errPortTaken, err)
	case strings.Contains(log, "pre-existing shared memory block"):
		err = fmt.Errorf("%w: %w", errMemory, err)
	}
	return err
}
