package fileinput

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	settings := map[string]string{"topic": "pitches.raw", "revision": "0"}
	file := func() *File {
		return &File{Path: "a.jsonl", SizeBytes: 10, ModTime: time.Date(2024, 9, 28, 1, 2, 3, 456789, time.UTC)}
	}
	reopen := func() *Checkpoint {
		c, err := OpenCheckpoint(path, settings)
		require.NoError(t, err)
		return c
	}

	c := reopen()
	require.NoError(t, c.Save())
	require.FileExists(t, path, "it can be written")
	require.False(t, c.Complete(file()))
	require.False(t, c.Done(file(), 1))
	c.Settle(file(), 1, false)
	c.Settle(file(), 2, true)
	c.Settle(file(), 3, false)
	require.NoError(t, c.Save())

	c = reopen()
	require.True(t, c.Done(file(), 1))
	require.False(t, c.Done(file(), 2), "a failed one is tried again")
	require.True(t, c.Done(file(), 3))
	require.False(t, c.Done(file(), 4))
	require.EqualValues(t, 2, c.SettledRecords(file()))
	c.Ended(file(), 3)
	require.False(t, c.Complete(file()), "one failed")
	c.Settle(file(), 2, false)
	require.True(t, c.Complete(file()))
	require.NoError(t, c.Save())

	c = reopen()
	require.True(t, c.Complete(file()))
	longer := file()
	longer.SizeBytes++
	require.False(t, c.Complete(longer), "it changed: from its beginning")
	require.False(t, c.Done(longer, 1))
	touched := file()
	touched.ModTime = touched.ModTime.Add(1)
	require.False(t, reopen().Complete(touched))
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file stays")
}

func TestCheckpointOfAnotherRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	c, err := OpenCheckpoint(path, map[string]string{"topic": "a"})
	require.NoError(t, err)
	c.Settle(&File{Path: "x"}, 1, false)
	require.NoError(t, c.Save())
	_, err = OpenCheckpoint(path, map[string]string{"topic": "b"})
	require.EqualError(t, err, path+`: is of a run with topic "a", this one has "b": name another state file`)

	for _, text := range []string{"", "{}", "nope", `{"version":2}`} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		_, err = OpenCheckpoint(path, nil)
		require.ErrorContains(t, err, path+": not a state file of this version")
	}
}

// A state that could not be written is still to be written.
func TestCheckpointSaveFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	c, err := OpenCheckpoint(filepath.Join(dir, "state.json"), nil)
	require.NoError(t, err)
	c.Settle(&File{Path: "x"}, 1, false)
	require.Error(t, c.Save())
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, c.Save())
	require.FileExists(t, filepath.Join(dir, "state.json"))
}
