package testkit

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"sync"
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
	require.NoError(t, cmd.Start())
	var reading sync.WaitGroup
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		reading.Wait()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	endpoint := ""
	for endpoint == "" && lines.Scan() {
		if found := listens.FindStringSubmatch(lines.Text()); found != nil {
			endpoint = found[1]
		}
	}
	require.NotEmpty(t, endpoint, "moto.server ended")
	reading.Go(func() {
		for lines.Scan() { // it logs each request, and must not wait for a reader
		}
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, endpoint+"/archive", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return "s3://archive?" + url.Values{"endpoint": {endpoint}, "region": {"us-east-1"}}.Encode()
}
