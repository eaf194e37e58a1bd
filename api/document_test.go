package api

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// Every caller gets the schemas, byte for byte as the build has them.
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

// openAPI is what is looked at of the document.
type openAPI struct {
	Security   []map[string][]string
	Tags       []struct{ Name, Description string }
	Components struct {
		SecuritySchemes map[string]map[string]string
		Schemas         map[string]struct {
			AdditionalProperties any
			Properties           map[string]struct {
				Type             any
				Minimum, Maximum *float64
			}
		}
	}
	Paths map[string]struct {
		Get struct {
			OperationID string
			Tags        []string
			Responses   map[string]struct {
				Content map[string]struct {
					Examples map[string]struct{ Value json.RawMessage }
				}
				Headers map[string]any
			}
		}
	}
}

func documentOf(t *testing.T, k *asker) (doc openAPI) {
	t.Helper()
	require.NoError(t, json.Unmarshal(k.ask("/openapi.json").Body.Bytes(), &doc))
	return doc
}

func TestEveryAnswerHasAnExampleThatIsOne(t *testing.T) {
	k := newAsker(t, newStores(), nil)
	doc := documentOf(t, k)
	tags := map[string]bool{}
	for _, tag := range doc.Tags {
		tags[tag.Name] = true
	}
	for path, item := range doc.Paths {
		op := item.Get
		require.Len(t, op.Tags, 1, path)
		require.True(t, tags[op.Tags[0]], path)
		for _, status := range []string{"200", "401", "422", "429", "500", "503"} {
			require.Contains(t, op.Responses, status, path)
		}
		require.Contains(t, op.Responses["401"].Headers, "WWW-Authenticate")
		require.Contains(t, op.Responses["429"].Headers, "Retry-After")
		for status, response := range op.Responses {
			for kind, content := range response.Content {
				at := path + " " + status
				example := []byte(content.Examples["answer"].Value)
				require.NotEmpty(t, example, at)
				if kind == "text/event-stream" {
					var frame string
					require.NoError(t, json.Unmarshal(example, &frame), at)
					_, data, ok := strings.Cut(frame, "\ndata: ")
					require.True(t, ok, at)
					example = []byte(strings.TrimSpace(data))
				}
				code, err := strconv.Atoi(status)
				require.NoError(t, err)
				k.valid(path, code, kind, example)
			}
		}
	}
}

func TestTheDocumentSaysWhoMayAskAndInWhichRange(t *testing.T) {
	open := documentOf(t, newAsker(t, newStores(), nil))
	require.Equal(t, []map[string][]string{{"token": {}}, {}}, open.Security)
	locked := documentOf(t, newAsker(t, newStores(), func(c *Config) { c.Token = "secret" }))
	require.Equal(t, []map[string][]string{{"token": {}}}, locked.Security)
	require.Equal(t, "bearer", open.Components.SecuritySchemes["token"]["scheme"])
	for name, schema := range open.Components.Schemas {
		require.Nil(t, schema.AdditionalProperties, "%s may grow", name)
	}
	pitch := open.Components.Schemas["Pitch"].Properties
	require.Equal(t, []float64{50, 110}, []float64{*pitch["pitch_speed_mph"].Minimum, *pitch["pitch_speed_mph"].Maximum})
	require.Equal(t, []float64{-45, 45}, []float64{*pitch["attack_angle_deg"].Minimum, *pitch["attack_angle_deg"].Maximum})
	pitches := open.Components.Schemas["Batter"].Properties["pitches"]
	require.EqualValues(t, 0, *pitches.Minimum)
	require.Nil(t, pitches.Maximum)
}
