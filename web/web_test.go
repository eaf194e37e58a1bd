package web

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// A page names its files by their hash, and only those are cached permanently.
// guard: web: only this build's files are kept for good
func TestCaching(t *testing.T) {
	index := get("/")
	require.Equal(t, 200, index.Code)
	require.Equal(t, "no-cache", index.Header().Get("Cache-Control"))
	main := regexp.MustCompile(`assets/[0-9a-f]{16}/main\.js`).FindString(index.Body.String())
	require.NotEmpty(t, main, index.Body.String())
	require.NotContains(t, index.Body.String(), "{{")
	require.Equal(t, cacheForever, get("/"+main).Header().Get("Cache-Control"))
	require.Equal(t, "text/javascript; charset=utf-8", get("/"+main).Header().Get("Content-Type"))
	other := get("/assets/0123456789abcdef/main.js") // another build's page
	require.Equal(t, 200, other.Code)
	require.Equal(t, "no-store", other.Header().Get("Cache-Control"))
	for _, none := range []string{"/assets/", "/assets/x", "/assets/x/none.js", "/assets/x/../web.go", "/index.html", "/v1"} {
		require.Equal(t, 404, get(none).Code, none)
	}
}

// Nothing is asked of another server, and no script or style stands in the page itself: the policy forbids
// both.
// guard: web: no scripts from elsewhere
func TestNothingFromElsewhere(t *testing.T) {
	require.Contains(t, get("/").Header().Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self';")
	files, _ := load(embedded)
	for name, f := range files {
		text := strings.ReplaceAll(string(f.body), "http://www.w3.org/", "") // names of namespaces
		text = strings.Replace(text, "/*! https://github.com/leeoniya/uPlot (v1.6.32) */", "", 1)
		text = strings.Replace(text, `"https://github.com/pitchstream/pitchstream/blob/main/docs/`, "", 1) // links
		require.NotRegexp(t, `https?://|@import|\bstyle="|<script>|innerHTML`, text, name)
	}
}

// The files of uPlot are those of its package in npm, byte for byte.
func TestUPlotIsAsItWasPublished(t *testing.T) {
	files, _ := load(embedded)
	for name, want := range map[string]string{
		"uplot-min.js":  "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
		"uplot-min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
	} {
		require.Equal(t, want, fmt.Sprintf("%x", sha256.Sum256(files[name].body)), "dist/%s of uplot 1.6.32", name)
	}
	require.Contains(t, string(files["uplot-min.js.LICENSE.txt"].body), "MIT License")
	require.Equal(t, string(files["uplot-min.js"].body)+"\nexport default uPlot;\n", string(files["uplot.js"].body))
	require.True(t, strings.HasPrefix(string(files["app.css"].body), string(files["uplot-min.css"].body)))
}

// The page names each module that its first numbers need, and no other: a slow phone would wait for it.
func TestThePageNamesTheModulesOfItsFirstNumbers(t *testing.T) {
	files, hash := load(embedded)
	var named []string
	for _, m := range regexp.MustCompile(`<link rel="modulepreload" href="assets/(.+)/(.+)">`).FindAllSubmatch(files["index.html"].body, -1) {
		require.Equal(t, hash, string(m[1]))
		named = append(named, string(m[2]))
	}
	var needed []string
	var add func(name string)
	add = func(name string) {
		if slices.Contains(needed, name) {
			return
		}
		needed = append(needed, name)
		for line := range strings.Lines(string(files[name].body)) {
			if _, from, ok := strings.Cut(line, ` from "./`); ok && strings.HasPrefix(line, "import ") {
				add(strings.TrimSuffix(strings.TrimSpace(from), `";`))
			}
		}
	}
	add("main.js")
	require.NotContains(t, needed, "games.js", "a view is loaded when it is opened")
	add("games.js")
	require.ElementsMatch(t, needed, named)
	require.Less(t, len(named), 15)
	require.NotContains(t, named, "uplot.js")
}

// Each import is written as the page's list of modules finds it, and each imported module is embedded.
func TestImportedModulesExist(t *testing.T) {
	files, _ := load(embedded)
	imported := regexp.MustCompile(`(?:from |import\()"\./([^"]+)"`)
	found := 0
	for name, f := range files {
		if path.Ext(name) == ".js" && !strings.HasPrefix(name, "uplot") {
			require.Equal(t, len(imports.FindAll(f.body, -1)), strings.Count(string(f.body), `from "./`), name)
		}
		for _, m := range imported.FindAllStringSubmatch(string(f.body), -1) {
			found++
			require.Contains(t, files, path.Join(path.Dir(name), m[1]), name)
		}
	}
	require.Greater(t, found, 20)
}

// A change of a file's name or content changes the hash.
// guard: web: another file is another hash
func TestHashCoversNamesAndContents(t *testing.T) {
	hash := func(name, body string) string {
		_, h := load(fstest.MapFS{"static/index.html": {Data: []byte("{{hash}}")}, name: {Data: []byte(body)}})
		return h
	}
	first := hash("static/a.js", "1")
	require.Equal(t, first, hash("static/a.js", "1"))
	require.NotEqual(t, first, hash("static/a.js", "2"))
	require.NotEqual(t, first, hash("static/b.js", "1"))
}

func TestLoadPanicsWithoutFiles(t *testing.T) {
	require.Panics(t, func() { load(none{}) })
}

type none struct{}

func (none) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// Identifiers are signed 64 bits, and each one that a link may name has a page.
func TestEveryPlayerHasAPage(t *testing.T) {
	files, _ := load(embedded)
	var routes []*regexp.Regexp
	for _, m := range regexp.MustCompile(`(?m)^  \[/(\S+)/, (?:batter|pitcher),`).FindAllStringSubmatch(string(files["main.js"].body), -1) {
		routes = append(routes, regexp.MustCompile(m[1]))
	}
	require.Len(t, routes, 2)
	for i, page := range []string{"batters", "pitchers"} {
		for _, id := range []string{"0", "660271", "-5", "9223372036854775807", "-9223372036854775808"} {
			require.Equal(t, []string{"#/" + page + "/" + id, id}, routes[i].FindStringSubmatch("#/"+page+"/"+id))
		}
		require.False(t, routes[i].MatchString("#/"+page+"/--5"))
	}
}
