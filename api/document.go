package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/pitchstream/pitchstream/schemas"
)

const description = `What pitchstream knows of tracked pitches, as applications need it.

Every answer about batters, games or pitches says how fresh it is: as_of, processed_at, source, stale, lag_ms, age_ms.
A missing value is null. Errors are application/problem+json (RFC 9457); their type does not change.
GET with If-None-Match answers 304 while nothing but lag_ms and age_ms has changed.`

// The document is the API's OpenAPI document: newDocument begins it, register and stream add the operations,
// and describe completes it (routes). huma answers requests as the document says, so it is built first.

// newDocument returns the document, without operations, together with the router that answers by it.
func newDocument(cfg Config, mux *http.ServeMux) huma.API {
	huma.DefaultArrayNullable = false // our lists are never null
	config := huma.DefaultConfig("pitchstream", cfg.Build)
	config.Info.Description = description
	config.CreateHooks = nil // bodies without $schema
	config.DocsPath, config.SchemasPath = "", ""
	// guard: api: unknown parameters are refused | true -> false
	config.RejectUnknownQueryParameters = true // a misspelt one would be passed over in silence; see strictQuery
	bearer := &huma.SecurityScheme{
		Type: "http", Scheme: "bearer", Description: "The server's token, where it has one.",
	}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": bearer}
	config.Security = []map[string][]string{{"token": {}}}
	if cfg.Token == "" && len(cfg.Apps) == 0 { // no request needs a token
		config.Security = append(config.Security, map[string][]string{})
	}
	config.Tags = tags
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", documentName)
	alias := config.Components.Schemas.RegisterTypeAlias
	alias(reflect.TypeFor[schemas.TimeMS](), reflect.TypeFor[time.Time]())
	alias(reflect.TypeFor[schemas.PitchID](), reflect.TypeFor[schemaPitchID]())
	alias(reflect.TypeFor[schemas.Text](), reflect.TypeFor[*string]())
	alias(reflect.TypeFor[schemas.Opt[schemas.TimeMS]](), reflect.TypeFor[*time.Time]())
	alias(reflect.TypeFor[schemas.Opt[int64]](), reflect.TypeFor[*int64]())
	alias(reflect.TypeFor[schemas.Opt[int16]](), reflect.TypeFor[*int32]())
	alias(reflect.TypeFor[schemas.Opt[float64]](), reflect.TypeFor[*float64]())
	alias(reflect.TypeFor[schemas.Opt[bool]](), reflect.TypeFor[*bool]())
	alias(reflect.TypeFor[schemas.Point](), reflect.TypeFor[schemaPoint]())
	alias(reflect.TypeFor[schemas.Opt[schemas.Point]](), reflect.TypeFor[schemaOptPoint]())
	doc := humago.New(mux, config)
	doc.UseMiddleware(strictQuery(doc))
	return doc
}

// documentName returns the name of a Go type in the document. Types about dead letters keep the names that
// the document has had from the start, because clients generate code from it.
func documentName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if name == "DeadLetterView" {
		return "DeadLetter"
	}
	if strings.HasPrefix(name, "DeadLetter") {
		return strings.TrimPrefix(name, "Dead")
	}
	return name
}

type (
	schemaPitchID  struct{}
	schemaPoint    struct{}
	schemaOptPoint struct{}
)

// Schema is a UUID.
func (schemaPitchID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

// Schema is three numbers.
func (schemaPoint) Schema(huma.Registry) *huma.Schema {
	number := &huma.Schema{Type: huma.TypeNumber}
	return &huma.Schema{Type: huma.TypeArray, Items: number, MinItems: new(3), MaxItems: new(3)}
}

// Schema is three numbers, or null.
func (schemaOptPoint) Schema(r huma.Registry) *huma.Schema {
	s := schemaPoint{}.Schema(r)
	s.Nullable = true
	return s
}

// register adds an operation that reads: GET path, answered by handler. An answer is counted in the metrics
// under its source (Condition.counted), unless its handler counts each player by itself.
func register[I, O any](
	a *API, api huma.API, id, path, summary string, handler func(context.Context, *API, *I) (O, error),
) {
	type out struct{ Body O }
	huma.Register(api, huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Errors: errorsOf(id),
	}, func(ctx context.Context, in *I) (*out, error) {
		body, err := handler(ctx, a, in)
		if err != nil {
			return nil, problemOf(err)
		}
		if c, ok := any(body).(interface{ counted() string }); ok && c.counted() != "" {
			a.metrics.answered(c.counted())
		}
		return &out{body}, nil
	})
}

// sharedErrors are the errors that every operation may answer with.
var sharedErrors = []int{
	http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
	http.StatusServiceUnavailable,
}

// readErrors are those of an operation that reads. A stream has sharedErrors instead: of a player that is not
// known it sends the event absent. The slice is clipped, because huma appends to that of each operation.
var readErrors = slices.Clip(append([]int{http.StatusNotFound}, sharedErrors...))

// errorsOf returns the errors that an operation of register may answer with. It adds 410 for the lists that
// call cursorGone: their cursors name a place in the list, which a later list may not have.
func errorsOf(id string) []int {
	switch id {
	case "find-players", "get-games", "get-pitcher-games", "get-batter-splits", "get-pitcher-splits":
		return append([]int{http.StatusGone}, readErrors...)
	}
	return readErrors
}

