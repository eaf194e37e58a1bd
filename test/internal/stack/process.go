package stack

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// Process is a running processor, or another command that runs until it is stopped.
type Process struct {
	Pid int

	stack *Stack
	cmd   *exec.Cmd
	done  chan error // closed after the process has ended; before, it carries the error of Wait once
}

// Start starts a processor. It is killed when the test ends.
func (s *Stack) Start(args ...string) *Process {
	s.T.Helper()
	return s.StartCommand(append([]string{"run"}, args...)...)
}

// StartCommand starts a command. It is killed when the test ends; where the test failed, the end of its log
// is printed.
func (s *Stack) StartCommand(args ...string) *Process {
	s.T.Helper()
	cmd := exec.Command(Binary(s.T), args...)
	cmd.Env = s.Env
	log, err := os.CreateTemp(s.T.TempDir(), "processor-*.log")
	require.NoError(s.T, err)
	cmd.Stderr = log
	require.NoError(s.T, cmd.Start())
	p := &Process{Pid: cmd.Process.Pid, stack: s, cmd: cmd, done: make(chan error, 1)}
	go func() {
		p.done <- cmd.Wait()
		_ = log.Close()
		close(p.done)
	}()
	s.T.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done //nolint:errcheck // only that it has ended counts
		if s.T.Failed() {
			b, _ := os.ReadFile(log.Name())
			s.T.Logf("end of the log of process %d:\n%s", p.Pid, b[max(0, len(b)-4000):])
		}
	})
	return p
}

// Halt sends SIGTERM and waits for the end of the process, which must come within ten seconds.
func (p *Process) Halt() {
	p.stack.T.Helper()
	began := time.Now()
	require.NoError(p.stack.T, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-p.done:
		require.NoError(p.stack.T, err)
	case <-time.After(10 * time.Second):
		p.stack.T.Fatal("the process did not end within 10 s of SIGTERM")
	}
	p.stack.T.Logf("SIGTERM to exit: %v", time.Since(began).Round(time.Millisecond))
}
