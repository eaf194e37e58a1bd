package api

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/schemas"
)

// seasonRows are pitches of batter 1 and pitcher 2 in three seasons, the newest first.
func seasonRows(n int) []schemas.StoredRow {
	all := rows(n)
	for i := range all {
		r := &all[i]
		r.GameDate = schemas.Text(fmt.Sprintf("%d-04-0%d", 2025-i/20, 9-i%20/3))
		r.GamePK = schemas.Text(fmt.Sprint("game ", i/7))
		r.IsSwing = i%2 == 0
		r.Balls, r.Strikes = schemas.Some(int16(i%4)), schemas.Some(int16(i%3))
	}
	return all
}

// guard: api: splits of too many pitches are no answer
func TestSplitsOfAPlayer(t *testing.T) {
	s := newStores()
	s.rows = seasonRows(50)
	s.rows[49].GameDate = ""
	s.players = []schemas.Player{{ID: 1, Name: "A", Team: "SEA"}}
	k := newAsker(t, s, nil)
	keys := func(body map[string]any) (all []any) {
		for _, split := range body["splits"].([]any) {
			all = append(all, split.(map[string]any)["key"])
		}
		return all
	}
	first := func(body map[string]any) map[string]any { return body["splits"].([]any)[0].(map[string]any) }

	body := k.get(200, opSplits, "/v1/batters/1/splits?by=season")
	require.Equal(t, []any{"2025", "2024", "2023", nil}, keys(body))
	require.EqualValues(t, 20, first(body)["pitches"])
	require.Equal(t, "A", body["name"])
	require.Equal(t, "SEA", body["team"])
	require.Equal(t, "season", body["by"])
	require.Equal(t, "postgres", body["source"])
	require.Equal(t, schemas.TimeMS(10_000).String(), body["as_of"])
	require.NotContains(t, body, "next_cursor")

	body = k.get(200, opSplits, "/v1/batters/1/splits")
	require.Equal(t, []any{nil}, keys(body))
	require.EqualValues(t, 50, first(body)["pitches"])
	require.EqualValues(t, 9, first(k.get(200, opSplits, "/v1/batters/1/splits?last=9"))["pitches"])
	swings := first(k.get(200, opSplits, "/v1/batters/1/splits?last=4&last_of=swings"))
	require.EqualValues(t, 4, swings["swing_count"])
	require.EqualValues(t, 7, swings["pitches"])
	games := k.get(200, opSplits, "/v1/batters/1/splits?last=2&last_of=games&by=game")
	require.Equal(t, []any{"game 0", "game 1"}, keys(games))
	body = k.get(200, opPitcherSplits, "/v1/pitchers/2/splits?by=count")
	require.Len(t, body["splits"], 12)
	require.Equal(t, "0-0", first(body)["key"])
	body = k.get(200, opSplits, "/v1/batters/1/splits?until=1970-01-01T00:00:09.990Z&since=1970-01-01T00:00:09.980Z")
	require.EqualValues(t, 10, first(body)["pitches"])
	require.Equal(t, schemas.TimeMS(9_989).String(), body["as_of"])

	k.get(404, opSplits, "/v1/batters/9/splits?by=date")
	k.get(404, opPitcherSplits, "/v1/pitchers/1/splits")
	empty := k.get(200, opSplits, "/v1/batters/1/splits?since=2030-01-01T00:00:00Z")
	require.Equal(t, []any{}, empty["splits"])
	require.Nil(t, empty["as_of"])
	for query, why := range map[string]string{
		"by=week":                    "by",
		"last=0":                     "last",
		"last=10001":                 "last",
		"last=3&last_of=innings":     "last_of",
		"limit=101":                  "limit",
		"since=yesterday":            "since",
		"until=0000-01-01T00:00:00Z": "until: want an RFC 3339 time",
		"cursor=AhEAAAAAAAAAADIwMjU": "cursor",
		"at_least=x":                 "at_least",
	} {
		w := k.ask("/v1/batters/1/splits?" + query)
		require.Equal(t, 422, w.Code, query)
		require.Contains(t, w.Body.String(), problemInvalid, query)
		require.Contains(t, w.Body.String(), why, query)
	}
	for query, why := range map[string]string{
		"cursor=AgEx":                        "cursor: want a next_cursor",
		"by=date&cursor=AgEAAAAAAAAAADIwMjU": "cursor: it is of another by",
	} {
		body := k.get(410, opSplits, "/v1/batters/1/splits?"+query)
		require.Equal(t, problemGone, body["type"])
		require.Contains(t, body["detail"], why)
	}
	require.Equal(t, k.get(200, opSplits, "/v1/batters/1/splits")["splits"],
		k.get(200, opSplits, "/v1/batters/1/splits?last_of=swings")["splits"])
	body = k.get(422, opSplits, "/v1/batters/7/splits?by=season")
	require.Equal(t, "more than 100000 pitches: choose fewer with since, until or last", body["detail"])
}

