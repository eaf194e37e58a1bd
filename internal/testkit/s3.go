package testkit

import (
	"bufio"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var listens = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// S3 starts an S3 server, moto's, with an empty bucket, and returns the URL of that bucket. It sets
// credentials for the test.
func S3(t testing.TB) string {
	t.Helper()
	python := Python(t, "moto.server")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	cmd := exec.CommandContext(context.Background(), python, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
	out, err := cmd.StderrPipe()
	require.NoError(t, err)
	endpoint := startServer(t, cmd, out, listens)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, endpoint+"/archive", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return "s3://archive?" + url.Values{"endpoint": {endpoint}, "region": {"us-east-1"}}.Encode()
}

// startServer starts a server until the end of the test, and returns the address that it logs to out.
// listens has the address as its first group.
func startServer(t testing.TB, cmd *exec.Cmd, out io.Reader, listens *regexp.Regexp) string {
	t.Helper()
	require.NoError(t, cmd.Start())
	var reading sync.WaitGroup
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		reading.Wait()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	address := ""
	for address == "" && lines.Scan() {
		if found := listens.FindStringSubmatch(lines.Text()); found != nil {
			address = found[1]
		}
	}
	require.NotEmpty(t, address, "%s ended", cmd.Path)
	reading.Go(func() {
		for lines.Scan() { // it logs each request, and must not wait for a reader
		}
	})
	return address
}

// Fault answers a request in the place of an S3 server, or returns false. n is the number of the request.
type Fault func(n int64, w http.ResponseWriter, r *http.Request, pass http.Handler) bool

// FaultyS3 returns the URL of a proxy before an S3 server.
func FaultyS3(t testing.TB, place string, fault Fault) string {
	t.Helper()
	u, err := url.Parse(place)
	require.NoError(t, err)
	target, err := url.Parse(u.Query().Get("endpoint"))
	require.NoError(t, err)
	pass := httputil.NewSingleHostReverseProxy(target)
	pass.ErrorLog = log.New(io.Discard, "", 0)
	var n atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fault(n.Add(1), w, r, pass) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(proxy.Close)
	u.RawQuery = url.Values{"endpoint": {proxy.URL}, "region": {"us-east-1"}}.Encode()
	return u.String()
}

// CutAfter returns a writer that breaks the connection after some bytes of an answer.
func CutAfter(w http.ResponseWriter, bytes int) http.ResponseWriter { return &cutWriter{w, bytes} }

type cutWriter struct {
	to   http.ResponseWriter
	left int
}

func (w *cutWriter) Header() http.Header    { return w.to.Header() }
func (w *cutWriter) WriteHeader(status int) { w.to.WriteHeader(status) }

func (w *cutWriter) Write(p []byte) (int, error) {
	n, _ := w.to.Write(p[:min(len(p), w.left)])
	if w.left -= n; w.left == 0 {
		w.to.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// Below returns the URL of a prefix in the bucket of another URL.
func Below(place, prefix string) string {
	return strings.Replace(place, "?", "/"+prefix+"?", 1)
}

// RefuseS3 answers a request with an error of S3.
func RefuseS3(w http.ResponseWriter, status int, code, message, more string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>"+message+"</Message>"+more+"</Error>")
}

// S3Uploads returns how many uploads an S3 server has of which the file was not completed.
func S3Uploads(t testing.TB, place string) int {
	t.Helper()
	u, err := url.Parse(place)
	require.NoError(t, err)
	resp, err := http.Get(u.Query().Get("endpoint") + "/" + u.Host + "?uploads")
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(text))
	return strings.Count(string(text), "<UploadId>")
}
