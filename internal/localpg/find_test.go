package localpg

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindReturnsTheNewestInstallation(t *testing.T) {
	root := t.TempDir()
	install(t, root+"/9/bin", "9.6.24")
	install(t, root+"/15/bin", "15.18 (Debian 15.18-0+deb12u1)")
	install(t, root+"/17/bin", "17.2")
	install(t, root+"/13/bin", "13.1")
	wrapper := install(t, root+"/99/bin", "99.1")
	require.NoError(t, os.Remove(wrapper+"/postgres"))
	require.NoError(t, os.WriteFile(wrapper+"/postgres",
		[]byte("#!/bin/sh\necho 'postgres (PostgreSQL) 99.1'\n"), 0o755))
	require.NoError(t, os.Remove(install(t, root+"/98/bin", "98.1")+"/initdb"))

	t.Setenv("PATH", "/nowhere")
	got, err := newest(t.Context(), candidates([]string{root + "/*/bin"}))
	require.NoError(t, err)
	require.Equal(t, Installation{BinDir: root + "/17/bin", Version: "17.2", Major: 17}, got)

	got, err = newest(t.Context(), []string{root + "/13/bin", root + "/15/bin"})
	require.NoError(t, err)
	require.Equal(t, Installation{BinDir: root + "/15/bin", Version: "15.18", Major: 15}, got)
}

func TestLinkInPathLeadsToTheInstallation(t *testing.T) {
	real, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	inPath := t.TempDir()
	require.NoError(t, os.WriteFile(real+"/postgres", nil, 0o755))
	require.NoError(t, os.Symlink(real+"/postgres", inPath+"/postgres"))
	t.Setenv("PATH", inPath)
	require.Equal(t, []string{real}, candidates(nil))
}

func TestErrorSaysWhatToInstall(t *testing.T) {
	_, err := newest(t.Context(), []string{"/nowhere", t.TempDir()})
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorContains(t, err, "apt install postgresql")
	require.ErrorContains(t, err, "PG_BIN")
}

func TestPGBinIsTheOnlyFolderWhenSet(t *testing.T) {
	dir := install(t, t.TempDir(), "16.3")
	t.Setenv("PG_BIN", dir)
	got, err := Find(t.Context())
	require.NoError(t, err)
	require.Equal(t, Installation{BinDir: dir, Version: "16.3", Major: 16}, got)

	t.Setenv("PG_BIN", install(t, t.TempDir(), "13.1"))
	_, err = Find(t.Context())
	require.ErrorContains(t, err, "PG_BIN=")
	require.ErrorContains(t, err, "is version 13.1, pitchstream needs 14")
}

// install makes a folder that looks like an installation. Its postgres is this test binary; see TestMain.
func install(t *testing.T, dir, version string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	for _, program := range []string{"initdb", "postgres"} {
		require.NoError(t, os.Symlink(self, filepath.Join(dir, program)))
	}
	require.NoError(t, os.WriteFile(dir+"/version", []byte(version), 0o644))
	return dir
}
