package localpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Postgres as it is downloaded: an archive on Maven Central that others build from the sources (the group's project is
// called embedded-postgres-binaries). The sums are of the files as Maven Central served them when the version was chosen.
const (
	pinnedVersion    = "17.11"
	pinnedRelease    = "17.11.0" // as Maven names it
	mavenURL         = "https://repo1.maven.org/maven2"
	archiveMaxBytes  = 200 << 20
	headerTimeout    = 30 * time.Second
	mavenURLVariable = "PITCHSTREAM_MAVEN_URL" // a mirror of Maven Central to use instead
)

// archive is a file that is known by its sum.
type archive struct {
	platform string // as Maven names it
	sha256   string
}

var pinned = map[string]archive{
	"linux/amd64":  {"linux-amd64", "0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d"},
	"linux/arm64":  {"linux-arm64v8", "8b042e0ea418b1927d95399207950da0734d27fe01e29503ade3bdc464ad4c2b"},
	"darwin/amd64": {"darwin-amd64", "d464ff178e9860ba204662ac23fa547504b7fd392392ff2fb92e3fd73b5bdb64"},
	"darwin/arm64": {"darwin-arm64v8", "a1c2786acb0c398f9b2d76806fc52f5dc8b222cbc8e9383a9b9702084daaf3a5"},
}

// Download gives the pinned Postgres from this machine's cache, fetching it first where it is not there. What was not
// wholly fetched, or is not the file that was pinned, is not kept. Progress is shown on progress; nil: nowhere.
func Download(ctx context.Context, progress io.Writer) (Installation, error) {
	a, ok := pinned[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return Installation{}, fmt.Errorf("%w; there is none to download for %s/%s", ErrNotInstalled, runtime.GOOS, runtime.GOARCH)
	}
	cache, err := cacheDir()
	if err != nil {
		return Installation{}, err
	}
	base := os.Getenv(mavenURLVariable)
	if base == "" {
		base = mavenURL
	}
	dir, err := a.fetch(ctx, base, cache, progress)
	if err != nil {
		return Installation{}, fmt.Errorf("download Postgres %s: %w", pinnedVersion, err)
	}
	return inspect(ctx, filepath.Join(dir, "bin"))
}

// cacheDir is where the download is kept. Root's own cache cannot be read by the user that the server runs as.
func cacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/pitchstream", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "pitchstream"), err
}

func (a archive) url(base string) string {
	name := "embedded-postgres-binaries-" + a.platform
	return fmt.Sprintf("%s/io/zonky/test/postgres/%s/%s/%s-%s.jar", base, name, pinnedRelease, name, pinnedRelease)
}

// fetch gives the folder of the unpacked archive in cache. The folder gets its name when it is complete, so two
// processes may fetch at once, and one that is interrupted leaves nothing that looks whole.
func (a archive) fetch(ctx context.Context, base, cache string, progress io.Writer) (string, error) {
	dir := filepath.Join(cache, "postgres-"+pinnedRelease+"-"+a.platform)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	if err := os.Chmod(cache, 0o755); err != nil { // whatever the umask: see cacheDir
		return "", err
	}
	work, err := os.MkdirTemp(cache, "download-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	jar := filepath.Join(work, "postgres.jar")
	if err := a.get(ctx, a.url(base), jar, progress); err != nil {
		return "", err
	}
	unpacked := filepath.Join(work, "postgres")
	if err := unpack(jar, unpacked); err != nil {
		return "", fmt.Errorf("unpack: %w", err)
	}
	if err := os.Rename(unpacked, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil {
			return "", err
		} // else another process was first
	}
	return dir, nil
}

// get writes what is at url to the file and checks that it is the pinned file.
func (a archive) get(ctx context.Context, url, file string, progress io.Writer) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = headerTimeout
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	body, finish := showProgress(progress, url, resp)
	defer finish()
	sum, err := save(file, io.LimitReader(body, archiveMaxBytes))
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	if sum != a.sha256 {
		return fmt.Errorf("%s is not the file that pitchstream knows: its SHA-256 is %s, not %s", url, sum, a.sha256)
	}
	return nil
}

// save writes r to a file and gives its SHA-256.
func save(file string, r io.Reader) (sum string, err error) {
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), r)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}
