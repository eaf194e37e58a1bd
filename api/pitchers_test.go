package api

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// pitching is a pitcher with so many pitches, at that sequence number.
func pitching(id, pitches int64) schemas.PlayerState {
	s := state(id, pitches)
	s.Side, s.Stats = schemas.Pitcher, schemas.Stats{}
	s.Pitching = schemas.PitcherStatsOf(map[string]schemas.PitchSums{"Slider": {Pitches: pitches, CalledStrikes: 1}},
		&schemas.LastPitch{EventTime: 1_727_561_077_926})
	return s
}

// A person who bats and pitches has aggregates of both, which are not mixed up.
func TestAPitcherIsNotTheBatterOfTheSameID(t *testing.T) {
	s := newStores()
	s.put(state(1, 1))
	s.put(pitching(1, 9))
	s.put(inGame(pitching(1, 4), "g"))
	k := newAsker(t, s, nil)
	require.EqualValues(t, 1, k.get(200, opBatter, "/v1/batters/1")["pitches"])
	require.EqualValues(t, 9, k.get(200, opPitcher, "/v1/pitchers/1")["pitches"])
	require.EqualValues(t, 4, k.get(200, opPitcherGame, "/v1/pitchers/1/games/g")["pitches"])
	k.get(404, opBatterGame, "/v1/batters/1/games/g")
	k.get(404, opPitcher, "/v1/pitchers/2")

	body := k.get(200, opPitchers, "/v1/pitchers?ids=2,1")
	require.Len(t, body["pitchers"], 1)
	require.Equal(t, []any{2.0}, body["missing"])
	games := k.get(200, opPitcherGames, "/v1/pitchers/1/games")
	require.Len(t, games["games"], 1)
	k.get(404, opPitcherGames, "/v1/pitchers/2/games")
	leaders := k.get(200, opPitcherLeaders, "/v1/leaders/pitchers?stat=csw_rate_pct")["leaders"].([]any)
	require.Len(t, leaders, 1)
	require.EqualValues(t, 1, leaders[0].(map[string]any)["pitcher_id"])
	require.Len(t, k.get(200, opLeaders, "/v1/leaders?stat=pitches")["leaders"], 1)
	require.Equal(t, problemInvalid, k.get(422, opPitcherLeaders, "/v1/leaders/pitchers?stat=name")["type"])
}

func TestAPitchersPitchesArePaged(t *testing.T) {
	s := newStores()
	for i := range 3 {
		row := schemas.StoredRow{Row: schemas.Row{PitcherID: schemas.Some[int64](7)}}
		row.EventTime = schemas.TimeMS(9 - i)
		s.rows = append(s.rows, row)
	}
	k := newAsker(t, s, nil)
	first := k.get(200, opPitcherPitches, "/v1/pitchers/7/pitches?limit=2")
	require.Len(t, first["pitches"], 2)
	rest := k.get(200, opPitcherPitches, "/v1/pitchers/7/pitches?limit=2&cursor="+first["next_cursor"].(string))
	require.Len(t, rest["pitches"], 1)
	require.NotContains(t, rest, "next_cursor")
	k.get(404, opPitcherPitches, "/v1/pitchers/8/pitches")
}

func TestAPitchersStream(t *testing.T) {
	streaming(t, nil, func(t *testing.T, s *stores, k *asker) {
		s.put(pitching(1, 1))
		l := k.listen(opPitcherStream, "/v1/pitchers/1/stream")
		s.put(state(1, 8)) // the batter of the same id
		s.put(pitching(1, 2))
		pass(200 * time.Millisecond)
		_, states := l.events()
		require.Len(t, states, 2)
		require.EqualValues(t, 2, states[1]["pitches"])
		s.set(func() { clear(s.live); clear(s.store) })
		pass(200 * time.Millisecond)
		_, states = l.events()
		require.Equal(t, map[string]any{"pitcher_id": 1.0}, states[2], "his last pitch was deleted")
	})
}

