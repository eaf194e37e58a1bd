package api

import (
	_ "embed" // the page and its files
	"net/http"
)

// The page at /docs is written from the document by a test, because html/template would add ten megabytes to
// the binary. A library that draws the document in the browser computes for seconds, on a phone for a minute.
// A script adds only what HTML cannot do: requests to try, and the search.

var (
	//go:embed docs/page.html
	docsHTML []byte
	//go:embed docs/docs.css
	docsCSS []byte
	//go:embed docs/docs.js
	docsScript []byte
)

// docsPolicy lets the page load its own two files and read its own server, and nothing else.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'"

// registerDocs serves the page of the document, and its files.
func registerDocs(mux *http.ServeMux) {
	serve := func(path, contentType string, body []byte) {
		send := serveBytes(contentType, body)
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", docsPolicy)
			w.Header().Set("Referrer-Policy", "no-referrer")
			send(w, r)
		})
	}
	serve("/docs", "text/html; charset=utf-8", docsHTML)
	serve("/docs/docs.css", "text/css; charset=utf-8", docsCSS)
	serve("/docs/docs.js", "text/javascript; charset=utf-8", docsScript)
}
