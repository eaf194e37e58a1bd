package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// longestTest bounds the tests of a guard that is in place.
const longestTest = 10 * time.Minute

// The verdicts on a guard. A hung test counts as a failed one, although a busy machine may have been the
// reason.
const (
	killed   = "killed"
	hung     = "hung"
	survived = "SURVIVED" // all tests pass without the guard
	failing  = "FAILING"  // the tests fail although the guard is in place
	broken   = "BROKEN"   // the code does not compile without the guard
	unclear  = "UNCLEAR"  // the mark does not say how the guard can be removed
)

// lab is a copy of the project in which guards are removed.
type lab struct {
	folder   string
	project  string
	normal   map[tests]time.Duration // how long they take while every guard is in place; 0: they fail
	patience time.Duration           // how much longer they may take without a guard
}

// newLab copies the project in the working directory. Files beside the project that tests read are linked
// beside the copy.
func newLab() (*lab, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "pitchstream-mutants-")
	if err != nil {
		return nil, err
	}
	l := &lab{
		folder: folder, project: filepath.Join(folder, "project"),
		normal: map[tests]time.Duration{}, patience: time.Minute,
	}
	err = errors.Join(
		os.Symlink(filepath.Join(filepath.Dir(root), "shared"), filepath.Join(folder, "shared")),
		os.CopyFS(l.project, os.DirFS(root)))
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() { _ = os.RemoveAll(l.folder) }

// try removes a guard, runs its tests, and puts it back.
func (l *lab) try(ctx context.Context, g guard) (verdict string) {
	path := filepath.Join(l.project, g.file)
	whole, err := os.ReadFile(path)
	if err != nil {
		return unclear
	}
	without, err := mutate(string(whole), g)
	if err != nil {
		fmt.Printf("%s:%d: %v\n", g.file, g.line, err)
		return unclear
	}
	for _, t := range g.tests {
		if l.normally(ctx, t) == 0 {
			return failing
		}
	}
	defer func() { _ = os.WriteFile(path, whole, 0o644) }()
	if err := os.WriteFile(path, []byte(without), 0o644); err != nil {
		return unclear
	}
	verdict = survived
	for _, t := range g.tests {
		out, err := l.test(ctx, t, l.normal[t]+l.patience)
		switch {
		case err == nil:
			continue
		case bytes.Contains(out, []byte("[build failed]")):
			fmt.Println(string(out))
			return broken
		case bytes.Contains(out, []byte("panic: test timed out")):
			return hung
		}
		return killed
	}
	return verdict
}

// normally returns how long tests take while every guard is in place, 0 if they fail.
func (l *lab) normally(ctx context.Context, t tests) time.Duration {
	if took, known := l.normal[t]; known {
		return took
	}
	began := time.Now()
	out, err := l.test(ctx, t, longestTest)
	l.normal[t] = time.Since(began)
	if err != nil {
		fmt.Println(string(out))
		l.normal[t] = 0
	}
	return l.normal[t]
}

// test runs tests under CI=true, so that none is skipped for want of a server. After the limit they have
// failed, and the processes that they started are killed.
func (l *lab) test(ctx context.Context, t tests, limit time.Duration) ([]byte, error) {
	const compiling = 5 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit+compiling)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-tags", "synctests", "-vet=off", "-count=1", "-failfast",
		"-timeout", limit.String(), "-run", t.run, t.pkg)
	cmd.Dir, cmd.Env = l.project, append(os.Environ(), "CI=true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	return cmd.CombinedOutput()
}
