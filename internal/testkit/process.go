package testkit

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// process is a host that runs a program of this machine in a folder of its own. The program ends when this
// process dies.
type process struct {
	program string
	args    []string
	env     []string // added to the environment of this process
	dir     string
	user    *child.User // nil: the user of this process

	cmd   *exec.Cmd
	done  chan struct{} // closed when cmd has ended
	ended error         // of Wait; read after done
	line  *child.Line
	log   child.Tail
	file  *os.File // that has the whole log; nil: none
}

func newProcess(program string, args ...string) (*process, error) {
	dir, err := os.MkdirTemp("", "pitchstream-test-")
	return &process{program: program, args: args, dir: dir}, err
}

func (p *process) Start(context.Context) error {
	if p.cmd != nil {
		return nil
	}
	cmd := exec.Command(p.program, p.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &p.log, &p.log
	if p.file != nil {
		cmd.Stdout, cmd.Stderr = p.file, p.file
	}
	cmd.Env = append(os.Environ(), p.env...)
	cmd.SysProcAttr = child.Attr(p.user)
	cmd.WaitDelay = 10 * time.Second // children that outlive a killed server keep its output open
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.done = cmd, make(chan struct{})
	go func() {
		p.ended = cmd.Wait()
		close(p.done)
	}()
	var err error
	p.line, err = child.Tie(nil, `kill -9 "$1"; rm -rf "$2"`, strconv.Itoa(cmd.Process.Pid), p.dir)
	return err
}

func (p *process) Stop(context.Context) error { return p.end(syscall.SIGTERM) }
func (p *process) Kill(context.Context) error { return p.end(syscall.SIGKILL) }

// end sends the signal and waits for the end. It ignores the exit status, because the signal caused it.
func (p *process) end(sig os.Signal) error {
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(sig)
	if sig == syscall.SIGTERM {
		_ = p.cmd.Process.Signal(syscall.SIGCONT) // a frozen process would never end
	}
	<-p.done
	exit := (*exec.ExitError)(nil)
	if p.ended != nil && !errors.As(p.ended, &exit) && !errors.Is(p.ended, exec.ErrWaitDelay) {
		return p.ended
	}
	p.cmd = nil
	return p.line.Cut()
}

func (p *process) Remove(context.Context) error {
	err := errors.Join(p.end(syscall.SIGKILL), os.RemoveAll(p.dir))
	if p.file != nil {
		err = errors.Join(err, p.file.Close())
	}
	return err
}

func (p *process) Logs(context.Context) string { return p.log.String() }
