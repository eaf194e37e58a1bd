package browser

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// The count of the game's page is the one after its newest pitch, and the pitches are those of one at-bat.
// situation.mjs has the cases.
// guard: dashboard: an at-bat ends
func TestTheAtBatAndItsCount(t *testing.T) { plain(t, "situation.mjs") }

// The words of a record may be any, also names that every object of JavaScript has. A store that answers is
// not well for that alone. Pages ask in the right order, and as often as the server allows. words.mjs has the
// cases.
// guard: dashboard: a type may have any name
// guard: dashboard: a code is not said twice
// guard: dashboard: a list of some is not called one of all
// guard: dashboard: a store with something wrong is not called well
// guard: dashboard: an answer to an earlier question is not shown
func TestWordsOfRecordsAndQuestions(t *testing.T) { plain(t, "words.mjs") }

// Cards and the wall stay with their games while others have the newest pitch. choose.mjs has the cases.
// guard: dashboard: cards keep their places
// guard: dashboard: the wall stays with a game
// guard: dashboard: the wall stays with a game while the list is from memory
func TestWhichGamesAreShown(t *testing.T) { plain(t, "choose.mjs") }

// plain runs a module of this folder under Node, beside those of the dashboard.
func plain(t *testing.T, module string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		testkit.Unavailable(t, "needs node, 20 or newer")
	}
	dir := t.TempDir()
	modules, err := fs.Glob(os.DirFS("../../web/static"), "*.js")
	require.NoError(t, err)
	for _, name := range modules {
		b, err := os.ReadFile(filepath.Join("../../web/static", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	for _, name := range []string{module, "package.json"} {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	node := exec.CommandContext(t.Context(), "node", module)
	node.Dir = dir
	out, err := node.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
