package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// mergeInto applies a patch as the algorithm of RFC 7396 says.
func mergeInto(target, patch any) any {
	fields, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out := map[string]any{}
	if before, ok := target.(map[string]any); ok {
		out = maps.Clone(before)
	}
	for name, value := range fields {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = mergeInto(out[name], value)
		}
	}
	return out
}

func compacted(t *testing.T, body string) map[string]any {
	t.Helper()
	c, err := compactOf([]byte(body))
	require.NoError(t, err)
	return c
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// The examples of RFC 7396, appendix A, whose documents are compact objects.
func TestPatchesAreThoseOfTheRFC(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		base, next := compacted(t, c[0]), compacted(t, c[2])
		var patch any
		require.NoError(t, json.Unmarshal([]byte(c[1]), &patch))
		require.JSONEq(t, c[2], text(t, mergeInto(base, patch)), "the test's own algorithm")
		require.JSONEq(t, c[2], text(t, mergeInto(base, mergePatch(base, next))))
	}
}

// randomState is a state with lists by id, values that come, go and become null, and identifiers of 64 bits.
func randomState(rnd *rand.Rand) string {
	value := func() string {
		return []string{"null", "1.5", `"a<b"`, "[1,null]", fmt.Sprint(rnd.IntN(3)), `{"x":{"y":null,"z":` + fmt.Sprint(rnd.IntN(2)) + `}}`}[rnd.IntN(6)]
	}
	fields := func() (all []string) {
		for _, name := range []string{"a", "b", "c"} {
			if rnd.IntN(4) > 0 {
				all = append(all, fmt.Sprintf("%q:%s", name, value()))
			}
		}
		return all
	}
	list := func(key string) string {
		var items []string
		for i := range 5 {
			if rnd.IntN(3) > 0 {
				items = append(items, "{"+strings.Join(append(fields(), fmt.Sprintf("%q:%d", key, 9007199254740993+i)), ",")+"}")
			}
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	all := append(fields(), `"batters":`+list("batter_id"), `"last_pitches":`+list("pitch_id"),
		`"lag_ms":`+[]string{"null", "0", "7"}[rnd.IntN(3)], `"age_ms":0`)
	return "{" + strings.Join(all, ",") + "}"
}

// guard: deltas: a patch has lag and age
// guard: deltas: the smaller form is sent
func TestPatchesLeadToTheWhole(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 1))
	var d deltas
	require.NoError(t, d.init())
	have, id := map[string]any(nil), "0"
	forms := map[string]int{}
	for range 3000 {
		state := randomState(rnd)
		patch, body, err := d.from(id, []byte(state), digest([]byte(state)))
		require.NoError(t, err)
		form := "whole"
		if patch != nil {
			require.Less(t, len(patch), len(body))
			form, body = "patch", patch
		}
		forms[form]++
		whole := compacted(t, state)
		var got any
		in := json.NewDecoder(strings.NewReader(string(body)))
		in.UseNumber()
		require.NoError(t, in.Decode(&got))
		if form == "patch" {
			got = mergeInto(have, got)
		}
		require.Equal(t, text(t, whole), text(t, got))
		have, id = got.(map[string]any), digest([]byte(state))
		have["lag_ms"] = json.Number("99") // the client's own, from an answer of the same state
	}
	require.Greater(t, min(forms["patch"], forms["whole"]), 20, "%v", forms)
}

// guard: deltas: what is remembered is bounded
func TestRememberedStatesAreBounded(t *testing.T) {
	var d deltas
	require.NoError(t, d.init())
	for i := range 100 {
		d.add(fmt.Sprint(i), make([]byte, deltaBytes/50))
		d.add(fmt.Sprint(i), make([]byte, deltaBytes/50))
	}
	require.LessOrEqual(t, d.bytes, deltaBytes)
	require.Equal(t, 50, d.known.Len())
}

