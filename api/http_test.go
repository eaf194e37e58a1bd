package api

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestETagsChangeWithTheStateAlone(t *testing.T) {
	s := newStores()
	s.put(state(1, 1))
	k := newAsker(t, s, nil)
	tag := k.ask("/v1/batters/1").Header().Get("ETag")
	require.Regexp(t, `^W/"[0-9a-f]{24}"$`, tag)
	s.beat(schemas.Heartbeat{LagMS: 77}) // not stale yet
	for _, header := range []string{tag, "*", `"x", ` + tag, strings.TrimPrefix(tag, "W/")} {
		w := k.ask("/v1/batters/1", "If-None-Match: "+header)
		require.Equal(t, 304, w.Code)
		require.Empty(t, w.Body.String())
		require.Equal(t, tag, w.Header().Get("ETag"))
	}
	r := httptest.NewRequest("GET", "/v1/batters/1", nil)
	r.Header["If-None-Match"] = []string{`"x"`, tag} // a list may come in several lines
	w := httptest.NewRecorder()
	k.ServeHTTP(w, r)
	require.Equal(t, 304, w.Code)
	s.put(state(1, 2))
	w = k.ask("/v1/batters/1", "If-None-Match: "+tag)
	require.Equal(t, 200, w.Code)
	require.NotEqual(t, tag, w.Header().Get("ETag"))
	require.Equal(t, "no-cache", w.Header().Get("Cache-Control"))
	require.Empty(t, k.ask("/v1/batters/9").Header().Get("ETag"))
}

func TestGzip(t *testing.T) {
	s := newStores()
	var ids []string
	for id := range int64(50) {
		s.put(state(id, 1))
		ids = append(ids, fmt.Sprint(id))
	}
	k := newAsker(t, s, nil)
	w := k.ask("/v1/batters?ids="+strings.Join(ids, ","), "Accept-Encoding: gzip")
	require.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
	z, err := gzip.NewReader(w.Body)
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	k.valid(opBatters, 200, "application/json", b)
}

