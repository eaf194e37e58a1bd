package localpg

import (
	"cmp"
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

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/pitchstream/pitchstream/internal/terminal"
)

// The download is an archive on Maven Central, which the project embedded-postgres-binaries builds from the
// sources. The checksums are those of the files that Maven Central served when the version was chosen.
const (
	pinnedVersion    = "17.11"
	pinnedRelease    = "17.11.0" // the version in Maven
	mavenURL         = "https://repo1.maven.org/maven2"
	archiveMaxBytes  = 200 << 20
	headerTimeout    = 30 * time.Second
	mavenURLVariable = "PITCHSTREAM_MAVEN_URL" // names a mirror to use instead
)

// archive is a file with a known checksum.
type archive struct {
	platform string // its name in Maven
	sha256   string
}

var pinned = map[string]archive{
	"linux/amd64":  {"linux-amd64", "0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d"},
	"linux/arm64":  {"linux-arm64v8", "8b042e0ea418b1927d95399207950da0734d27fe01e29503ade3bdc464ad4c2b"},
	"darwin/amd64": {"darwin-amd64", "d464ff178e9860ba204662ac23fa547504b7fd392392ff2fb92e3fd73b5bdb64"},
	"darwin/arm64": {"darwin-arm64v8", "a1c2786acb0c398f9b2d76806fc52f5dc8b222cbc8e9383a9b9702084daaf3a5"},
}

// Download returns the pinned Postgres from the cache of this machine, and fetches it when the cache is
// empty. It keeps nothing of a download that was interrupted or whose checksum is wrong. progress shows how
// far the download is; nil shows nothing.
func Download(ctx context.Context, progress io.Writer) (Installation, error) {
	a, ok := pinned[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return Installation{}, fmt.Errorf("%w; there is no download for %s/%s", ErrNotInstalled,
			runtime.GOOS, runtime.GOARCH)
	}
	cache, err := cacheDir()
	if err != nil {
		return Installation{}, err
	}
	dir, err := a.fetch(ctx, cmp.Or(os.Getenv(mavenURLVariable), mavenURL), cache, progress)
	if err != nil {
		return Installation{}, fmt.Errorf("download Postgres %s: %w", pinnedVersion, err)
	}
	return inspect(ctx, filepath.Join(dir, "bin"))
}

// cacheDir returns the folder of downloads. Root does not use its own cache, because the user that the server
// runs as cannot read it.
func cacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/pitchstream", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "pitchstream"), err
}

func (a archive) url(base string) string {
	const pattern = "%[1]s/io/zonky/test/postgres/%[2]s/%[3]s/%[2]s-%[3]s.jar"
	return fmt.Sprintf(pattern, base, "embedded-postgres-binaries-"+a.platform, pinnedRelease)
}

// fetch returns the folder of the unpacked archive in cache. It renames the folder to its final name when it
// is complete. Therefore two processes may fetch at the same time, and an interrupted one leaves nothing that
// looks complete.
func (a archive) fetch(ctx context.Context, base, cache string, progress io.Writer) (string, error) {
	dir := filepath.Join(cache, "postgres-"+pinnedRelease+"-"+a.platform)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	// Chmod too, because MkdirAll respects the umask.
	if err := errors.Join(os.MkdirAll(cache, 0o755), os.Chmod(cache, 0o755)); err != nil {
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
		} // else another process has fetched it in the meantime
	}
	return dir, nil
}

// get downloads url to the file and compares its checksum.
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
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), io.LimitReader(body, archiveMaxBytes))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != a.sha256 {
		return fmt.Errorf("%s is not the file that pitchstream knows: its SHA-256 is %s, not %s",
			url, sum, a.sha256)
	}
	return nil
}

// showProgress returns a reader of the response's body, and a function to call after it was read. On a
// terminal it shows a bar, elsewhere one line with the size.
func showProgress(w io.Writer, url string, resp *http.Response) (io.Reader, func()) {
	if w == nil {
		return resp.Body, func() {}
	}
	if !terminal.IsTerminal(w) {
		fmt.Fprintf(w, "fetching Postgres %s, %d MB, once: %s\n", pinnedVersion,
			(resp.ContentLength+500_000)/1_000_000, url)
		return resp.Body, func() {}
	}
	bars := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	bar := bars.AddBar(resp.ContentLength,
		mpb.PrependDecorators(decor.Name("fetching Postgres "+pinnedVersion+", once "),
			decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.Percentage()))
	return bar.ProxyReader(resp.Body), func() {
		bar.Abort(false) // does nothing to a bar that is full
		bars.Wait()
	}
}
