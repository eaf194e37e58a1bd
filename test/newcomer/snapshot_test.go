package newcomer

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// The archive, the package and the image of a release hold a binary that starts and knows its version. The
// checksums are signed where there is a key.
func TestASnapshotOfAReleaseStarts(t *testing.T) {
	dir := clone(t)
	env := append(os.Environ(), "VERSION=1.2.3", "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH, "GNUPGHOME="+keyring(t))
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	if _, err := exec.LookPath("gpg"); err != nil {
		testkit.Unavailable(t, "needs gpg")
	}
	const signer = "release@localhost"
	run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", signer, "ed25519", "sign", "never")
	env = append(env, "SIGN_KEY="+signer)
	t.Log(run("make", "snapshot"))
	released := filepath.Join(dir, "out", "release")
	run("sh", "-c", "cd out/release && sha256sum -c checksums.txt && gpg --verify checksums.txt.asc checksums.txt")
	name := "pitchstream_1.2.3_" + runtime.GOOS + "_" + runtime.GOARCH
	unpacked := t.TempDir()
	run("tar", "-C", unpacked, "-xzf", filepath.Join(released, name+".tar.gz"))
	binary := filepath.Join(unpacked, name, "pitchstream")
	require.Contains(t, run(binary, "version"), "pitchstream 1.2.3\n")
	require.NotContains(t, run(binary, "version"), "unknown", "it does not know its commit")
	require.Contains(t, run(binary, "demo", "--for", "2s", "--speed", "400"), "the books balance")
	modules, err := os.ReadFile(filepath.Join(released, name+".sbom.json"))
	require.NoError(t, err)
	require.Contains(t, string(modules), "pkg:golang/github.com/twmb/franz-go@v")
	require.Contains(t, string(modules), `"bomFormat": "CycloneDX"`)
	run("tar", "-C", unpacked, "-xzf", filepath.Join(released, "pitchstream-chart-1.2.3.tgz"))
	chart, err := os.ReadFile(filepath.Join(unpacked, "pitchstream", "Chart.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(chart), "\nversion: 1.2.3\nappVersion: \"1.2.3\"\n")
	require.Empty(t, run("git", "status", "--porcelain"))
	if runtime.GOOS != "linux" {
		return
	}
	t.Run("package", func(t *testing.T) {
		if _, err := exec.LookPath("dpkg"); err != nil {
			testkit.Unavailable(t, "needs dpkg")
		}
		if os.Getuid() != 0 { // who may not give files to root
			root := t.TempDir()
			run("dpkg-deb", "-x", filepath.Join(released, name+".deb"), root)
			require.Contains(t, run(filepath.Join(root, "usr", "bin", "pitchstream"), "version"), "pitchstream 1.2.3\n")
			return
		}
		// dpkg installs below root, with a database of its own.
		root := t.TempDir()
		for _, folder := range []string{"info", "updates"} {
			require.NoError(t, os.MkdirAll(filepath.Join(root, "var", "lib", "dpkg", folder), 0o755))
		}
		require.NoError(t, os.WriteFile(filepath.Join(root, "var", "lib", "dpkg", "status"), nil, 0o600))
		run("dpkg", "--root="+root, "--log=/dev/null", "-i", filepath.Join(released, name+".deb"))
		installed := filepath.Join(root, "usr", "bin", "pitchstream")
		require.Contains(t, run(installed, "version"), "pitchstream 1.2.3\n")
		run("dpkg", "--root="+root, "--log=/dev/null", "-r", "pitchstream")
		require.NoFileExists(t, installed)
	})
	t.Run("image", func(t *testing.T) {
		file := filepath.Join(released, name+"_image.tar")
		requireWholeImage(t, file)
		if os.Getenv("PITCHSTREAM_TEST_CONTAINERS") == "off" || exec.Command("docker", "info").Run() != nil {
			testkit.Unavailable(t, "needs a container engine")
		}
		require.Contains(t, run("docker", "load", "-i", file), "pitchstream:1.2.3")
		defer run("docker", "rmi", "pitchstream:1.2.3")
		require.Contains(t, run("docker", "run", "--rm", "pitchstream:1.2.3", "version"), "pitchstream 1.2.3\n")
	})
}

// keyring returns an empty folder for keys. Its path is short, because an agent listens at a socket in it.
func keyring(t *testing.T) string {
	dir, err := os.MkdirTemp("/tmp", "keys") //nolint:usetesting // the path of t.TempDir is too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() {
		cmd := exec.Command("gpgconf", "--kill", "gpg-agent")
		cmd.Env = append(os.Environ(), "GNUPGHOME="+dir)
		_ = cmd.Run() // it also ends when its folder is gone
		_ = os.RemoveAll(dir)
	})
	return dir
}

// requireWholeImage follows index, manifest, configuration and layer of an image. Names are their digests.
func requireWholeImage(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	content := map[string][]byte{}
	for files := tar.NewReader(f); ; {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		content[h.Name], err = io.ReadAll(files)
		require.NoError(t, err)
		if strings.HasPrefix(h.Name, "blobs/sha256/") && h.Typeflag == tar.TypeReg {
			sum := sha256.Sum256(content[h.Name])
			require.Equal(t, filepath.Base(h.Name), hex.EncodeToString(sum[:]))
		}
	}
	type part struct {
		Digest string
		Size   int
	}
	blob := func(p part) []byte {
		b := content["blobs/sha256/"+strings.TrimPrefix(p.Digest, "sha256:")]
		require.Len(t, b, p.Size)
		return b
	}
	var index struct{ Manifests []part }
	var manifest struct {
		Config part
		Layers []part
	}
	var config struct {
		Architecture string
		Config       struct{ User string }
	}
	require.NoError(t, json.Unmarshal(content["index.json"], &index))
	require.Len(t, index.Manifests, 1)
	require.NoError(t, json.Unmarshal(blob(index.Manifests[0]), &manifest))
	require.Len(t, manifest.Layers, 1)
	blob(manifest.Layers[0])
	require.NoError(t, json.Unmarshal(blob(manifest.Config), &config))
	require.Equal(t, runtime.GOARCH, config.Architecture)
	require.Equal(t, "65532:65532", config.Config.User)
}
