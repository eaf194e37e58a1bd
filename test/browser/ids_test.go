package browser

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/web"
)

// An identifier of 64 bits is shown, and linked to, with all of its digits.
//
// guard: dashboard: identifiers keep their digits
func TestDashboardShowsIdentifiersBeyond53Bits(t *testing.T) {
	browser := chromium(t)
	const leaders = `{"source": "redis", "leaders": [
		{"batter_id": 9007199254740993, "pitches": 2, "swing_count": 1}, {"batter_id": 9223372036854775807, "pitches": 1, "swing_count": 1},
		{"batter_id": 9007199254740991, "name": "a \"text\" of 9007199254740993", "pitches": 1, "swing_count": 1}]}`
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler())
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	mux.HandleFunc("/v1/leaders", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, leaders) })
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	page, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=5000", "--dump-dom", server.URL+"/#/batters").Output()
	require.NoError(t, err)
	for _, want := range []string{
		`href="#/batters/9007199254740993"`, `#9007199254740993<`, `href="#/batters/9223372036854775807"`, `#9223372036854775807<`,
		`href="#/batters/9007199254740991"`, `a "text" of 9007199254740993<`,
	} {
		require.Contains(t, string(page), want)
	}
}
