package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A delta is a JSON Merge Patch (RFC 7396) from a state that a client has to the present one. Merge patches
// cannot set a null, and replace whole lists. So they apply to the compact form of a state: without members
// that are null, and with an object in place of a list of things that have an id. Any server that remembers a
// state can make a patch from it; otherwise the client gets the whole.

const (
	mediaPatch = "application/merge-patch+json"

	// deltaBytes bounds the states that are remembered to make patches from.
	deltaBytes = 32 << 20
	// maxPatches bounds the patches to one state that are kept: most clients have the same state before.
	maxPatches = 8
)

// listKeys are the ids of the things in lists, by the names of the lists.
var listKeys = map[string][]string{
	"batters": {"batter_id"}, "leaders": {"batter_id", "pitcher_id"}, "last_pitches": {"pitch_id"},
}

// Delta asks for what has changed since a state.
type Delta struct {
	Since string `query:"since" maxLength:"64" pattern:"^([0-9a-f]{24}|0)$" example:"5d1f0c9a7be24c11a0d3f5e2" doc:"The id of a state that the client has: its ETag without W/ and quotes, or the id of its event; 0: none. The answer is 304 if that is still the state, else 226 with a JSON Merge Patch to the present one, or 200 with the whole, whichever is smaller. The patch is about the compact form of the state: without nulls, and with objects by id in place of batters, leaders and last_pitches"`
}

// deltaRoutes are the routes whose operations have a Delta.
var deltaRoutes = map[string]bool{
	"GET /v1/batters/{id}": true, "GET /v1/batters/{id}/games/{game}": true,
	"GET /v1/pitchers/{id}": true, "GET /v1/pitchers/{id}/games/{game}": true,
	"GET /v1/games/{game}": true, "GET /v1/leaders": true, "GET /v1/leaders/pitchers": true,
}

// describeDeltas adds the forms of a delta to the answers of an operation.
func describeDeltas(op *huma.Operation) {
	op.Responses["226"] = &huma.Response{
		Description: "A JSON Merge Patch (RFC 7396) from the compact form of since to that of the present state",
		Content:     map[string]*huma.MediaType{mediaPatch: {Schema: &huma.Schema{Type: huma.TypeObject}}},
	}
	op.Responses["304"] = &huma.Response{Description: "The state is still that of since or If-None-Match"}
}

// compactOf returns the compact form of a state.
func compactOf(state []byte) (map[string]any, error) {
	in := json.NewDecoder(bytes.NewReader(state))
	in.UseNumber() // identifiers have 64 bits
	var body map[string]any
	if err := in.Decode(&body); err != nil {
		return nil, err
	}
	return compact("", body).(map[string]any), nil
}

func compact(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for member, value := range v {
			if value != nil {
				out[member] = compact(member, value)
			}
		}
		return out
	case []any:
		keys := listKeys[name]
		if keys == nil {
			return v
		}
		out := make(map[string]any, len(v))
		for _, item := range v {
			fields, _ := item.(map[string]any)
			for _, key := range keys {
				if id, ok := fields[key]; ok {
					out[fmt.Sprint(id)] = compact("", item)
				}
			}
		}
		return out
	}
	return v
}

// mergePatch returns the patch that makes next of base. Both are compact, so next has no null to set.
func mergePatch(base, next map[string]any) map[string]any {
	patch := map[string]any{}
	for name := range base {
		if _, ok := next[name]; !ok {
			patch[name] = nil
		}
	}
	for name, value := range next {
		was, had := base[name]
		before, isObject := was.(map[string]any)
		after, becomesObject := value.(map[string]any)
		switch {
		case had && isObject && becomesObject:
			if inner := mergePatch(before, after); len(inner) > 0 {
				patch[name] = inner
			}
		case !had || !reflect.DeepEqual(was, value):
			patch[name] = value
		}
	}
	return patch
}

// statePatch is mergePatch of two states. It always has their lag and age, which are not part of an id: the
// client may have others than the state that is remembered.
func statePatch(base, next map[string]any) map[string]any {
	patch := mergePatch(base, next)
	for _, name := range []string{"lag_ms", "age_ms"} {
		// guard: deltas: a patch has lag and age
		patch[name] = next[name]
	}
	return patch
}

// deltas remembers compact states by their ids.
type deltas struct {
	mu    sync.Mutex // guards both
	known *simplelru.LRU[string, []byte]
	bytes int
}

func (d *deltas) init() (err error) {
	forget := func(_ string, state []byte) { d.bytes -= len(state) }
	d.known, err = simplelru.NewLRU(deltaBytes/64, forget)
	return err
}

func (d *deltas) add(id string, state []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known.Contains(id) {
		return
	}
	d.known.Add(id, state)
	// guard: deltas: what is remembered is bounded
	for d.bytes += len(state); d.bytes > deltaBytes; {
		d.known.RemoveOldest()
	}
}

// get returns the state of an id, nil if it is not known.
func (d *deltas) get(id string) map[string]any {
	d.mu.Lock()
	state, _ := d.known.Get(id)
	d.mu.Unlock()
	if state == nil {
		return nil
	}
	body, err := compactOf(state)
	if err != nil {
		return nil
	}
	return body
}

// deltaSince returns the state that a request of one of the deltaRoutes has, "" where it asks for no delta.
func deltaSince(r *http.Request) string {
	at, ok := r.Context().Value(matchedKey{}).(*matched)
	if !ok || !deltaRoutes[at.pattern] {
		return ""
	}
	return r.URL.Query().Get("since")
}

// from returns the patch from the state since to a state, and the compact form of the whole. The patch is nil
// if it would not be smaller.
func (d *deltas) from(since string, state []byte, id string) (patch, whole []byte, err error) {
	next, err := compactOf(state)
	if err != nil {
		return nil, nil, err
	}
	if whole, err = encode(next); err != nil {
		return nil, nil, err
	}
	d.add(id, whole)
	base := d.get(since)
	if base == nil {
		return nil, whole, nil
	}
	patch, err = encode(statePatch(base, next))
	// guard: deltas: the smaller form is sent
	if len(patch) >= len(whole) {
		patch = nil
	}
	return patch, whole, err
}

func encode(v map[string]any) ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	err := out.Encode(v)
	return b.Bytes(), err
}

// deltaFrames are the forms of one event for clients who take deltas, each made once.
type deltaFrames struct {
	mu      sync.Mutex // guards patches
	patches map[string][]byte
}

// frame returns the event for a client whose last one had the id last.
func (d *deltas) frame(e *event, last string) []byte {
	if e.name != "state" {
		return e.frame
	}
	e.deltas.mu.Lock()
	defer e.deltas.mu.Unlock()
	frame := e.deltas.patches[last]
	if frame != nil {
		return frame
	}
	name := "patch"
	body, whole, err := d.from(last, e.data, e.id)
	if err != nil {
		return e.frame
	}
	if body == nil {
		name, body = "whole", whole
	}
	frame = append(append(beginFrame(nil, e.id, name), body...), '\n') // body ends its line
	if e.deltas.patches == nil || len(e.deltas.patches) >= maxPatches {
		e.deltas.patches = map[string][]byte{}
	}
	e.deltas.patches[last] = frame
	return frame
}
