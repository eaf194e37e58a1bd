package api

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

func routes(a *API) (http.Handler, error) {
	mux := http.NewServeMux()
	doc := newDocument(a.cfg, mux)
	registerBatters(a, doc)
	registerGames(a, doc)
	registerPitches(a, doc)
	registerSwings(a, doc)
	registerLetters(a, doc)
	registerStreams(a, doc)
	registerOverview(a, doc)
	registerQuality(a, doc)
	describe(doc)
	page, err := docsPage(doc.OpenAPI())
	if err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write(page)
	})
	registerSchemas(mux)
	if a.cfg.Pages != nil {
		mux.Handle("GET /{$}", a.cfg.Pages)
		mux.Handle("GET /assets/", a.cfg.Pages)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			const status = http.StatusMethodNotAllowed
			refuse(w, status, problemTypes[status], "this API is for reading: GET")
			return
		}
		refuse(w, http.StatusNotFound, problemMissing, "there is no such path: see /docs")
	})
	return wrap(a, withPattern(mux)), nil
}

func schemaOf[T any](api huma.API) *huma.Schema {
	return api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

//go:embed docs.html
var docsHTML string

// docsPage renders the document as a page that loads nothing else.
func docsPage(doc *huma.OpenAPI) ([]byte, error) {
	type operation struct {
		Path string
		*huma.Operation
		Schema string
	}
	var data struct {
		Info       *huma.Info
		Operations []operation
		Schemas    map[string]*huma.Schema
	}
	data.Info, data.Schemas = doc.Info, doc.Components.Schemas.Map()
	for path, item := range doc.Paths {
		op := operation{Path: path, Operation: item.Get}
		for _, content := range item.Get.Responses["200"].Content {
			op.Schema = schemaName(cmp.Or(stateOf(content.Schema), content.Schema))
		}
		data.Operations = append(data.Operations, op)
	}
	slices.SortFunc(data.Operations, func(a, b operation) int { return cmp.Compare(a.Path, b.Path) })
	required := func(s *huma.Schema, name string) bool { return slices.Contains(s.Required, name) }
	funcs := template.FuncMap{"type": typeText, "required": required}
	page, err := template.New("docs").Funcs(funcs).Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, data)
	return b.Bytes(), err
}
