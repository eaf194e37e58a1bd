package api

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/schemas"
)

// guard: api: a cursor's time is one of Postgres'
func TestCursorsSurviveText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := schemas.PitchCursor{EventTime: schemas.TimeMS(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "time"))}
		copy(c.PitchID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		read, err := parseCursor(cursorText(c))
		require.NoError(t, err)
		require.Equal(t, c, *read)
		require.LessOrEqual(t, len(cursorText(c)), 64)
		_, _ = parseCursor(rapid.String().Draw(t, "garbage"))
		any, err := parseCursor(cursorText(schemas.PitchCursor{EventTime: schemas.TimeMS(rapid.Int64().Draw(t, "any time"))}))
		require.NoError(t, err)
		require.GreaterOrEqual(t, any.EventTime.Time().Year(), 1)
		require.LessOrEqual(t, any.EventTime.Time().Year(), 9999)
	})
}

func rows(n int) (out []schemas.StoredRow) {
	for i := range n {
		r := schemas.StoredRow{Row: schemas.Row{PitchID: schemas.PitchID{15: byte(i)}, BatterID: schemas.Some(int64(1)), PitcherID: schemas.Some(int64(2)), GamePK: "g"}}
		r.EventTime, r.ProcessedAt, r.SourceTopic, r.Build = schemas.TimeMS(10_000-i), 20_000, "pitches.raw", "b"
		out = append(out, r)
	}
	return out
}

func TestPagesOfPitches(t *testing.T) {
	s := newStores()
	s.rows = rows(25)
	s.players = []schemas.Player{{ID: 1, Name: "A"}, {ID: 2, Name: "P"}}
	k := newAsker(t, s, nil)
	seen, cursor := 0, ""
	for _, want := range []int{10, 10, 5} {
		body := k.get(200, opPitches, "/v1/batters/1/pitches?limit=10&cursor="+url.QueryEscape(cursor))
		require.Len(t, body["pitches"], want)
		require.Equal(t, schemas.TimeMS(10_000-seen).String(), body["as_of"])
		seen += want
		cursor, _ = body["next_cursor"].(string)
	}
	require.Empty(t, cursor)
	k.get(404, opPitches, "/v1/batters/9/pitches")

	body := k.get(200, opPitch, "/v1/pitches/"+s.rows[3].PitchID.String())
	require.Equal(t, "A", body["batter_name"])
	require.Equal(t, "P", body["pitcher_name"])
	require.Equal(t, "pitches.raw", body["source_topic"])
	require.Equal(t, body["event_time"], body["as_of"])
	require.Equal(t, []any{}, body["issues"])
	require.Contains(t, body, "is_sword")
	k.get(404, opPitch, "/v1/pitches/00000000-0000-0000-0000-0000000000ff")
}

// guard: api: history that is loaded is not live
func TestAGameIsLiveOnTheStreamsClock(t *testing.T) {
	now := schemas.TimeMSOf(time.Now())
	const hour = schemas.TimeMS(3_600_000)
	for name, c := range map[string]struct {
		game schemas.PlayedGame
		live bool
	}{
		"now":                          {schemas.PlayedGame{Last: now, UpdatedAt: now, StreamLast: now}, true},
		"a feed that is a year late":   {schemas.PlayedGame{Last: now - 8760*hour, UpdatedAt: now, StreamLast: now - 8760*hour}, true},
		"the later of two parks":       {schemas.PlayedGame{Last: now - 2*hour, UpdatedAt: now, StreamLast: now}, true},
		"processed an hour ago":        {schemas.PlayedGame{Last: now, UpdatedAt: now - hour, StreamLast: now}, false},
		"yesterday's, loaded today":    {schemas.PlayedGame{Last: now - 24*hour, UpdatedAt: now, StreamLast: now}, false},
		"a clock that is years ahead":  {schemas.PlayedGame{Last: now + 87600*hour, UpdatedAt: now, StreamLast: now}, true},
		"nothing in the stream is now": {schemas.PlayedGame{Last: 5, UpdatedAt: 6, StreamLast: 5}, false},
	} {
		require.Equal(t, c.live, summary(c.game).Live, name)
	}
}

