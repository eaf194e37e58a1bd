package api

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// A query that the document does not allow is refused, with what is wrong with it, and never half read.
func TestWrongQueries(t *testing.T) {
	s := newStores()
	s.put(state(1, 1))
	k := newAsker(t, s, nil)
	for _, c := range []struct{ op, path, at, why string }{
		{opGames, "/v1/games?limit=5&limit=5", "query.limit", "given more than once"},
		{opGames, "/v1/games?limit=&limit=x", "query.limit", "given more than once"},
		{opGames, "/v1/games?limit=", "query.limit", "has no value: give one, or leave the parameter out"},
		{opGames, "/v1/games?limit", "query.limit", "has no value: give one, or leave the parameter out"},
		{opGames, "/v1/games?limit=%2B5", "query.limit", "expected integer"},
		{opGames, "/v1/games?live=", "query.live", "has no value: give one, or leave the parameter out"},
		{opGames, "/v1/games?live=T", "query.live", "expected boolean"},
		{opGames, "/v1/games?limit=5;live=true", "query", "cannot be read: invalid semicolon separator in query"},
		{opGames, "/v1/games?limit=%zz", "query", `cannot be read: invalid URL escape "%zz"`},
		{opBatters, "/v1/batters?ids=1&ids=2", "query.ids", "given more than once: several values go into one, with commas"},
		{opBatters, "/v1/batters?ids=1,", "query.ids", "expected array"},
		{opBatters, "/v1/batters?ids=1,%2B2", "query.ids", "expected array"},
		{opBatter, "/v1/batters/1?at_least=0:1&at_least=0:2", "query.at_least", "given more than once"},
		{opLeaders, "/v1/leaders?stat=", "query.stat", "has no value: give one, or leave the parameter out"},
		{opQuality, "/v1/quality?day=", "query.day", "has no value: give one, or leave the parameter out"},
	} {
		problem := k.get(422, c.op, c.path)
		require.Equal(t, problemInvalid, problem["type"], c.path)
		first := problem["errors"].([]any)[0].(map[string]any)
		require.Equal(t, c.at, first["location"], c.path)
		require.Equal(t, c.why, first["message"], c.path)
	}
	twoFaults := k.get(422, opGames, "/v1/games?limit=&live=")
	require.Len(t, twoFaults["errors"], 2)
}

func TestQueriesThatAreAllowed(t *testing.T) {
	s := newStores()
	s.put(state(1, 1))
	s.put(state(2, 1))
	k := newAsker(t, s, nil)
	require.Len(t, k.get(200, opBatters, "/v1/batters?ids=1,2")["batters"], 2)
	require.Len(t, k.get(200, opBatters, "/v1/batters?ids="+url.QueryEscape("1,2"))["batters"], 2)
	for op, path := range map[string]string{
		opBatter: "/v1/batters/1?at_least=", opGames: "/v1/games?limit=5&live=true", opLeaders: "/v1/leaders?stat=pitches&min_swings=0",
	} {
		k.get(200, op, path)
	}
}