func TestAnswersSinceAState(t *testing.T) {
	s := newStores()
	k := newAsker(t, s, nil)
	for _, path := range []string{"/v1/batters/1", "/v1/games/g", "/v1/leaders?stat=pitches", "/v1/batters/1/games/g"} {
		s.set(func() { s.games = []schemas.PlayedGame{{GamePK: "g", Pitches: 1, First: 5, Last: 5, UpdatedAt: 6}} })
		query := path + "?"
		if strings.Contains(path, "?") {
			query = path + "&"
		}
		s.put(state(1, 1))
		s.put(inGame(state(1, 1), "g"))
		first := k.ask(query + "since=0")
		require.Equal(t, 200, first.Code, path)
		id := strings.Trim(strings.TrimPrefix(first.Header().Get("ETag"), "W/"), `"`)
		require.Equal(t, 304, k.ask(query+"since="+id).Code)
		have := any(compacted(t, first.Body.String()))
		for n := range int64(3) {
			s.put(state(1, 2+n))
			s.put(inGame(state(1, 2+n), "g"))
			w := k.ask(query + "since=" + id)
			require.Equal(t, http.StatusIMUsed, w.Code)
			require.Equal(t, mediaPatch, w.Header().Get("Content-Type"), "%s %s", path, w.Body)
			have = mergeInto(have, map[string]any(compactedPatch(t, w.Body.String())))
			whole := k.ask(path)
			require.Equal(t, whole.Header().Get("ETag"), w.Header().Get("ETag"))
			require.Equal(t, text(t, compacted(t, whole.Body.String())), text(t, have), path)
			id = strings.Trim(strings.TrimPrefix(w.Header().Get("ETag"), "W/"), `"`)
		}
		require.Equal(t, 200, k.ask(query+"since="+strings.Repeat("0", 24)).Code)
	}
	k.get(422, opBatter, "/v1/batters/1?since=x")
	k.get(422, opGames, "/v1/games?since=0")
}

func compactedPatch(t *testing.T, body string) (patch map[string]any) {
	t.Helper()
	in := json.NewDecoder(strings.NewReader(body))
	in.UseNumber()
	require.NoError(t, in.Decode(&patch))
	return patch
}

// deltasOf applies the events of a stream, and returns their names and the state after the last.
func deltasOf(t *testing.T, l *listener, have any) (names []string, ids []string, _ any) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for frame := range strings.SplitSeq(l.Body.String(), "\n\n") {
		var id, name string
		for line := range strings.Lines(frame) {
			field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch {
			case field == "id":
				id = value
			case field == "event":
				name = value
				names, ids = append(names, name), append(ids, id)
			case field == "data" && name == "patch":
				have = mergeInto(have, map[string]any(compactedPatch(t, value)))
			case field == "data":
				have = map[string]any(compactedPatch(t, value))
			}
		}
	}
	return names, ids, have
}

func TestAStreamOfDeltas(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		whole := func() string {
			return text(t, compacted(t, k.ask("/v1/batters/1").Body.String()))
		}
		s.put(state(1, 1))
		l := k.listen(opStream, "/v1/batters/1/stream?deltas=true")
		for n := range int64(3) {
			s.put(state(1, 2+n))
			pass(200 * time.Millisecond)
		}
		names, ids, have := deltasOf(t, l, nil)
		require.Equal(t, []string{"whole", "patch", "patch", "patch"}, names)
		require.Equal(t, whole(), text(t, have))
		l.stop()
		s.put(state(1, 9))
		pass(200 * time.Millisecond)
		again := k.listen(opStream, "/v1/batters/1/stream?deltas=true", "Last-Event-ID: "+ids[3])
		names, _, have = deltasOf(t, again, have)
		require.Equal(t, []string{"patch"}, names, "behind the state that the client has")
		require.Equal(t, whole(), text(t, have))
		pass(200 * time.Millisecond)
		s.set(func() { clear(s.live); clear(s.store) })
		pass(200 * time.Millisecond)
		names, _, _ = deltasOf(t, again, have)
		require.Equal(t, []string{"patch", "absent"}, names)
	})
}
