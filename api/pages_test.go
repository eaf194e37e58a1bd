package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Pages stand beside the operations, and are open where those want a token.
func TestPages(t *testing.T) {
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public")
		_, _ = w.Write([]byte("the page " + r.URL.Path))
	})
	k := newAsker(t, newStores(), func(c *Config) { c.Pages, c.Token = pages, "secret" })
	for _, path := range []string{"/", "/assets/1/main.js"} {
		w := k.ask(path)
		require.Equal(t, 200, w.Code)
		require.Equal(t, "the page "+path, w.Body.String())
		require.Equal(t, "public", w.Header().Get("Cache-Control"))
		require.Equal(t, 304, k.ask(path, "If-None-Match: "+w.Header().Get("ETag")).Code)
	}
	require.Equal(t, 404, k.ask("/other").Code)
	require.Equal(t, 401, k.ask("/v1/games").Code)
	require.Equal(t, 404, newAsker(t, newStores(), nil).ask("/").Code)
}
