package api

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/sink/sinktest"
)

func TestPitchesAreFoundPageByPage(t *testing.T) {
	s := newStores()
	s.rows = rows(25)
	for i := range s.rows {
		s.rows[i].IsSwing = i%2 == 0
	}
	k := newAsker(t, s, nil)
	seen, cursor := 0, ""
	for _, want := range []int{10, 3} {
		body := k.get(200, opFind, "/v1/pitches?is_swing=true&limit=10"+cursor)
		require.Len(t, body["pitches"], want)
		seen += want
		next, _ := body["next_cursor"].(string)
		cursor = "&cursor=" + url.QueryEscape(next)
	}
	require.Equal(t, "&cursor=", cursor)
	require.Len(t, k.get(200, opFind, "/v1/pitches?is_swing=false")["pitches"], 12, "false is a filter too")
	require.Len(t, k.get(200, opFind, "/v1/pitches")["pitches"], 25)
	body := k.get(200, opFind, "/v1/pitches?batter=0")
	require.Equal(t, []any{}, body["pitches"], "0 is a batter too")
	require.Nil(t, body["as_of"])
	body = k.get(200, opFind, "/v1/pitches?since=1970-01-01T01:00:09.990%2B01:00")
	require.Len(t, body["pitches"], 11)
}

// Each combination of filters gives the pitches of which all of them hold, in the order of all pitches.
// guard: api: a page begins behind the cursor
func TestFoundPitchesAreThoseOfTheFilters(t *testing.T) {
	r := newReal(t)
	w := sinktest.NewGenerator(4, 300)
	for _, b := range w.Batches(w.Changes(600)) {
		r.write(t, b)
	}
	find := func(query url.Values, limit int) (found []map[string]any) {
		query = url.Values(query)
		query.Set("limit", fmt.Sprint(limit))
		for range 1000 {
			body := r.asker.get(200, opFind, "/v1/pitches?"+query.Encode())
			for _, p := range body["pitches"].([]any) {
				found = append(found, p.(map[string]any))
			}
			next, more := body["next_cursor"].(string)
			if !more {
				return found
			}
			query.Set("cursor", next)
		}
		t.Fatal("there is no last page")
		return nil
	}
	all := find(url.Values{}, 200)
	require.Greater(t, len(all), 100)
	column := map[string]string{
		"batter": "batter_id", "pitcher": "pitcher_id", "game": "game_pk", "pitch_type": "pitch_type",
		"result": "pitch_result", "is_swing": "is_swing", "is_chase": "is_chase",
	}
	text := func(v any) string {
		if n, ok := v.(float64); ok {
			return fmt.Sprintf("%.0f", n)
		}
		return fmt.Sprint(v)
	}
	eventTime := func(p map[string]any) time.Time {
		at, err := time.Parse(time.RFC3339Nano, p["event_time"].(string))
		require.NoError(t, err)
		return at
	}
	random := rand.New(rand.NewPCG(1, 2))
	matched := map[string]int{}
	for range 60 {
		model := all[random.IntN(len(all))]
		query := url.Values{}
		for name, of := range column {
			if model[of] != nil && random.IntN(4) == 0 {
				query.Set(name, text(model[of]))
			}
		}
		since := eventTime(model).Add(-time.Hour)
		if random.IntN(3) == 0 {
			query.Set("since", since.Format(time.RFC3339Nano))
		}
		if random.IntN(3) == 0 {
			query.Set("until", eventTime(model).Format(time.RFC3339Nano))
		}
		var want []any
		for _, p := range all {
			isChosen := (query.Get("since") == "" || !eventTime(p).Before(since)) &&
				(query.Get("until") == "" || eventTime(p).Before(eventTime(model)))
			for name, of := range column {
				isChosen = isChosen && (query.Get(name) == "" || p[of] != nil && text(p[of]) == query.Get(name))
			}
			if isChosen {
				want = append(want, p["pitch_id"])
			}
		}
		for name := range query {
			matched[name] += len(want)
		}
		asked := query.Encode()
		var got []any
		for _, p := range find(query, 1+random.IntN(40)) {
			got = append(got, p["pitch_id"])
		}
		require.Equal(t, want, got, asked)
	}
	for _, name := range []string{"batter", "game", "pitch_type", "result", "is_swing", "since", "until"} {
		require.Positive(t, matched[name], name)
	}
}

// guard: api: a time between two milliseconds is not rounded down
func TestTimesOfFiltersBetweenTwoMilliseconds(t *testing.T) {
	for text, want := range map[string]string{
		"2025-04-06T00:00:00Z": "2025-04-06T00:00:00.000Z", "2025-04-06T00:00:00.001Z": "2025-04-06T00:00:00.001Z",
		"2025-04-06T00:00:00.0001Z": "2025-04-06T00:00:00.001Z", "1960-01-01T00:00:00.000000001Z": "1960-01-01T00:00:00.001Z",
	} {
		at, err := timeOf("since", text)
		require.NoError(t, err)
		require.Equal(t, want, at.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"), text)
	}
}