// A game has its pitchers, without their types of pitches. A feed that invents players gets an answer that
// says there are more of them, and grows no further.
// guard: api: a game shows so many players, and no more
func TestAGameShowsItsPitchersWithinABound(t *testing.T) {
	s := newStores()
	s.games = []schemas.PlayedGame{{GamePK: "g", Pitches: 1, First: 1, Last: 2, UpdatedAt: 3}}
	for id := range int64(gamePlayers) {
		s.put(inGame(state(id, 1), "g"))
	}
	s.put(inGame(pitching(7, 4), "g"))
	s.put(inGame(pitching(9, 4), "other"))
	k := newAsker(t, s, nil)
	body := k.get(200, opGame, "/v1/games/g")
	require.Len(t, body["batters"], gamePlayers)
	require.Equal(t, false, body["more_batters"])
	require.Len(t, body["pitchers"], 1)
	require.EqualValues(t, 4, body["pitchers"].([]any)[0].(map[string]any)["pitches"])
	require.NotContains(t, body["pitchers"].([]any)[0], "by_pitch_type")

	for id := range int64(10_000) {
		s.put(inGame(state(1000+id, 1), "g"))
		s.put(inGame(pitching(1000+id, 1), "g"))
	}
	body = newAsker(t, s, nil).get(200, opGame, "/v1/games/g")
	require.Equal(t, true, body["more_batters"])
	require.Equal(t, true, body["more_pitchers"])
	require.Len(t, body["batters"], gamePlayers)
	require.Len(t, body["pitchers"], gamePlayers)
}

// Pages joined are the one long list of leaders, with its ranks, whether values are equal or not.
//
// guard: api: equal values have equal ranks on the next page, too
// guard: api: a cursor of leaders is of the same list
func TestLeadersArePaged(t *testing.T) {
	s := newStores()
	for id := range int64(40) {
		s.put(state(id, id/4%7))
		s.put(pitching(id, id/3%5))
	}
	k := newAsker(t, s, nil)
	for op, path := range map[string]string{
		opLeaders: "/v1/leaders?stat=swing_count", opPitcherLeaders: "/v1/leaders/pitchers?stat=pitches",
	} {
		whole := k.get(200, op, path+"&limit=100")
		require.Len(t, whole["leaders"], 40)
		require.NotContains(t, whole, "next_cursor")
		for _, limit := range []int{1, 3, 8, 39, 40} {
			require.Equal(t, whole["leaders"], any(joined(k, op, fmt.Sprintf("%s&limit=%d", path, limit), "leaders")), limit)
		}
		cursor := "&cursor=" + k.get(200, op, path+"&limit=2")["next_cursor"].(string)
		require.Len(t, k.get(200, op, path+"&limit=7"+cursor)["leaders"], 7, "another limit is fine")
		body := k.get(422, op, path+"&limit=2&game=g"+cursor)
		require.Equal(t, "cursor: it is of other parameters: begin without a cursor", body["detail"])
	}
	for _, cursor := range []string{"AxEAAAAAAAAAADIwMjU", "AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x"} {
		require.Equal(t, 422, k.ask("/v1/leaders?stat=pitches&cursor="+cursor).Code, cursor)
	}
}

// joined are the things of a list, page by page.
func joined(k *asker, op, path, list string) (all []any) {
	k.t.Helper()
	for cursor := ""; ; {
		body := k.get(200, op, path+cursor)
		all = append(all, body[list].([]any)...)
		next, more := body["next_cursor"].(string)
		if !more {
			return all
		}
		cursor = "&cursor=" + url.QueryEscape(next)
	}
}

// Other lists that may be longer than a page have a cursor: the games of a pitcher, the pitches of a game,
// and the swings of a batter.
func TestOtherListsArePaged(t *testing.T) {
	s := newStores()
	s.rows = rows(25)
	for i := range s.rows {
		s.rows[i].IsSwing = i%2 == 0
	}
	for i := range 9 {
		s.put(inGame(pitching(2, 5), fmt.Sprint("g", i)))
	}
	k := newAsker(t, s, nil)
	for path, c := range map[string]struct {
		op, list string
		n        int
	}{
		"/v1/pitchers/2/games": {opPitcherGames, "games", 9},
		"/v1/games/g/pitches":  {opGamePitch, "pitches", 25},
		"/v1/batters/1/swings": {opHisSwings, "swings", 13},
	} {
		whole := k.get(200, c.op, path+"?limit=200")
		require.Len(t, whole[c.list], c.n)
		require.NotContains(t, whole, "next_cursor")
		for _, limit := range []int{1, 4, c.n - 1, c.n} {
			pages := joined(k, c.op, fmt.Sprintf("%s?limit=%d", path, limit), c.list)
			require.Equal(t, whole[c.list], any(pages), path)
		}
		require.Equal(t, 422, k.ask(path+"?cursor=x").Code)
	}
}
