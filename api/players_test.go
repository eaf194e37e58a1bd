package api

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func withPlayers(t *testing.T) *asker {
	s := newStores()
	s.players = []schemas.Player{
		{ID: 608070, Name: "José Ramírez", Team: "CLE"}, {ID: 542432, Name: "Jose Ramirez", Team: "ATL"},
		{ID: 660271, Name: "Shohei Ohtani", Team: "LAD"}, {ID: 1, Name: "Bo Naylor", Team: "CLE"}, {ID: 2, Name: "nobody's"},
	}
	for _, id := range []int64{608070, 660271} {
		s.put(state(id, 1))
		s.put(inGame(state(id, 1), "7"))
	}
	return newAsker(t, s, nil)
}

func TestPlayersAreFoundAsPeopleTypeThem(t *testing.T) {
	k := withPlayers(t)
	names := func(query string) (names []string) {
		w := k.ask("/v1/players?" + query)
		require.Equal(t, 200, w.Code, w.Body)
		k.valid(opPlayers, 200, "application/json", w.Body.Bytes())
		for _, p := range decoded(t, w.Body.String())["players"].([]any) {
			names = append(names, p.(map[string]any)["name"].(string))
		}
		return names
	}
	both := []string{"Jose Ramirez", "José Ramírez"}
	require.Equal(t, both, names("q=ramirez"))
	require.Equal(t, both, names("q="+url.QueryEscape("RAMÍ jos")), "words in any order, and their beginnings")
	require.Equal(t, []string{"José Ramírez"}, names("q=ramirez&team=CLE"))
	require.Empty(t, names("q=amirez"), "the middle of a word")
	require.Empty(t, names("q=ramirez+ohtani"))
	require.Len(t, names(""), 5)
	require.Equal(t, []string{"Bo Naylor", "José Ramírez"}, names("team=CLE"))
}

// guard: api: a search does not end in silence
func TestPlayersComeInPages(t *testing.T) {
	k := withPlayers(t)
	seen, cursor := 0, ""
	for page := range 3 {
		body := decoded(t, k.ask("/v1/players?limit=2&cursor="+cursor).Body.String())
		seen += len(body["players"].([]any))
		cursor, _ = body["next_cursor"].(string)
		require.Equal(t, page == 2, cursor == "")
	}
	require.Equal(t, 5, seen)
	require.Equal(t, 410, k.ask("/v1/players?cursor=77").Code, "a player who is gone since")
	require.Equal(t, 422, k.ask("/v1/players?cursor=x").Code)
}

// guard: api: a page of teams begins behind the cursor
func TestTeamsAreThoseOfTheList(t *testing.T) {
	k := withPlayers(t)
	w := k.ask("/v1/teams")
	var pages []any
	for cursor := ""; ; {
		body := k.get(200, opTeams, "/v1/teams?limit=1&cursor="+cursor)
		pages = append(pages, body["teams"].([]any)...)
		if cursor, _ = body["next_cursor"].(string); cursor == "" {
			break
		}
		require.Less(t, len(pages), 4)
	}
	require.Equal(t, decoded(t, w.Body.String())["teams"], pages)
	for _, bad := range []string{"cursor=A", "cursor=*", "limit=0", "limit=501"} {
		k.get(422, opTeams, "/v1/teams?"+bad)
	}
	require.JSONEq(t, `{"teams":[{"team":"ATL","players":1},{"team":"CLE","players":2},{"team":"LAD","players":1}]}`, w.Body.String())
}

func TestLeadersOfAGameAndOfATeam(t *testing.T) {
	k := withPlayers(t)
	ask := func(query string) (ids []any, game any) {
		w := k.ask("/v1/leaders?stat=pitches" + query)
		require.Equal(t, 200, w.Code, w.Body)
		k.valid(opLeaders, 200, "application/json", w.Body.Bytes())
		for _, l := range decoded(t, w.Body.String())["leaders"].([]any) {
			ids, game = append(ids, l.(map[string]any)["batter_id"]), l.(map[string]any)["game_pk"]
		}
		return ids, game
	}
	ids, game := ask("&team=CLE")
	require.Equal(t, []any{608070.}, ids)
	require.Nil(t, game)
	ids, game = ask("&game=7")
	require.Len(t, ids, 2)
	require.Equal(t, "7", game)
	require.Equal(t, 404, k.ask("/v1/leaders?stat=pitches&team=NYY").Code)
	for _, date := range []string{"2025-02-30", "2025", "0"} {
		require.Equal(t, 422, k.ask("/v1/leaders?stat=pitches&date="+date).Code, date)
	}
}
