package api

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page has each operation with its parameters, answers and example, and each schema with its fields.
// Every link within it goes somewhere.
func TestThePageHasTheWholeDocument(t *testing.T) {
	k := newAsker(t, newStores(), func(c *Config) { c.Token = "secret" })
	answer := k.ask("/docs")
	require.Equal(t, 200, answer.Code)
	page := html.UnescapeString(answer.Body.String())
	parts := map[string]string{} // by id, to the next part
	for part := range strings.SplitSeq(page, "<details ") {
		if m := regexp.MustCompile(`^id="([^"]+)"`).FindStringSubmatch(part); m != nil {
			require.NotContains(t, parts, m[1])
			parts[m[1]] = part
		}
	}
	for path, item := range k.document.Paths {
		part := parts["get-"+strings.NewReplacer("{", "-", "}", "-").Replace(path)]
		require.Contains(t, part, item.Get.Summary, path)
		require.Contains(t, part, `data-path="`+path+`"`)
		for _, p := range item.Get.Parameters {
			require.Contains(t, part, ` name="`+p.Name+`" data-in="`+p.In+`"`, path)
			require.Contains(t, part, p.Description, path)
		}
		for status, response := range item.Get.Responses {
			require.Contains(t, part, response.Description, path)
			for kind, content := range response.Content {
				if status < "400" {
					example, err := exampleOf(content.Examples["answer"].Value)
					require.NoError(t, err)
					require.Contains(t, part, example, path)
					require.Contains(t, part, kind+": ", path)
				} else {
					require.Contains(t, part, `href="#error-`+status+`"`, path)
				}
			}
		}
	}
	for name, schema := range k.document.Components.Schemas.Map() {
		for field, s := range schema.Properties {
			require.Contains(t, parts["schema-"+name], "<dt>"+field+" <small>", name)
			require.Contains(t, parts["schema-"+name], s.Description, name)
		}
	}
	require.Contains(t, parts["schema-Game"], `array of <a href="#schema-Pitch">Pitch</a>`)
	require.Contains(t, parts["schema-Pitch"], "number or null, 50 to 110")
	require.Contains(t, parts["get-/v1/games"], "integer, 1 to 100, default 20")
	require.Contains(t, parts["get-/v1/batters"], `placeholder="660271,592450"`)
	require.Contains(t, parts["get-/v1/games/-game-/stream"], `<a href="#schema-Game">Game</a> or <a href="#schema-Absent">Absent</a>, an event each`)
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		require.Contains(t, page, `id="`+m[1]+`"`)
	}
}

// The page loads its own files only, and those of its own build.
func TestThePageLoadsNothingFromElsewhere(t *testing.T) {
	k := newAsker(t, newStores(), nil)
	page := k.ask("/docs")
	require.Equal(t, docsPolicy, page.Header().Get("Content-Security-Policy"))
	require.NotRegexp(t, `<script>|<style>|\bstyle="|\bon\w+="`, page.Body.String())
	for name, contentType := range map[string]string{
		"docs.css": "text/css; charset=utf-8", "docs.js": "text/javascript; charset=utf-8",
	} {
		require.Contains(t, page.Body.String(), `"docs/`+name+"?"+docsVersion()+`"`)
		file := k.ask("/docs/" + name + "?" + docsVersion())
		require.Equal(t, 200, file.Code)
		require.Equal(t, contentType, file.Header().Get("Content-Type"))
		require.NotRegexp(t, `https?://|@import|innerHTML`, file.Body.String())
	}
}
