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

// Resuming is how a stream goes on after a connection has ended.
type Resuming struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"64" doc:"The id of the last event that was seen: an identical state is not sent again"`
}

type batterStreamIn struct {
	ID int64 `path:"id" example:"660271" doc:"The batter"`
	Resuming
}

type gameStreamIn struct {
	Game string `path:"game" minLength:"1" maxLength:"64" example:"745804" doc:"The game_pk"`
	Resuming
}

const streamDescription = `Server-sent events. The event state has the whole present state, as the GET without /stream answers it: the first at
once, another one each time that it has changed. A slow client misses states in between, and never the newest. absent:
no pitch stands, now or any more. A comment each 15 s says that the stream is alive.`

func (a *API) registerStreams(api huma.API) {
	stream[Batter](a, api, "stream-batter", "/v1/batters/{id}/stream", "A batter's states as they change", func(in *batterStreamIn) (topicKey, string) {
		return topicKey{batter: in.ID}, in.LastEventID
	})
	stream[Game](a, api, "stream-game", "/v1/games/{game}/stream", "A game's states as they change", func(in *gameStreamIn) (topicKey, string) {
		return topicKey{game: in.Game}, in.LastEventID
	})
}

func stream[State, I any](a *API, api huma.API, id, path, summary string, what func(*I) (topicKey, string)) {
	op := huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Description: streamDescription,
		Errors: []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		Responses: map[string]*huma.Response{"200": {
			Description: "Events; the schema is that of an event's data",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: schemaOf[State](api)}},
		}},
	}
	huma.Register(api, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		key, last := what(in)
		t, err := a.hub.join(key)
		if err != nil {
			return nil, later(unavailable(problemBusy, err.Error()), "5")
		}
		if err := a.hub.first(ctx, t); err != nil {
			a.hub.leave(t)
			return nil, problemOf(err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			defer a.hub.leave(t)
			r, w := humago.Unwrap(c)
			a.send(r.Context(), w, t, last)
		}}, nil
	})
}

// send writes the present state and each that follows, until the client is gone or too slow, or streams are to end.
func (a *API) send(ctx context.Context, w http.ResponseWriter, t *topic, last string) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies are not to wait for more
	w.WriteHeader(http.StatusOK)
	c := client{w: w, control: http.NewResponseController(w), limit: a.cfg.WriteLimit}
	_ = c.control.SetReadDeadline(time.Time{}) // the request is read; its deadline would end the stream
	ping := time.NewTicker(a.cfg.PingEvery)
	defer ping.Stop()
	err := c.write([]byte("retry: 2000\n\n"))
	for err == nil {
		e, changed := t.now()
		if e != nil && e.id != last {
			last = e.id
			if err = c.write(e.frame); err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-a.hub.done:
			return
		case <-changed:
		case <-ping.C:
			err = c.write([]byte(":\n\n"))
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		a.metrics.dropped.Inc()
	}
}

// client is one connection. It is never waited for longer than the limit.
type client struct {
	w       http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
}

func (c *client) write(b []byte) error {
	if err := c.control.SetWriteDeadline(time.Now().Add(c.limit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	return c.control.Flush()
}
