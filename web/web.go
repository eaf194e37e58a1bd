// Package web is the dashboard: pages that read the API of the server they come from. They are plain HTML,
// CSS and ES modules, embedded as they are written. There is no build step, and no request to any other
// server.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed static
var embedded embed.FS

// policy lets a page load its own files and read its own server, and nothing else.
// guard: web: no scripts from elsewhere | script-src 'self'; -> script-src *;
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'"

// cacheForever is for files with a hash in their path, whose content never changes.
const cacheForever = "public, max-age=31536000, immutable"

// firstModules are what a page needs for its first numbers: the shell, and the view that it opens with.
var firstModules = []string{"main.js", "games.js"}

// imports finds the modules that a module imports as it is loaded, not those that it may load later.
var imports = regexp.MustCompile(`(?m)^import .* from "\./([^"]+)";$`)

// Prefix is the path of the files. Handler answers "/" and everything below Prefix.
const Prefix = "/assets/"

type page struct {
	contentType string
	body        []byte
}

// Handler answers GET and HEAD of "/" and of Prefix + HASH + "/FILE", and 404 for everything else. The hash
// is that of all files together, so that cached modules are never mixed with those of another build. ETags
// and compression are left to the server around it.
func Handler() http.Handler {
	files, hash := load(embedded)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, caching := "index.html", "no-cache"
		if rest, ok := strings.CutPrefix(r.URL.Path, Prefix); ok {
			var version string
			// guard: web: only this build's files are kept for good | version == hash -> version == hash || version != ""
			if version, name, _ = strings.Cut(rest, "/"); version == hash {
				caching = cacheForever
			} else {
				caching = "no-store" // requested by a page of another build, which will soon be reloaded
			}
		} else if r.URL.Path != "/" {
			name = ""
		}
		f, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.contentType)
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", caching)
		_, _ = w.Write(f.body)
	})
}

// load reads all files, and writes their hash and the modules of the first numbers into the index page. The
// files of uPlot are as npm has them. Its script is served as the module uplot.js, because only a module can
// be loaded with the first chart. Its styles are in front of those of app.css, because each file before the
// first paint costs a slow phone a part of a round trip.
func load(from fs.FS) (files map[string]page, hash string) {
	files = map[string]page{}
	sum := sha256.New()
	err := fs.WalkDir(from, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(from, name)
		short := strings.TrimPrefix(name, "static/")
		sum.Write([]byte(short + "\x00"))
		// guard: web: another file is another hash
		sum.Write(body)
		files[short] = page{contentType(short), body}
		return err
	})
	if err != nil {
		panic(err) // the files are in the binary
	}
	module := slices.Concat(files["uplot-min.js"].body, []byte("\nexport default uPlot;\n"))
	files["uplot.js"] = page{contentType("uplot.js"), module}
	styles := slices.Concat(files["uplot-min.css"].body, []byte("\n"), files["app.css"].body)
	files["app.css"] = page{contentType("app.css"), styles}
	hash = hex.EncodeToString(sum.Sum(nil)[:8])
	index := files["index.html"]
	index.body = bytes.ReplaceAll(index.body, []byte("{{preload}}"), preload(files, firstModules))
	index.body = bytes.ReplaceAll(index.body, []byte("{{hash}}"), []byte(hash))
	files["index.html"] = index
	return files, hash
}

// preload returns the links to modules and to all that they import. A browser then asks for all of them at
// once, and not for each after the one that imports it, which is a round trip more each time.
func preload(files map[string]page, modules []string) (links []byte) {
	wanted := slices.Clone(modules)
	for i := 0; i < len(wanted); i++ {
		for _, m := range imports.FindAllSubmatch(files[wanted[i]].body, -1) {
			if name := string(m[1]); !slices.Contains(wanted, name) {
				wanted = append(wanted, name)
			}
		}
		links = append(links, `<link rel="modulepreload" href="assets/{{hash}}/`+wanted[i]+"\">\n"...)
	}
	return links
}

// contentType knows scripts and images itself, because the tables of MIME types differ between machines.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}
