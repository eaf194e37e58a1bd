// Package child undoes at the death of this process what it has started (Tie). Attr and Unprivileged set the
// session and the user of a child process.
//
// A deferred call does not run after kill -9, after the time-out of a test or after a crash. Linux can send a
// signal to the children of a dead process (PR_SET_PDEATHSIG). But it is the end of the thread that started
// the child that sends it, other systems have nothing like it, and a signal removes no folder. Therefore Tie
// starts a small shell that reads from a pipe. It reads a word after a regular end, and the end of the file
// after the death of the writer, which the kernel cannot miss. That works on every Unix.
package child

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
)

// Line is a shell that waits for the end of this process. The caller must Cut it when nothing is left to
// undo.
type Line struct {
	cmd *exec.Cmd
	end io.WriteCloser // closed by the kernel when this process dies; nil after Cut
}

// Tie starts a shell that runs the script undo, with args as $1, $2, …, if this process ends before Cut. The
// shell runs as user (nil: the user of this process) and inherits no open files. It has a session of its own,
// because an interrupt from the terminal would otherwise end it before this process.
func Tie(user *User, undo string, args ...string) (*Line, error) {
	script := "read -r word || {\n" + undo + "\n}"
	cmd := exec.Command("sh", append([]string{"-c", script, "lifeline"}, args...)...)
	cmd.Dir = "/"
	cmd.SysProcAttr = Attr(user)
	end, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("lifeline: %w", err)
	}
	return &Line{cmd: cmd, end: end}, nil
}

// Cut ends the shell without running its script. It may be called twice, and on nil.
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

// User is the user and group that a child process runs as. Only Unix has it.
type User struct{ UID, GID uint32 }

// tailMaxBytes is enough for the last lines of a log, which say why a program ended.
const tailMaxBytes = 4000

// Tail is a writer that keeps the last 4,000 bytes: the output of a child, for the message about its failure.
// The zero value is ready, and its methods are safe for concurrent use.
type Tail struct {
	mu   sync.Mutex // guards last
	last []byte     // at most tailMaxBytes
}

// Write appends b. It never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	t.last = t.last[max(0, len(t.last)-tailMaxBytes):]
	return len(b), nil
}

// String returns the last bytes written.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}

// Reset removes everything written so far.
func (t *Tail) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = nil
}
