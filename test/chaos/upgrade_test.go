package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// buildOlder returns an earlier build of the command: CHAOS_OLDER, or that of the commit before the newest
// migration, because a database is migrated before the processors are replaced.
func buildOlder(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CHAOS_OLDER"); path != "" {
		return path
	}
	git := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = testkit.Root()
		out, err := cmd.Output()
		require.NoError(t, err, "git %v: without its history, name an earlier build in CHAOS_OLDER", args)
		return strings.TrimSpace(string(out))
	}
	added := git("log", "-1", "--diff-filter=A", "--format=%H", "--", "schemas/migrations")
	require.NotEmpty(t, added, "no commit has added a migration: name an earlier build in CHAOS_OLDER")
	tree := t.TempDir()
	archive := filepath.Join(tree, "tree.tar")
	git("archive", "-o", archive, added+"^")
	out, err := exec.Command("tar", "-xf", archive, "-C", tree).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("the earlier build is of %s", git("log", "-1", "--format=%h: %s", added+"^"))
	return build(t, tree)
}

// use has a processor run another binary from its next start on.
func (c *cluster) use(i int, binary string, env ...string) {
	c.t.Helper()
	var text strings.Builder
	text.WriteString("#!/bin/sh\n")
	for _, e := range env {
		fmt.Fprintf(&text, "export %s\n", e)
	}
	fmt.Fprintf(&text, "exec '%s' \"$@\"\n", binary)
	next := c.script(i) + ".next"
	require.NoError(c.t, os.WriteFile(next, []byte(text.String()), 0o700))
	require.NoError(c.t, os.Rename(next, c.script(i)))
}

// script is what is started as a processor.
func (c *cluster) script(i int) string {
	return filepath.Join(c.logs, fmt.Sprint("processor-", i+1, ".sh"))
}

// replace ends a processor as an operator does, and starts it with another binary. It returns when that is
// ready.
func (c *cluster) replace(i int, binary string) {
	c.t.Helper()
	c.mu.Lock()
	c.processors[i].Stop(c.t)
	c.use(i, binary)
	c.begin(c.processors[i], i)
	c.mu.Unlock()
	c.await(fmt.Sprintf("processor %d is ready", i+1), func() bool {
		c.supervise()
		return c.wasReady(i)
	})
}

// upgrade begins with an earlier build everywhere. Its end is the upgrade: one processor after the other, and
// then an old one that comes back for a while.
func (c *cluster) upgrade(f fault) ongoing {
	c.t.Helper()
	for i := range processors {
		c.replace(i, c.older)
	}
	return ongoing{endures: true, undo: func() {
		for i := range processors {
			c.replace(i, c.binary)
		}
		back := testkit.RunProgram(c.t, testkit.Program{
			Name: "older", Path: c.older, Args: []string{"run", "--log-format=text"}, Env: c.stack.Env, LogFile: c.logFile("older"),
		})
		c.add("older", back)
		pause(c.t.Context(), f.hold)
		back.Stop(c.t)
	}}
}

// startProcessor starts a processor. Each one but the last has a name that it keeps.
func (c *cluster) startProcessor(i int) {
	c.t.Helper()
	name := fmt.Sprint("processor-", i+1)
	args := []string{"run", "--log-format=text"}
	if i < processors-1 {
		args = append(args, "--instance-id="+name)
	}
	c.use(i, c.binary)
	p := testkit.RunProgram(c.t, testkit.Program{
		Name: name, Path: c.script(i), Args: args, Env: c.stack.Env, LogFile: c.logFile(name),
	})
	c.add(name, p)
	c.processors = append(c.processors, p)
}

// builds makes the binaries that a schedule wants.
func (c *cluster) builds() {
	c.t.Helper()
	c.binary = stack.Binary(c.t)
	if c.may[upgraded] {
		c.older = buildOlder(c.t)
	}
	if c.may[processorClock] {
		c.skewed = buildSkewed(c.t)
	}
}
