package chaos

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// A server reads its clock through a library that is preloaded, clock/clock.c. A program of Go asks the
// kernel without a library, so the processor whose clock is wrong is built with another time.Now.

// clocks are those of the servers that a schedule sets wrong.
type clocks struct {
	dir, library string
	files        map[string]string // by the server's name
}

// newClocks builds the library.
func newClocks(t *testing.T) *clocks {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil {
		testkit.Unavailable(t, "wrong clocks want a C compiler, as of Debian's packages gcc and libc6-dev")
	}
	dir, err := os.MkdirTemp("", "pitchstream-clocks-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755)) // Postgres runs as another user
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	k := &clocks{dir: dir, library: filepath.Join(dir, "clock.so"), files: map[string]string{}}
	source := filepath.Join(testkit.Root(), "test", "chaos", "clock", "clock.c")
	out, err := exec.Command(compiler, "-shared", "-fPIC", "-O2", "-Wall", "-o", k.library, source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return k
}

// env returns the environment of a server whose clock can be set; nil where no schedule sets it.
func (k *clocks) env(t *testing.T, name string) []string {
	t.Helper()
	if k == nil {
		return nil
	}
	k.files[name] = filepath.Join(k.dir, name)
	k.set(t, name, 0)
	return []string{"LD_PRELOAD=" + k.library, "CHAOS_CLOCK_FILE=" + k.files[name]}
}

// set sets a clock wrong, from now on.
func (k *clocks) set(t *testing.T, name string, by time.Duration) {
	t.Helper()
	// Not a new file, because the servers have mapped this one.
	f, err := os.OpenFile(k.files[name], os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(int64(by/time.Second))), 0)
	require.NoError(t, err)
}

// moveClock sets one clock an hour ahead or behind.
func (c *cluster) moveClock(f fault) ongoing {
	c.t.Helper()
	by := time.Hour
	if f.whom%2 == 1 {
		by = -by
	}
	c.t.Logf("    by %v", by)
	switch f.kind {
	case processorClock:
		return c.moveProcessor(f.whom%processors, by)
	case brokerClock:
		b := c.choose(f)
		c.clocks.set(c.t, b.name, by)
		return ongoing{endures: true, least: f.hold, after: c.awaitBrokers,
			undo: func() { c.clocks.set(c.t, b.name, 0) }}
	case masterClock:
		m := c.master()
		c.clocks.set(c.t, m.name, by)
		return ongoing{endures: true, least: f.hold, after: c.awaitReplicas,
			undo: func() { c.clocks.set(c.t, m.name, 0) }}
	}
	first, second := c.primary(), c.standby()
	c.clocks.set(c.t, second.name, by)
	c.await("the standby has its clock", func() bool {
		return second.ask(c.t.Context(), "SELECT (abs(extract(epoch FROM clock_timestamp()) - "+
			fmt.Sprint(time.Now().Unix())+") > 1800)::text") == "true"
	})
	first.server.Kill(c.t)
	c.promote()
	return ongoing{endures: true, after: c.renewStandby, undo: func() { c.clocks.set(c.t, second.name, 0) }}
}

// moveProcessor starts a processor again, with another clock.
func (c *cluster) moveProcessor(i int, by time.Duration) ongoing {
	c.t.Helper()
	replace := func(binary string, env ...string) {
		c.kill(i)
		c.use(i, binary, env...)
		c.revive(i)
	}
	replace(c.skewed, fmt.Sprint("CHAOS_CLOCK=", int(by.Seconds())))
	return ongoing{endures: true, undo: func() { replace(c.binary) }}
}

// buildSkewed builds the command so that its clock is wrong by CHAOS_CLOCK seconds. It takes minutes the
// first time, because every package is built again; CHAOS_SKEWED names such a build.
func buildSkewed(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CHAOS_SKEWED"); path != "" {
		return path
	}
	const now, moved = "sec, nsec, mono := runtimeNow()", "sec, nsec, mono := runtimeNow(); sec += chaosClock"
	const clock = `package time

import "syscall"

var chaosClock = func() int64 {
	text, _ := syscall.Getenv("CHAOS_CLOCK")
	n, _ := atoi(text)
	return int64(n)
}()
`
	root, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	require.NoError(t, err)
	require.Contains(t, string(text), now, "this Go reads its clock in another way")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	overlay := write("overlay.json", fmt.Sprintf(`{"Replace": {%q: %q, %q: %q}}`,
		source, write("time.go", strings.ReplaceAll(string(text), now, moved)),
		filepath.Join(filepath.Dir(source), "chaos.go"), write("chaos.go", clock)))
	return build(t, testkit.Root(), "-overlay", overlay)
}

// build builds the command of a source tree.
func build(t *testing.T, tree string, args ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pitchstream-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	out := filepath.Join(dir, "pitchstream")
	cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", out}, args...), "./cmd/pitchstream")...)
	cmd.Dir = tree
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

// A server that reads its clock through the library reads what the file says.
func TestAClockIsSet(t *testing.T) {
	k := newClocks(t)
	env := k.env(t, "some")
	now := func() time.Duration {
		cmd := exec.Command("date", "+%s")
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.Output()
		require.NoError(t, err)
		seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		require.NoError(t, err)
		return time.Until(time.Unix(seconds, 0)).Round(time.Minute)
	}
	require.Zero(t, now())
	k.set(t, "some", -time.Hour)
	require.Equal(t, -time.Hour, now())
}
