package api

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// The schemas are for everybody, byte for byte as the build has them.
func TestSchemas(t *testing.T) {
	k := newAsker(t, newStores(), func(c *Config) { c.Token = "secret" })
	list := k.ask("/schemas/")
	require.Equal(t, 200, list.Code)
	for _, s := range schemas.PublishedSchemas() {
		path := "/schemas/" + s.Name + ".schema.json"
		require.Contains(t, list.Body.String(), `"path":"`+path+`"`)
		require.Contains(t, list.Body.String(), `"version":"`+s.Version+`"`)
		w := k.ask(path)
		require.Equal(t, 200, w.Code)
		require.Equal(t, string(s.JSON), w.Body.String())
		require.Equal(t, "application/schema+json", w.Header().Get("Content-Type"))
		require.Equal(t, 304, k.ask(path, "If-None-Match: "+w.Header().Get("ETag")).Code)
	}
	require.Equal(t, 404, k.ask("/schemas/rows.schema.json").Code)
}