// Pages joined are the one long list, whatever the groups.
func TestSplitsArePaged(t *testing.T) {
	s := newStores()
	s.rows = seasonRows(60)
	k := newAsker(t, s, nil)
	for by, want := range map[string]int{"all": 1, "season": 3, "month": 3, "date": 21, "game": 9, "pitch_type": 1, "count": 12, "hand": 1} {
		whole := k.get(200, opSplits, "/v1/batters/1/splits?limit=100&by="+by)["splits"]
		require.Len(t, whole, want, by)
		var joined []any
		for cursor := ""; ; {
			body := k.get(200, opSplits, "/v1/batters/1/splits?limit=2&by="+by+cursor)
			joined = append(joined, body["splits"].([]any)...)
			next, _ := body["next_cursor"].(string)
			if next == "" {
				break
			}
			require.Len(t, body["splits"], 2)
			cursor = "&cursor=" + url.QueryEscape(next)
		}
		require.Equal(t, whole, any(joined), by)
	}
}

// An answer waits for the records in at_least, has an ETag, and is remembered for the time without a store.
func TestSplitsAreAnswersLikeOthers(t *testing.T) {
	s := newStores()
	s.rows = seasonRows(5)
	s.apply("0", 3)
	k := newAsker(t, s, func(c *Config) { c.AtLeastWait = 1 })
	const path = "/v1/batters/1/splits?by=season"
	k.get(200, opSplits, path+"&at_least=0:2")
	require.Equal(t, problemNotApplied, k.get(503, opSplits, path+"&at_least=0:3")["type"])
	w := k.ask(path)
	tag := w.Header().Get("ETag")
	require.NotEmpty(t, tag)
	require.Equal(t, 304, k.ask(path, "If-None-Match: "+tag).Code)
	s.set(func() { s.storeErr = errGone })
	body := k.get(200, opSplits, path)
	require.Equal(t, "memory", body["source"])
	require.Equal(t, true, body["stale"])
	k.get(503, opSplits, "/v1/batters/1/splits?by=date")
}

// guard: api: a cursor's key is a text of Postgres'
func TestCursorsOfSplitsSurviveText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		by := rapid.SampledFrom([]schemas.SplitBy{schemas.SplitGame, schemas.SplitPitchType, schemas.SplitSeason}).Draw(t, "by")
		last := schemas.Split{Key: schemas.Text(rapid.StringN(0, -1, 200).Draw(t, "key")), Newest: schemas.TimeMS(rapid.Int64Range(0, 1<<41).Draw(t, "newest"))}
		text := splitCursorText(by, last)
		require.LessOrEqual(t, len(text), 400)
		c, err := parseSplitCursor(by, text)
		if strings.Contains(string(last.Key), "\x00") {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.Equal(t, last.Key, c.Key)
		if by == schemas.SplitGame {
			require.Equal(t, last.Newest, c.Newest)
		}
		_, _ = parseSplitCursor(by, rapid.String().Draw(t, "garbage"))
	})
	_, err := parseSplitCursor(schemas.SplitGame, splitCursorText(schemas.SplitGame, schemas.Split{Key: "\xff"}))
	require.Error(t, err)
}
