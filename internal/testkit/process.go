package testkit

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// process is a host that runs a program of this machine in a folder of its own. The program ends when this
// process dies.
type process struct {
	program string
	args    []string
	env     []string // added to the environment of this process
	dir     string

	cmd  *exec.Cmd
	line *child.Line
	log  child.Tail
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
	cmd.Env = append(os.Environ(), p.env...)
	cmd.SysProcAttr = child.Attr(nil)
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd = cmd
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
	if err, exit := p.cmd.Wait(), (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err
	}
	p.cmd = nil
	return p.line.Cut()
}

func (p *process) Remove(context.Context) error {
	return errors.Join(p.end(syscall.SIGKILL), os.RemoveAll(p.dir))
}

func (p *process) Logs(context.Context) string { return p.log.String() }
