package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// longest is for the tests of a guard that stands; how much longer they may take without it, the lab's patience says.
const longest = 10 * time.Minute

// lab is a copy of the project, in which guards are taken away.
type lab struct {
	folder   string
	project  string
	normal   map[string]time.Duration // by tests: how long they take while every guard stands; 0: they fail
	patience time.Duration
}

func newLab() (*lab, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "pitchstream-mutants-")
	if err != nil {
		return nil, err
	}
	l := &lab{folder: folder, project: filepath.Join(folder, "project"), normal: map[string]time.Duration{}, patience: time.Minute}
	// What tests read beside the project is beside the copy.
	beside := os.Symlink(filepath.Join(filepath.Dir(root), "shared"), filepath.Join(folder, "shared"))
	if err := errors.Join(beside, copyTree(root, l.project)); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() { _ = os.RemoveAll(l.folder) }

// try answers killed, hung (counts as killed, though a busy machine may have been it), SURVIVED, MOVED (the guard is not
// there), BROKEN (the changed code does not compile), FAILING (the tests fail although the guard stands) or SKIPPED (the
// same of tests that want real servers).
func (l *lab) try(ctx context.Context, m mutant) string {
	path := filepath.Join(l.project, m.file)
	whole, err := os.ReadFile(path)
	if err != nil || strings.Count(string(whole), m.old) != 1 {
		return "MOVED"
	}
	normal := l.normally(ctx, m)
	if normal == 0 && m.needsPG {
		return "SKIPPED"
	} else if normal == 0 {
		return "FAILING"
	}
	defer func() { _ = os.WriteFile(path, whole, 0o644) }()
	if err := os.WriteFile(path, []byte(strings.Replace(string(whole), m.old, m.new, 1)), 0o644); err != nil {
		return "MOVED"
	}
	if out, err := l.test(ctx, m.pkg, "^$", longest); err != nil {
		fmt.Println(string(out))
		return "BROKEN"
	}
	out, err := l.test(ctx, m.pkg, m.run, normal+l.patience)
	switch {
	case err == nil:
		return "SURVIVED"
	case bytes.Contains(out, []byte("panic: test timed out")):
		return "hung"
	}
	return "killed"
}

// normally is how long the tests of a guard take while it stands, 0 if they fail.
func (l *lab) normally(ctx context.Context, m mutant) time.Duration {
	tests := m.pkg + " " + m.run
	if took, known := l.normal[tests]; known {
		return took
	}
	began := time.Now()
	out, err := l.test(ctx, m.pkg, m.run, longest)
	l.normal[tests] = time.Since(began)
	if err != nil {
		fmt.Println(string(out))
		l.normal[tests] = 0
	}
	return l.normal[tests]
}

// test runs tests, of which none may be skipped for want of a server. After the limit they have failed, and what they
// started is gone.
func (l *lab) test(ctx context.Context, pkg, run string, limit time.Duration) ([]byte, error) {
	const compiling = 5 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit+compiling)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-tags", "synctests", "-count=1", "-failfast", "-timeout", limit.String(), "-run", run, pkg)
	cmd.Dir, cmd.Env = l.project, append(os.Environ(), "CI=true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	return cmd.CombinedOutput()
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel == ".git" || rel == "out" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o644)
	})
}
