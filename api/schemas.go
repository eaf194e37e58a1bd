package api

import (
	"encoding/json"
	"net/http"

	"github.com/pitchstream/pitchstream/schemas"
)

// schemaLine is one entry of GET /schemas/.
type schemaLine struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Title   string `json:"title"`
	Path    string `json:"path"`
}

// registerSchemas gives the JSON Schemas of what stands on the topics to everybody, as the document of this API. They
// are that of this build: a path with a version would answer for one alone.
func registerSchemas(mux *http.ServeMux) {
	var lines []schemaLine
	for _, s := range schemas.PublishedSchemas() {
		path := "/schemas/" + s.Name + ".schema.json"
		lines = append(lines, schemaLine{s.Name, s.Version, s.Title, path})
		mux.HandleFunc("GET "+path, give("application/schema+json", s.JSON))
	}
	list, err := json.Marshal(map[string]any{"schemas": lines})
	if err != nil {
		panic(err) // texts of this build
	}
	mux.HandleFunc("GET /schemas/{$}", give("application/json", list))
}

func give(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(body)
	}
}