// cursorGone is the error of a cursor that the list does not go on from.
func cursorGone(why string) error {
	return huma.Error410Gone("cursor: " + why + ": begin without a cursor")
}

// tags group the operations by the part of their path behind /v1/.
var tags = []*huma.Tag{
	{Name: "batters", Description: "Batters over all games or in one, their pitches, and their states."},
	{Name: "pitchers", Description: "Pitchers over all games or in one, their pitches, and their states."},
	{Name: "games", Description: "Games, their batters and pitches, and their states."},
	{Name: "players", Description: "The list of players, by name and team."},
	{Name: "teams", Description: "The teams of the list of players."},
	{Name: "pitches", Description: "Single pitches, and swings to be drawn."},
	{Name: "swings", Description: "The last swings of several batters."},
	{Name: "leaders", Description: "Who leads in a value."},
	{Name: "stream", Description: "How the stream is: processors, partitions, lag, stores."},
	{Name: "changes", Description: "Each change of a pitch, in order."},
	{Name: "quality", Description: "Whether a day's data is what it should be."},
	{Name: "recommendations", Description: "Which pitch to throw to a batter in a count."},
	{Name: "letters", Description: "Dead letters: records that no row could be made of."},
}

// Document returns the OpenAPI document of a build, indented.
func Document(build string) ([]byte, error) {
	a, err := New(Config{Build: build})
	if err != nil {
		return nil, err
	}
	document, err := json.MarshalIndent(a.document, "", "  ")
	return append(document, '\n'), err
}

//go:embed examples.json
var examplesJSON []byte

// describe completes the document: tags, examples, and of each column the description and the range that
// schemas.Column has.
func describe(api huma.API) error {
	known := map[string]schemas.Column{
		"swings": {Meaning: "Swings", Missing: "never"},
		"whiffs": {Meaning: "Swings that missed", Missing: "never"},
	}
	for _, c := range slices.Concat(schemas.StoredColumns, schemas.StatsColumns) {
		known[c.Name] = c
	}
	ofPitchers := maps.Clone(known)
	for _, c := range slices.Concat(schemas.PitchTypeColumns, schemas.PitcherStatsColumns) {
		ofPitchers[c.Name] = c
	}
	for schema, s := range api.OpenAPI().Components.Schemas.Map() {
		s.AdditionalProperties = nil // later versions may answer more
		columns := known
		if schema == "PitchTypeStats" || strings.Contains(schema, "Pitcher") {
			columns = ofPitchers
		}
		for name, property := range s.Properties {
			if c, ok := columns[name]; ok && property.Description == "" && property.Ref == "" {
				property.Description = c.Comment()
				if property.Type == huma.TypeInteger || property.Type == huma.TypeNumber {
					property.Minimum, property.Maximum = c.Limits()
				}
			}
		}
	}
	var examples map[string]json.RawMessage
	if err := json.Unmarshal(examplesJSON, &examples); err != nil {
		return err
	}
	for path, item := range api.OpenAPI().Paths {
		op := item.Get
		op.Tags = []string{strings.Split(path, "/")[2]} // of /v1/TAG/…
		if deltaRoutes["GET "+path] {
			describeDeltas(op)
		}
		for status, response := range op.Responses {
			for kind, content := range response.Content {
				var example any = examples[op.OperationID]
				if kind == "text/event-stream" {
					frame := "id: 5f2c1d0e9b8a7f6e5d4c3b2a\nevent: state\ndata: %s\n\n"
					if op.OperationID == "get-changes" {
						frame = "id: 3f9a0c2b7d41:48213\nevent: corrected\ndata: %s\n\n"
					}
					example = fmt.Sprintf(frame, example)
				}
				if code, err := strconv.Atoi(status); err == nil && code >= 400 {
					example = problem(code, problemTypes[code], "why, for people")
				}
				if kind == mediaPatch {
					example = map[string]any{"as_of": "2025-04-07T01:40:31.200Z", "lag_ms": 0, "age_ms": 0}
				}
				// A named example, as the document has had it from the start: tools read it by its name.
				content.Examples = map[string]*huma.Example{"answer": {Value: example}}
			}
			switch status {
			case "401":
				response.Headers = map[string]*huma.Param{"WWW-Authenticate": header("Bearer")}
			case "429", "503":
				response.Headers = map[string]*huma.Param{"Retry-After": header("Seconds after which to try again")}
			}
		}
	}
	return nil
}

func header(description string) *huma.Param {
	return &huma.Param{Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}

// schemaLine is one entry of GET /schemas/.
type schemaLine struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Title   string `json:"title"`
	Path    string `json:"path"`
}

// registerSchemas serves the JSON Schemas of the topics. As for the API's document, no token is needed. They
// are those of this build, so their paths have no version.
func registerSchemas(mux *http.ServeMux) {
	var lines []schemaLine
	for _, s := range schemas.PublishedSchemas() {
		path := "/schemas/" + s.Name + ".schema.json"
		lines = append(lines, schemaLine{s.Name, s.Version, s.Title, path})
		mux.HandleFunc("GET "+path, serveBytes("application/schema+json", s.JSON))
	}
	list, err := json.Marshal(map[string]any{"schemas": lines})
	if err != nil {
		panic(err) // texts of this build
	}
	mux.HandleFunc("GET /schemas/{$}", serveBytes("application/json", list))
}

func serveBytes(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(body)
	}
}