func TestCORS(t *testing.T) {
	s := newStores()
	s.put(state(1, 1))
	k := newAsker(t, s, func(c *Config) { c.CORSOrigins = []string{"https://app.example.org"} })
	w := k.ask("/v1/batters/1", "Origin: https://app.example.org")
	require.Equal(t, "https://app.example.org", w.Header().Get("Access-Control-Allow-Origin"))
	w = k.ask("/v1/batters/1", "Origin: https://elsewhere.example.org")
	require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	req := httptest.NewRequest("OPTIONS", "/v1/batters/1", nil)
	req.Header.Set("Origin", "https://app.example.org")
	req.Header.Set("Access-Control-Request-Method", "GET")
	w = httptest.NewRecorder()
	k.ServeHTTP(w, req)
	require.Equal(t, 204, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Access-Control-Allow-Methods"))
	none := newAsker(t, s, nil).ask("/v1/batters/1", "Origin: https://app.example.org")
	require.Empty(t, none.Header().Get("Access-Control-Allow-Origin"))
}

func TestTheToken(t *testing.T) {
	s := newStores()
	s.put(state(1, 1))
	k := newAsker(t, s, func(c *Config) { c.Token = "secret" })
	for _, header := range []string{"X: y", "Authorization: secret", "Authorization: Bearer", "Authorization: Bearer wrong", "Authorization: Basic secret"} {
		for _, path := range []string{"/v1/batters/1", "/v1/batters/1/stream", "/v1/none"} {
			w := k.ask(path, header)
			require.Equal(t, 401, w.Code, "%s %s", header, path)
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			require.NotEmpty(t, w.Header().Get("WWW-Authenticate"))
		}
	}
	require.Equal(t, 200, k.ask("/v1/batters/1", "Authorization: Bearer secret").Code)
	require.Equal(t, 200, k.ask("/docs").Code)
}

func TestRequestIDs(t *testing.T) {
	k := newAsker(t, newStores(), nil)
	require.Equal(t, "abc-1", k.ask("/v1/batters/1", "X-Request-Id: abc-1").Header().Get("X-Request-Id"))
	for _, bad := range []string{"", "a b", strings.Repeat("x", 65), "<script>"} {
		given := k.ask("/v1/batters/1", "X-Request-Id: "+bad).Header().Get("X-Request-Id")
		require.NotEqual(t, bad, given)
		require.NotEmpty(t, given)
	}
}

// Whatever is asked wrongly has a problem for an answer, which is valid by the document where there is an
// operation.
// guard: api: a time of a filter is one of Postgres'
// guard: api: a problem has the type of its status
func TestWrongQuestions(t *testing.T) {
	k := newAsker(t, newStores(), nil)
	many := strings.TrimSuffix(strings.Repeat("1,", 101), ",")
	for path, op := range map[string]string{
		"/v1/batters/abc": opBatter, "/v1/batters/99999999999999999999": opBatter, "/v1/batters/1?at_lest=0:1": opBatter,
		"/v1/batters": opBatters, "/v1/batters?ids=": opBatters, "/v1/batters?ids=1,x": opBatters, "/v1/batters?ids=" + many: opBatters,
		"/v1/games?limit=0": opGames, "/v1/games?limit=101": opGames, "/v1/games/" + strings.Repeat("g", 65): opGame,
		"/v1/leaders": opLeaders, "/v1/leaders?stat=name": opLeaders, "/v1/leaders?stat=pitches;drop": opLeaders, "/v1/leaders?stat=pitches&min_swings=-1": opLeaders,
		"/v1/batters/1/pitches?limit=201": opPitches, "/v1/batters/1/pitches?cursor=zzz": opPitches, "/v1/batters/1/pitches?cursor=" + strings.Repeat("A", 34): opPitches,
		"/v1/pitches?cursor=zzz": opFind, "/v1/pitches?cursor=" + strings.Repeat("A", 34): opFind, "/v1/pitches?cursor=%00": opFind,
		"/v1/pitches?batter=x": opFind, "/v1/pitches?batter=": opFind, "/v1/pitches?pitcher=1.5": opFind, "/v1/pitches?pitcher=99999999999999999999": opFind,
		"/v1/pitches?is_chase=yes": opFind, "/v1/pitches?is_swing=1": opFind, "/v1/pitches?result=strike": opFind, "/v1/pitches?limit=0": opFind, "/v1/pitches?limit=201": opFind,
		"/v1/pitches?since=yesterday": opFind, "/v1/pitches?until=0000-01-01T00:00:00Z": opFind, "/v1/pitches?since=9999-12-31T23:59:59-23:00": opFind,
		"/v1/pitches?since=2025-04-06T00:00:00+00:00": opFind, "/v1/pitches?game=" + strings.Repeat("g", 65): opFind, "/v1/pitches?pitch_type=%ff": opFind, "/v1/pitches?pitch_type=" + strings.Repeat("g", 201): opFind, "/v1/pitches?bater=1": opFind,
		"/v1/pitches/1": opPitch, "/v1/pitches/zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz": opPitch,
	} {
		require.Equal(t, problemInvalid, k.get(422, op, path)["type"], path)
	}
	for path, op := range map[string]string{
		"/v1/pitches/00000000-0000-0000-0000-0000000000ff":        opPitch,
		"/v1/pitches/00000000-0000-0000-0000-0000000000ff/scores": "/v1/pitches/{id}/scores",
		"/v1/batters/1/archetypes":                                "/v1/batters/{id}/archetypes",
		"/v1/letters":                                             "/v1/letters", "/v1/letters/0/0": "/v1/letters/{partition}/{offset}",
	} {
		require.Equal(t, problemNotFound, k.get(404, op, path)["type"], path)
	}
	for path, status := range map[string]int{"/": 404, "/v1": 404, "/v1/none": 404, "/v1/batters/1/none": 404} {
		w := k.ask(path)
		require.Equal(t, status, w.Code, path)
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), path)
	}
	w := httptest.NewRecorder()
	k.ServeHTTP(w, httptest.NewRequest("POST", "/v1/batters/1", strings.NewReader("{}")))
	require.Equal(t, 405, w.Code)
	w = httptest.NewRecorder()
	k.ServeHTTP(w, httptest.NewRequest("GET", "/v1/batters/1", strings.NewReader(strings.Repeat("x", maxBody+1))))
	require.Equal(t, 413, w.Code)
}

