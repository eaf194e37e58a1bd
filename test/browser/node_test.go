package browser

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// script runs a module of this folder under Node, beside the packages that it wants. For each line "do ACTION
// ARGUMENTS" of the module's output it calls act, and writes the answer to the module's input. The other
// lines are logged.
func script(t *testing.T, module string, env []string, act func(action string, args []string) string) {
	t.Helper()
	dir := packages(t, module)
	node := exec.CommandContext(t.Context(), "node", module)
	node.Dir, node.Env, node.WaitDelay = dir, append(os.Environ(), env...), time.Second
	var errs strings.Builder
	node.Stderr = &errs
	in, err := node.StdinPipe()
	require.NoError(t, err)
	out, err := node.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, node.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if asked, ok := strings.CutPrefix(lines.Text(), "do "); ok {
			words := strings.Fields(asked)
			_, err := io.WriteString(in, act(words[0], words[1:])+"\n")
			require.NoError(t, err)
		} else {
			t.Log(lines.Text())
		}
	}
	require.NoError(t, node.Wait(), "%s", &errs)
}

// packages is a folder with the modules and what they import.
func packages(t *testing.T, modules ...string) (dir string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			testkit.Unavailable(t, "needs "+tool+", 20 or newer")
		}
	}
	dir = t.TempDir()
	for _, name := range append([]string{"package.json", "package-lock.json"}, modules...) {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		testkit.Unavailable(t, "npm ci: "+string(out))
	}
	return dir
}

// chromium is the browser of this machine: PITCHSTREAM_TEST_CHROMIUM names it, else it is in the path.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("PITCHSTREAM_TEST_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	testkit.Unavailable(t, "needs chromium (apt-get install chromium); PITCHSTREAM_TEST_CHROMIUM names another browser")
	return ""
}

// pictures is the folder for screenshots.
func pictures(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(cmp.Or(os.Getenv("PITCHSTREAM_SCREENSHOTS"), t.TempDir()))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	return dir
}
