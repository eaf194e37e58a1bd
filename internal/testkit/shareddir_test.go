package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The binary that the tests of a process share has 70 MB, and goes with that process.
// guard: a test process leaves no binary behind
func TestASharedFolderGoesWithItsProcess(t *testing.T) {
	if os.Getenv("TESTKIT_TEST_SHARED_DIR") != "" {
		require.NoError(t, os.WriteFile(filepath.Join(SharedDir(t), "binary"), nil, 0o600))
		return
	}
	temporary := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestASharedFolderGoesWithItsProcess$")
	cmd.Env = append(os.Environ(), "TESTKIT_TEST_SHARED_DIR=1", "TMPDIR="+temporary)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left)
}