func TestAPanicIsAnAnswerToo(t *testing.T) {
	k := newAsker(t, newStores(), nil)
	w := httptest.NewRecorder()
	observed(k.API, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug") })).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "bug")
}

// Reads of several requests go to Redis together, in a goroutine where no middleware recovers. One that
// panics is as good as a Redis that does not answer.
// guard: api: a read that panics ends no server
func TestAReadThatPanicsIsAnsweredFromTheOtherStore(t *testing.T) {
	s := newStores()
	s.onLook = func() { s.set(func() { s.onLook = nil }); panic("a bug") }
	s.put(state(1, 1))
	k := newAsker(t, s, nil)
	require.Equal(t, "postgres", k.get(200, opBatter, "/v1/batters/1")["source"])
	require.Equal(t, "redis", k.get(200, opBatter, "/v1/batters/1")["source"])
}

// The document: 3.1, every operation, every value with its meaning, and a page of it that needs nothing from
// elsewhere.
func TestTheDocument(t *testing.T) {
	k := newAsker(t, newStores(), func(c *Config) { c.Token = "secret" })
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]any
		Components struct {
			Schemas map[string]struct {
				Properties map[string]map[string]any
			}
		}
	}
	require.NoError(t, json.Unmarshal(k.ask("/openapi.json").Body.Bytes(), &doc))
	require.Regexp(t, `^3\.1\.`, doc.OpenAPI)
	for _, op := range []string{
		opBatter, opBatters, opBatterGame, opGames, opGame, opLeaders,
		opPitches, opFind, opPitch, opStream, opGameStream,
		opPitcher, opPitchers, opPitcherGame, opPitcherGames, opPitcherPitches, opPitcherLeaders, opPitcherStream,
		opPlayers, opTeams,
	} {
		require.Contains(t, doc.Paths, op)
	}
	for name, schema := range doc.Components.Schemas {
		for property, s := range schema.Properties {
			require.True(t, s["description"] != nil || s["$ref"] != nil || strings.HasPrefix(name, "Error"), "%s.%s says nothing", name, property)
		}
	}
	require.Len(t, doc.Components.Schemas["Pitch"].Properties, len(schemas.StoredColumns)+2)
	page := k.ask("/docs")
	require.Equal(t, "text/html; charset=utf-8", page.Header().Get("Content-Type"))
	require.Contains(t, page.Header().Get("Content-Security-Policy"), "script-src 'self'; ")
	for _, elsewhere := range []string{"http://", "https://", "@import"} {
		require.NotContains(t, page.Body.String(), elsewhere)
	}
}

// A game may have any name, also one that ends as a stream does. Its answers have their turn, time and ETag.
// guard: api: a game named stream is no stream
func TestAGameNamedStreamIsNoStream(t *testing.T) {
	s := newStores()
	for _, game := range []string{"stream", "a/stream"} {
		s.put(inGame(state(1, 2), game))
		s.games = append(s.games, schemas.PlayedGame{GamePK: game, Pitches: 2})
	}
	k := newAsker(t, s, nil)
	for _, game := range []string{"stream", "a%2Fstream"} {
		for _, path := range []string{"/v1/games/" + game, "/v1/batters/1/games/" + game} {
			w := k.ask(path)
			require.Equal(t, 200, w.Code, path)
			require.NotEmpty(t, w.Header().Get("ETag"), path)
		}
	}
	require.Zero(t, value(t, k.metrics.streams))
}

// HEAD answers with the headers of a stream, and ends: the next request on its connection is answered.
// guard: api: HEAD opens no stream
// guard: api: HEAD follows no feed
func TestHeadOpensNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := feeding(t, nil)
		s.put(state(1, 1))
		for _, path := range []string{"/v1/batters/1/stream", "/v1/stream/events", "/v1/changes?since=0&follow=true"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			w := httptest.NewRecorder()
			k.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "HEAD", path, nil))
			require.NoError(t, ctx.Err(), path)
			require.Equal(t, 200, w.Code, path)
			require.Empty(t, w.Body.String(), path)
			cancel()
		}
		require.Zero(t, value(t, k.metrics.streams))
	})
}
