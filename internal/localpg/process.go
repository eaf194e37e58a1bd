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

const (
	fastShutdownTimeout      = 20 * time.Second // to roll back and to write a checkpoint
	immediateShutdownTimeout = 5 * time.Second
)

var (
	errPortTaken = errors.New("another program took the port")
	// errMemory means that the last backends of a killed server are still ending.
	errMemory = errors.New("shared memory of the killed server is still in use")
)

// Resume starts the server again after Halt or Crash, at the same address and with its data, and returns when
// it accepts connections. It does nothing when the server runs.
func (s *Server) Resume(ctx context.Context) error {
	if s.cmd != nil {
		if s.alive.Err() == nil {
			return nil
		}
		if err := s.ended(); err != nil { // the server ended on its own
			return err
		}
	}
	for {
		err := s.up(ctx)
		if !errors.Is(err, errMemory) || ctx.Err() != nil {
			return err
		}
	}
}

// Halt ends the server and keeps its data. It tries a fast shutdown, then an immediate one, then a kill.
func (s *Server) Halt() error {
	if s.cmd == nil {
		return nil
	}
	if !s.end(syscall.SIGINT, fastShutdownTimeout) && !s.end(syscall.SIGQUIT, immediateShutdownTimeout) {
		s.end(syscall.SIGKILL, immediateShutdownTimeout)
	}
	return s.ended()
}

// Crash ends the server by kill -9 and keeps its data.
func (s *Server) Crash() error {
	if s.cmd == nil {
		return nil
	}
	s.end(syscall.SIGKILL, immediateShutdownTimeout)
	return s.ended()
}

// Done returns a channel that is closed when the server has ended for any reason. Resume makes a new channel.
func (s *Server) Done() <-chan struct{} { return s.alive.Done() }

// Log returns the last 4,000 bytes that the server has printed since it was started or resumed.
func (s *Server) Log() string { return s.log.String() }

// up starts the process and waits until it accepts connections or ends.
func (s *Server) up(ctx context.Context) error {
	if err := s.spawn(); err != nil {
		return err
	}
	// A ping ends with our server, because a foreign program on the port may never answer it.
	pinging, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.alive, cancel)()
	tick := time.Tick(10 * time.Millisecond)
	for {
		err := s.ping(pinging)
		if err == nil {
			return nil
		}
		select {
		case <-s.alive.Done():
			return errors.Join(s.whyEnded(), s.ended())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("Postgres does not answer: %w\n%s", err, s.log.String()), s.Crash())
		case <-tick:
		}
	}
}

// spawn starts the process, and the shell that ends it when this process dies.
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
	cmd.WaitDelay = immediateShutdownTimeout // backends that outlive a killed server keep its output open
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start Postgres: %w", err)
	}
	alive, end := context.WithCancel(context.Background())
	s.cmd, s.alive = cmd, alive
	go func() {
		defer end()
		_ = cmd.Wait() // its log says how it ended
	}()
	line, err := child.Tie(s.user, undo, strconv.Itoa(cmd.Process.Pid), s.dir)
	if err != nil {
		return errors.Join(err, s.Crash())
	}
	s.line = line
	return nil
}

// undo ends the server $1 at once and removes its folder $2. It removes the folder more than once, because
// backends that are still ending may write into it.
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

// end sends the signal and reports whether the server ended in time.
func (s *Server) end(signal os.Signal, timeout time.Duration) bool {
	_ = s.cmd.Process.Signal(signal) // fails when the server has ended already
	select {
	case <-s.alive.Done():
		return true
	case <-time.After(timeout):
		return false
	}
}

// ended records that the process has ended. It cuts the line, which would otherwise kill the next process
// with the same id.
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

// whyEnded returns the error of a server that ended during its start.
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
