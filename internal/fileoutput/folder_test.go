package fileoutput

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func openFolder(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := OpenFolder(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func put(t *testing.T, f *Folder, names ...string) {
	t.Helper()
	for _, name := range names {
		require.NoError(t, f.WriteFile(name, func(w io.Writer) error {
			_, err := io.WriteString(w, name)
			return err
		}))
	}
}

// visible are the names in a folder that people see, hidden those they do not.
func visible(t *testing.T, dir string) (names, hidden []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name()[0] == '.' {
			hidden = append(hidden, e.Name())
			continue
		}
		names = append(names, e.Name())
	}
	return names, hidden
}

func TestFilesAppearTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	f := openFolder(t, dir)
	put(t, f, "rows", "report", "spool")
	names, _ := visible(t, dir)
	require.Empty(t, names)
	require.NoError(t, f.Publish("rows", "report"))
	require.NoError(t, f.Close())
	names, hidden := visible(t, dir)
	require.Equal(t, []string{"report", "rows"}, names)
	require.Empty(t, hidden, "what was not published is gone")
}

func TestARunThatEndsEarlyLeavesTheOldFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rows"), []byte("old"), 0o644))
	f := openFolder(t, dir)
	put(t, f, "rows", "report")
	require.NoError(t, f.Close())
	require.NoError(t, f.Close(), "twice")
	names, hidden := visible(t, dir)
	require.Equal(t, []string{"rows"}, names)
	require.Empty(t, hidden)
	old, err := os.ReadFile(filepath.Join(dir, "rows"))
	require.NoError(t, err)
	require.Equal(t, "old", string(old))
}

// A later run removes the files that a killed run has left.
func TestTheFilesOfAKilledRunAreRemoved(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, workName, "deep"), 0o755))
	f := openFolder(t, dir)
	entries, err := os.ReadDir(f.work)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Stopped between any two steps, the last file is there only when all are new.
func TestTheLastFileAppearsAfterTheOthers(t *testing.T) {
	all := []string{"rows", "batters", "rejected", "report"}
	for _, missing := range all { // its rename fails: as if the run ended there
		dir := t.TempDir()
		for _, name := range all {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o644))
		}
		f := openFolder(t, dir)
		put(t, f, slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == missing })...)
		require.Error(t, f.Publish(all...))
		require.NoError(t, f.Close())
		names, _ := visible(t, dir)
		require.NotContains(t, names, "report", "%s was not written", missing)
	}
}

func TestAFolderIsForOneRunAtATime(t *testing.T) {
	dir := t.TempDir()
	f := openFolder(t, dir)
	_, err := OpenFolder(t.Context(), dir)
	require.ErrorIs(t, err, errInUse)
	require.ErrorContains(t, err, dir)
	put(t, f, "report")
	require.NoError(t, f.Publish("report"), "the other one has not disturbed it")
	require.NoError(t, f.Close())
	openFolder(t, dir)
}

func TestAFolderThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	_, err := OpenFolder(t.Context(), path)
	require.ErrorContains(t, err, "not a directory")
}

func TestAFileThatCannotBeWrittenIsReported(t *testing.T) {
	f := openFolder(t, t.TempDir())
	bad := errors.New("bad")
	require.ErrorIs(t, f.WriteFile("x", func(io.Writer) error { return bad }), bad)
	require.NoError(t, os.RemoveAll(f.work))
	require.Error(t, f.WriteFile("x", func(io.Writer) error { return nil }))
}
