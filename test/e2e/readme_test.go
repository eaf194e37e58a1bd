package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pitchstream/internal/testkit"
	"pitchstream/test/internal/world"
)

// Every command that the README shows is run here, as it stands there; a command that this test does not know fails it.
func TestReadmeCommands(t *testing.T) {
	w := world.New(t)
	var p *world.Process
	for _, line := range readmeCommands(t) {
		switch {
		case line == "make demo":
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			out, err := makeIn(ctx, "demo", "ARGS=--for 5s")
			require.NoError(t, err, out)
		case line == "make test": // is running now
			out, err := makeIn(t.Context(), "-n", "test")
			require.NoError(t, err, out)
			require.Contains(t, out, "go test")
		case strings.HasPrefix(line, "export "): // the same settings, of this test's servers
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "export "), "=")
			require.True(t, sets(w, name), "%s is a setting", name)
		case line == "pitchstream run":
			p = w.Start()
		case line == "pitchstream load games/":
			dir := filepath.Join(t.TempDir(), "games")
			w.Must("simulate", "--games", "1", "--pitches", "20", "-o", dir+"/")
			w.Must("load", dir+"/")
			w.WaitCaughtUp()
		case strings.HasPrefix(line, "pitchstream "):
			w.Must(strings.Fields(line)[1:]...)
		default:
			t.Errorf("README shows %q, which no test runs", line)
		}
	}
	require.NotNil(t, p)
	p.Halt()
	require.Len(t, w.RequireBooks(1).Rows, 20)
}

// readmeCommands are the lines of the README's sh blocks, without their comments.
func readmeCommands(t *testing.T) (lines []string) {
	b, err := os.ReadFile(filepath.Join(testkit.Root(), "README.md"))
	require.NoError(t, err)
	in := false
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "```") {
			in = strings.HasPrefix(line, "```sh")
			continue
		}
		if line, _, _ = strings.Cut(line, " #"); in && strings.TrimSpace(line) != "" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	require.NotEmpty(t, lines)
	return lines
}

func makeIn(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "make", args...)
	cmd.Dir = testkit.Root()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// sets tells whether the world's environment has a setting.
func sets(w *world.World, name string) bool {
	for _, kv := range w.Env {
		if strings.HasPrefix(kv, name+"=") {
			return true
		}
	}
	return false
}
