package localpg

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"
)

// smallJar returns an archive with the structure of the real one.
func smallJar(t *testing.T) []byte {
	return jar(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "bin/"},
		tar.Header{Typeflag: tar.TypeReg, Name: "bin/postgres", Mode: 0o750},
		tar.Header{Typeflag: tar.TypeReg, Name: "lib/libpq.so.5.17", Mode: 0o600},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "lib/libpq.so", Linkname: "libpq.so.5.17"})
}

func TestArchiveIsFetchedOnceAndUnpacked(t *testing.T) {
	requests := 0
	a, base := serve(t, smallJar(t), func(w http.ResponseWriter, r *http.Request, jar []byte) {
		requests++
		w.Write(jar)
	})
	cache := t.TempDir()
	var progress bytes.Buffer
	for range 2 {
		dir, err := a.fetch(t.Context(), base, cache, &progress)
		require.NoError(t, err)
		require.Equal(t, filepath.Join(cache, "postgres-17.11.0-testos"), dir)
		for name, mode := range map[string]os.FileMode{"bin/postgres": 0o754, "lib/libpq.so": 0o644} {
			info, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err)
			require.Equal(t, mode, info.Mode().Perm(), "%s must be readable by another user", name)
		}
	}
	require.Equal(t, 1, requests)
	require.Equal(t, "fetching Postgres 17.11, 0 MB, once: "+a.url(base)+"\n", progress.String())
	require.Equal(t, []string{"postgres-17.11.0-testos"}, names(t, cache))
}

func TestWrongOrIncompleteFileIsNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		handler func(http.ResponseWriter, *http.Request, []byte)
		want    string
	}{
		"another file": {func(w http.ResponseWriter, _ *http.Request, jar []byte) {
			w.Write(append(jar, '!'))
		}, "is not the file that pitchstream knows: its SHA-256 is"},
		"interrupted": {func(w http.ResponseWriter, _ *http.Request, jar []byte) {
			w.Header().Set("Content-Length", fmt.Sprint(len(jar)))
			w.Write(jar[:len(jar)/2])
		}, "unexpected EOF"},
		"missing": {func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.NotFound(w, r)
		}, "404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			a, base := serve(t, smallJar(t), c.handler)
			cache := t.TempDir()
			_, err := a.fetch(t.Context(), base, cache, nil)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, a.url(base))
			require.Empty(t, names(t, cache))
		})
	}
}

func TestCanceledDownloadIsNotKept(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a, base := serve(t, smallJar(t), func(w http.ResponseWriter, r *http.Request, jar []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(jar)))
		w.Write(jar[:10])
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done() // until the client closes the connection
	})
	cache := t.TempDir()
	_, err := a.fetch(ctx, base, cache, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, names(t, cache))
}

func TestArchiveCannotWriteOutsideItsFolder(t *testing.T) {
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "../evil", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "/evil", Mode: 0o644},
		{Typeflag: tar.TypeFifo, Name: "evil"},
	} {
		a, base := serve(t, jar(t, h), func(w http.ResponseWriter, _ *http.Request, jar []byte) { w.Write(jar) })
		cache := t.TempDir()
		_, err := a.fetch(t.Context(), base, cache, nil)
		require.ErrorContains(t, err, "evil")
		require.Empty(t, names(t, cache))
	}
}

// The real archive has the pinned checksum, and its Postgres runs. It comes from PITCHSTREAM_MAVEN_URL, or by
// Maven's own client, as a machine's settings of mirrors want it. Without both the test is skipped, or fails
// under CI.
func TestThePinnedArchiveRuns(t *testing.T) {
	if os.Getenv(mavenURLVariable) == "" {
		t.Setenv(mavenURLVariable, mavenByItsClient(t))
	}
	a := pinned[runtime.GOOS+"/"+runtime.GOARCH]
	// Download alone would find it in root's cache.
	_, err := a.fetch(t.Context(), os.Getenv(mavenURLVariable), t.TempDir(), os.Stderr)
	require.NoError(t, err)
	t.Setenv("PG_BIN", "")
	t.Setenv("HOME", t.TempDir()) // an empty cache, except for root
	programs, err := Download(t.Context(), os.Stderr)
	require.NoError(t, err)
	require.Equal(t, pinnedVersion, programs.Version)
	t.Setenv("PG_BIN", programs.BinDir)
	s := start(t, Options{Settings: Throwaway()})
	require.Equal(t, pinnedVersion, query(t, s.URL, "SHOW server_version"))
}

// mavenByItsClient fetches the pinned archive with mvn and returns the address of a server that has it.
func mavenByItsClient(t *testing.T) string {
	t.Helper()
	_, err := exec.LookPath("mvn")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("downloads 15 MB or more: set " + mavenURLVariable + ", or install mvn")
	}
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	artifact := "io.zonky.test.postgres:embedded-postgres-binaries-" + pinned[runtime.GOOS+"/"+runtime.GOARCH].platform
	out, err := exec.CommandContext(ctx, "mvn", "-q", "-B",
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy", "-DoutputDirectory="+dir,
		"-Dartifact="+artifact+":"+pinnedRelease).CombinedOutput()
	require.NoError(t, err, string(out))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, path.Base(r.URL.Path)))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// serve returns an archive pinned to content, and the address of a server whose responses handler writes.
func serve(t *testing.T, content []byte, handler func(http.ResponseWriter, *http.Request, []byte)) (archive,
	string) {
	t.Helper()
	sum := sha256.Sum256(content)
	a := archive{platform: "testos", sha256: hex.EncodeToString(sum[:])}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		handler(w, r, content)
	}))
	t.Cleanup(s.Close)
	return a, s.URL
}

// jar returns a zip archive with a .txz file of the entries. The content of each file is its name.
func jar(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	f, err := z.Create("postgres-testos.txz")
	require.NoError(t, err)
	x, err := xz.NewWriter(f)
	require.NoError(t, err)
	tw := tar.NewWriter(x)
	for _, h := range entries {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		require.NoError(t, tw.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err = tw.Write([]byte(h.Name))
			require.NoError(t, err)
		}
	}
	require.NoError(t, tw.Close())
	require.NoError(t, x.Close())
	require.NoError(t, z.Close())
	return out.Bytes()
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
