package api

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Resuming continues a stream after its connection has ended.
type Resuming struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"64" doc:"The id of the last event that was seen: an identical state is not sent again"`
}

// Thin is the parameter of a stream that asks for deltas in place of whole states.
type Thin struct {
	Deltas bool `query:"deltas" doc:"Send deltas: the event whole has the compact form of the state (without nulls, and with objects by id in place of batters, leaders and last_pitches), patch a JSON Merge Patch (RFC 7396) to it from the last event that was sent, or from that of Last-Event-ID; whichever is smaller"`
}

type batterStreamIn struct {
	ID int64 `path:"id" example:"660271" doc:"The batter"`
	Thin
	Resuming
}

type pitcherStreamIn struct {
	ID int64 `path:"id" example:"592450" doc:"The pitcher"`
	Thin
	Resuming
}

type gameStreamIn struct {
	Game string `path:"game" minLength:"1" maxLength:"64" example:"745804" doc:"The game_pk"`
	Thin
	Resuming
}

const streamDescription = `Server-sent events. The event state has the whole present state, as the GET without /stream answers it: the first at
once, another one each time that it has changed. A slow client misses states in between, and never the newest. absent:
no pitch stands, now or any more. A comment each 15 s (of the stream's status: each 2 s) says that the server is
alive.`

// following is a client's request for a stream.
type following struct {
	key    topicKey // what it streams
	last   string   // the id of the last event that it has; "": none
	deltas bool     // it takes deltas
}

// stream registers the operation id, GET path, that streams the states of a topic. State is the type of a
// state, I that of the parameters, from which what returns the request.
func stream[State, I any](a *API, api huma.API, id, path, summary string, what func(*I) following) {
	event := eventOf(schemaOf[State](api), schemaOf[Absent](api))
	op := huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Description: streamDescription,
		Errors: sharedErrors,
		Responses: map[string]*huma.Response{"200": {
			Description: "Events",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: event}},
		}},
	}
	a.streams["GET "+path] = true
	huma.Register(api, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		f := what(in)
		t, err := a.hub.begin(ctx, f.key)
		if errors.Is(err, errBusy) {
			return nil, later(unavailable(problemBusy, err.Error()), "5")
		}
		if err != nil {
			return nil, problemOf(err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			r, w := humago.Unwrap(c)
			beginStream(w, mediaSSE)
			// HEAD has no body to wait for. The next request on its connection would wait for the end of this one.
			// guard: api: HEAD opens no stream
			if r.Method == http.MethodHead {
				a.hub.leave(t)
				return
			}
			sendStates(r.Context(), a, w, t, f)
		}}, nil
	})
}

// eventOf returns the schema of an event whose data is a state, as JSON.
func eventOf(state, absent *huma.Schema) *huma.Schema {
	data := map[string]any{
		"contentMediaType": "application/json",
		"contentSchema":    &huma.Schema{AnyOf: []*huma.Schema{state, absent}},
	}
	return &huma.Schema{Type: huma.TypeObject, Required: []string{"data"}, Properties: map[string]*huma.Schema{
		"id": {Type: huma.TypeString, Description: "Of the state, without its lag and age"},
		"event": {Type: huma.TypeString, Enum: []any{"state", "absent", "whole", "patch"},
			Description: "absent: no pitch stands, the data has whom it is about only; whole and patch: with deltas"},
		"retry": {Type: huma.TypeInteger, Description: "Milliseconds before coming back after a break"},
		"data":  {Type: huma.TypeString, Description: "The state, as JSON", Extensions: data},
	}}
}

// beginStream answers with the headers of a stream.
func beginStream(w http.ResponseWriter, mediaType string) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	// Proxies must not wait for more of the answer.
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
}

// sendStates writes the current state and each that follows. It ends when the client is gone or too slow, or
// when the streams end. When readers move to another target, it goes on with that target's states.
func sendStates(ctx context.Context, a *API, w http.ResponseWriter, t *topic, f following) {
	c := client{w: w, control: http.NewResponseController(w), limit: a.cfg.WriteLimit}
	// The request is read; its read deadline would end the stream.
	_ = c.control.SetReadDeadline(time.Time{})
	// guard: api: Last-Event-ID skips | err := -> f.last = ""; err :=
	err := c.write([]byte("retry: 2000\n\n"))
	for at := a; t != nil; at, t = moveOn(ctx, at, t.key) {
		if f.last, err = stay(ctx, at, &c, t, f, err); err != nil {
			break
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		a.metrics.dropped.Inc()
	}
}

// stay writes the states of a topic, unless a write has failed before, and then leaves it.
func stay(
	ctx context.Context, a *API, c *client, t *topic, f following, failed error,
) (last string, err error) {
	defer a.hub.leave(t)
	if failed != nil {
		return f.last, failed
	}
	return writeStates(ctx, a, c, t, f)
}

// writeStates writes the states of a topic until its hub ends the streams, and returns the id of the last
// one. An error means that the client is gone or too slow.
func writeStates(ctx context.Context, a *API, c *client, t *topic, f following) (last string, _ error) {
	last = f.last
	every := a.cfg.PingEvery
	if t.key.overview {
		every = min(every, statusPing)
	}
	ping := time.Tick(every)
	var err error
	for err == nil {
		e, changed := t.latest()
		if e != nil && e.id != last {
			frame := e.frame
			if f.deltas {
				frame = a.deltas.frame(e, last)
			}
			last = e.id
			if err = c.write(frame); err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-a.hub.done:
			return last, nil
		case <-changed:
		case <-ping:
			err = c.write([]byte(":\n\n"))
		}
	}
	return last, err
}

// moveOn joins the same topic of the target that readers see now. It returns nil if that has not changed, or
// cannot be read.
func moveOn(ctx context.Context, a *API, key topicKey) (*API, *topic) {
	// guard: switch: streams go over | always
	if a.cfg.successor == nil {
		return nil, nil
	}
	next := a.cfg.successor()
	if next == nil {
		return nil, nil
	}
	t, err := next.hub.begin(ctx, key)
	if err != nil {
		return nil, nil
	}
	return next, t
}

// client is one connection. A write that takes longer than limit fails with os.ErrDeadlineExceeded.
type client struct {
	w       http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
}

func (c *client) write(b []byte) error {
	// guard: api: a client that takes nothing is dropped | c.limit -> c.limit + 1<<55
	err := c.control.SetWriteDeadline(time.Now().Add(c.limit))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	return c.control.Flush()
}
