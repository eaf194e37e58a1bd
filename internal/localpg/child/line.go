// Package lifeline undoes what this process started when the process dies, however it dies.
//
// A deferred call does not run after kill -9, a test's time-out or a crash. Linux can send a signal to the children of a
// dead process (PR_SET_PDEATHSIG), but it is the death of the *thread* that started the child which sends it, other
// systems have no such thing, and a signal removes no folder. So a small shell waits on a pipe: it reads a word when all
// went well, and the end of file when the writer is no more. That works on every Unix, and cannot be missed.
package child

import (
	"fmt"
	"io"
	"os/exec"
)

// Line is a shell that waits for this process to end. Cut it when there is nothing left to undo.
type Line struct {
	cmd *exec.Cmd
	end io.WriteCloser // closed by the kernel when this process dies
}

// Tie starts a shell that runs the script undo, with args as $1, $2, …, when this process ends without Cut.
// The shell runs with the rights of user, nil for our own, in a session of its own, so that an interrupt from the
// terminal does not end it before us. It holds none of our files.
func Tie(user *User, undo string, args ...string) (*Line, error) {
	script := "read -r word || {\n" + undo + "\n}"
	cmd := exec.Command("sh", append([]string{"-c", script, "lifeline"}, args...)...)
	cmd.Dir = "/"
	cmd.SysProcAttr = Attr(user)
	end, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("lifeline: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("lifeline: %w", err)
	}
	return &Line{cmd: cmd, end: end}, nil
}

// Cut ends the shell without running its script. A nil line may be cut, and a line may be cut twice.
func (l *Line) Cut() error {
	if l == nil || l.end == nil {
		return nil
	}
	_, writeErr := io.WriteString(l.end, "done\n")
	l.end.Close()
	l.end = nil
	if err := l.cmd.Wait(); err != nil {
		return fmt.Errorf("lifeline: %w", err)
	}
	return writeErr
}
