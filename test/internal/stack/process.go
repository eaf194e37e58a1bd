package world

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// Process is a running processor, or another command that runs until it is told to end.
type Process struct {
	w    *World
	cmd  *exec.Cmd
	log  string // the file with its log
	done chan error
}

// Start runs a processor until the test ends, at the latest.
func (w *World) Start(args ...string) *Process {
	w.T.Helper()
	return w.StartCommand(append([]string{"run"}, args...)...)
}

// StartCommand runs a command until the test ends, at the latest.
func (w *World) StartCommand(args ...string) *Process {
	w.T.Helper()
	cmd := exec.Command(Binary(w.T), args...)
	cmd.Env = w.Env
	log, err := os.CreateTemp(w.T.TempDir(), "processor-*.log")
	require.NoError(w.T, err)
	cmd.Stderr = log
	require.NoError(w.T, cmd.Start())
	p := &Process{w: w, cmd: cmd, log: log.Name(), done: make(chan error, 1)}
	go func() {
		p.done <- cmd.Wait()
		_ = log.Close()
		close(p.done)
	}()
	w.T.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done
		if w.T.Failed() {
			b, _ := os.ReadFile(p.log)
			w.T.Logf("log of process %d, its end:\n%s", cmd.Process.Pid, b[max(0, len(b)-4000):])
		}
	})
	return p
}

// PeakBytes is the most memory that the processor had so far (its resident set; Linux).
func (p *Process) PeakBytes() int64 {
	p.w.T.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(p.w.T, err)
	var kb int64
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, err = fmt.Sscan(rest, &kb)
			require.NoError(p.w.T, err)
		}
	}
	return kb << 10
}

// Halt is SIGTERM; the processor must end well within ten seconds.
func (p *Process) Halt() {
	p.w.T.Helper()
	began := time.Now()
	require.NoError(p.w.T, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-p.done:
		require.NoError(p.w.T, err)
	case <-time.After(10 * time.Second):
		p.w.T.Fatal("the processor did not end within 10 s of SIGTERM")
	}
	p.w.T.Logf("SIGTERM to exit: %v", time.Since(began).Round(time.Millisecond))
}