// guard: api: a live game behind others is found
func TestGames(t *testing.T) {
	s := newStores()
	now := schemas.TimeMSOf(time.Now())
	s.games = []schemas.PlayedGame{{GamePK: "g", Pitches: 25, First: 1, Last: now, UpdatedAt: now, Venue: "Wrigley Field"}, {GamePK: "old", Pitches: 1, First: 1, Last: 1, UpdatedAt: 1}}
	s.rows = rows(25)
	s.put(inGame(state(1, 1), "g"))
	k := newAsker(t, s, nil)
	body := k.get(200, opGames, "/v1/games")
	require.Len(t, body["games"], 2)
	require.Equal(t, now.String(), body["as_of"])
	require.Len(t, k.get(200, opGames, "/v1/games?live=true")["games"], 1)
	s.set(func() { slices.Reverse(s.games) })
	require.Equal(t, "g", k.get(200, opGames, "/v1/games?live=true&limit=1")["games"].([]any)[0].(map[string]any)["game_pk"])
	body = k.get(200, opGame, "/v1/games/g")
	require.Len(t, body["last_pitches"], 10)
	require.Equal(t, "Wrigley Field", body["venue"])
	require.Nil(t, body["game_date"])
	require.Nil(t, body["starts_at"], "no file has said it")
	s.set(func() { s.games[1].StartsAt = schemas.Some(now) })
	require.Equal(t, now.String(), k.get(200, opGame, "/v1/games/g")["starts_at"])
	require.Equal(t, true, body["live"])
	k.get(404, opGame, "/v1/games/none")
	body = k.get(200, opGamePitch, "/v1/games/g/pitches?limit=20")
	require.Len(t, body["pitches"], 20)
	require.Equal(t, body["pitches"].([]any)[0].(map[string]any)["event_time"], body["as_of"])
	k.get(404, opGamePitch, "/v1/games/none/pitches")
	empty := newAsker(t, newStores(), nil).get(200, opGames, "/v1/games")
	require.Nil(t, empty["as_of"])
}

// A page of games says where the next one begins, unless it is the last.
// Pages of live games end where history begins.
func TestPagesOfGames(t *testing.T) {
	s := newStores()
	now := time.Now()
	for i := range 250 {
		last := schemas.TimeMSOf(now.Add(-time.Duration(i) * time.Minute))
		g := schemas.PlayedGame{GamePK: fmt.Sprint(i), Last: last, UpdatedAt: 1, StreamLast: schemas.TimeMSOf(now)}
		if i == 0 || i == 101 || i == 249 {
			g.UpdatedAt = schemas.TimeMSOf(now)
		}
		s.games = append(s.games, g)
	}
	k := newAsker(t, s, nil)
	pages := func(query string) (found []string, pages int) {
		for cursor := ""; ; pages++ {
			body := k.get(200, opGames, "/v1/games?"+query+"&cursor="+cursor)
			for _, g := range body["games"].([]any) {
				found = append(found, g.(map[string]any)["game_pk"].(string))
			}
			next, _ := body["next_cursor"].(string)
			if cursor = next; cursor == "" {
				return found, pages + 1
			}
		}
	}
	found, n := pages("limit=50")
	require.Len(t, found, 250)
	require.Equal(t, 5, n)
	require.Equal(t, []string{"0", "249"}, []string{found[0], found[249]})
	found, _ = pages("limit=2&live=true")
	require.Equal(t, []string{"0", "101", "249"}, found)
	s.set(func() {
		for i := range s.games {
			s.games[i].Last -= schemas.TimeMS(liveWithin.Milliseconds() + 1)
		}
	})
	found, n = pages("limit=3&live=true")
	require.Empty(t, found)
	require.Equal(t, 1, n, "all others are older")
	k.get(410, opGames, "/v1/games?cursor=Agxxx")
}

func TestRanks(t *testing.T) {
	s := newStores()
	for id := range int64(3) {
		s.put(state(id, 5))
	}
	k := newAsker(t, s, nil)
	for i, l := range k.get(200, opLeaders, "/v1/leaders?stat=swing_count&min_swings=1")["leaders"].([]any) {
		require.EqualValues(t, 1, l.(map[string]any)["rank"], fmt.Sprint(i))
	}
}
