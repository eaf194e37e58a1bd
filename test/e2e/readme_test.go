package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// Every command that the README shows is run here, as it stands there; a command that this test does not know
// fails it.
func TestReadmeCommands(t *testing.T) {
	w := stack.New(t)
	var p, api *stack.Process
	addr := testkit.FreeAddr()
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
			w.Output("simulate", "--games", "1", "--pitches", "20", "-o", dir+"/")
			w.Output("load", dir+"/")
			w.WaitCaughtUp()
		case line == "pitchstream serve":
			api = w.StartCommand("serve", "--api-addr="+addr)
		case strings.HasPrefix(line, "curl "):
			curl(t, w, addr, line)
		case strings.HasPrefix(line, "pitchstream "):
			w.Output(strings.Fields(line)[1:]...)
		default:
			t.Errorf("README shows %q, which no test runs", line)
		}
	}
	require.NotNil(t, p)
	api.Halt()
	p.Halt()
	require.Len(t, requireBooks(w, 1).Rows, 20)
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

// curl asks what a line of the README asks, of a batter and a game that are there, and wants an answer.
func curl(t *testing.T, w *stack.Stack, addr, line string) {
	t.Helper()
	store := w.Store()
	defer store.Close()
	rows, err := pgbooks.New(store.DB()).Rows(t.Context())
	require.NoError(t, err)
	at := slices.IndexFunc(rows, func(r schemas.StoredRow) bool { return r.BatterID.Present })
	r := rows[at]
	url := strings.NewReplacer("localhost:8080", "http://"+addr, "660271", fmt.Sprint(r.BatterID.Value), "745804", string(r.GamePK), "min_swings=50", "min_swings=1",
		"3:48213", fmt.Sprintf("%d:%d", r.SourcePartition, r.SourceOffset)).Replace(strings.Trim(line[strings.LastIndexByte(line, ' ')+1:], "'"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode, "%s: %s", line, url)
	b := make([]byte, 300)
	n, err := io.ReadAtLeast(resp.Body, b, 100)
	require.NoError(t, err, "%s: %s", line, b[:n])
}

func makeIn(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "make", args...)
	cmd.Dir = testkit.Root()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// sets reports whether the environment of w has a setting.
func sets(w *stack.Stack, name string) bool {
	for _, kv := range w.Env {
		if strings.HasPrefix(kv, name+"=") {
			return true
		}
	}
	return false
}
