package newcomer

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// The archive and the package of a release hold a binary that starts and knows its version.
func TestASnapshotOfAReleaseStarts(t *testing.T) {
	dir := clone(t)
	run := func(name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "VERSION=1.2.3", "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	t.Log(run("make", "snapshot"))
	released := filepath.Join(dir, "out", "release")
	run("sh", "-c", "cd out/release && sha256sum -c checksums.txt")
	name := "pitchstream_1.2.3_" + runtime.GOOS + "_" + runtime.GOARCH
	unpacked := t.TempDir()
	run("tar", "-C", unpacked, "-xzf", filepath.Join(released, name+".tar.gz"))
	binary := filepath.Join(unpacked, name, "pitchstream")
	require.Contains(t, run(binary, "version"), "pitchstream 1.2.3\n")
	require.Contains(t, run(binary, "demo", "--for", "2s", "--speed", "400"), "the books balance")
	modules, err := os.ReadFile(filepath.Join(released, name+".sbom.json"))
	require.NoError(t, err)
	require.Contains(t, string(modules), "pkg:golang/github.com/twmb/franz-go@v")
	require.Contains(t, string(modules), `"bomFormat": "CycloneDX"`)
	run("tar", "-C", unpacked, "-xzf", filepath.Join(released, "pitchstream-chart-1.2.3.tgz"))
	chart, err := os.ReadFile(filepath.Join(unpacked, "pitchstream", "Chart.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(chart), "\nversion: 1.2.3\nappVersion: \"1.2.3\"\n")
	if _, err := exec.LookPath("dpkg-deb"); err == nil && runtime.GOOS == "linux" {
		run("dpkg-deb", "-x", filepath.Join(released, name+".deb"), unpacked)
		require.Contains(t, run(filepath.Join(unpacked, "usr", "bin", "pitchstream"), "version"), "1.2.3")
	}
	require.Empty(t, run("git", "status", "--porcelain"))
}
