package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// Pitches have dates of four days, among them none; the file says which day their games were on.
// guard: games: one that was called off is not missing
// guard: games: older facts change nothing
// guard: games: times that an older build left do not count
// guard: games: what a file says of a game counts
// guard: games: pitches without a date are of their game's day
func TestFactsOfGamesStandApartFromTheirPitches(t *testing.T) {
	l := newLake(t)
	url := "--postgres-url=" + l.url
	reader, err := pgread.Reach(t.Context(), pgread.Config{URL: l.url, Schema: "pitchstream", Group: "g"})
	require.NoError(t, err)
	t.Cleanup(reader.Close)
	played, err := reader.Games(t.Context(), schemas.GameQuery{Limit: 100})
	require.NoError(t, err)
	require.NotEmpty(t, played)
	pk := played[0].GamePK

	dir := writeFiles(t, map[string]string{"schedule.csv": "game_pk,game_date,venue,home_team,away_team,starts_at\n" +
		pk + ",2024-07-04,Fenway Park,Boston Red Sox,Tampa Bay Rays,2024-07-04T20:10:00Z\n" +
		"999,2024-07-05,,,,\n998,2999-07-05,,,,\n"})
	schedule := filepath.Join(dir, "schedule.csv")
	load := func(file string) (r struct{ Games, Changed, Older int64 }) {
		t.Helper()
		status, out, errs := runCLI(t, "games", "load", file, "--json", url)
		require.Equal(t, exitOK, status, errs)
		require.NoError(t, json.Unmarshal([]byte(out), &r))
		return r
	}
	r := load(schedule)
	require.Equal(t, []int64{3, 3, 0}, []int64{r.Games, r.Changed, r.Older})
	require.Zero(t, load(schedule).Changed, "the same again")

	game, err := reader.Game(t.Context(), pk, 1, 1)
	require.NoError(t, err)
	require.EqualValues(t, "2024-07-04", game.Game.GameDate)
	require.EqualValues(t, "Fenway Park", game.Game.Venue)
	require.EqualValues(t, "Boston Red Sox", game.Game.HomeTeam)
	require.Equal(t, schemas.Some[schemas.TimeMS](1720123800000), game.Game.StartsAt)
	again, err := reader.Games(t.Context(), schemas.GameQuery{Limit: 100})
	require.NoError(t, err)
	require.Contains(t, again, game.Game)
	rows, err := pgbooks.NewQuality(l.store.DB()).Rows(t.Context(), pgbooks.QualityUnit{Game: pk})
	require.NoError(t, err)
	days := map[string]bool{}
	for _, row := range rows {
		days[string(row.GameDate)] = true
	}
	require.Contains(t, days, "2024-07-04")
	require.NotContains(t, days, "")

	feed := func(at, venue string) string {
		path := filepath.Join(dir, at)
		text := `{"gamePk":` + pk + `,"metaData":{"timeStamp":"` + at + `"},"gameData":{"venue":{"name":"` + venue + `"}}}`
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	r = load(feed("20240704_230000", "Old Park"))
	require.Equal(t, []int64{1, 0, 1}, []int64{r.Games, r.Changed, r.Older}, "the schedule was loaded later")
	r = load(feed("29990704_230000", "New Park"))
	require.Equal(t, []int64{1, 1, 0}, []int64{r.Games, r.Changed, r.Older})
	game, err = reader.Game(t.Context(), pk, 1, 1)
	require.NoError(t, err)
	require.EqualValues(t, "New Park", game.Game.Venue)
	require.EqualValues(t, "2024-07-04", game.Game.GameDate, "what the feed lacks stays")
	require.Zero(t, load(schedule).Changed, "older than the feed, or the same")

	whole := func(pk, at, venue, home string) string {
		path := filepath.Join(dir, "whole"+pk+at)
		text := `{"gamePk":` + pk + `,"metaData":{"timeStamp":"` + at + `"},"gameData":{"venue":{"name":"` + venue + `"},"teams":{"home":{"name":"` + home + `"}}}}`
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	load(whole("997", "20240704_230000", "", "The Newest"))
	load(whole("997", "20240704_210000", "An Old Park", "An Old Team"))
	load(whole("997", "20240704_220000", "A Newer Park", ""))
	r = load(whole("997", "20240704_200000", "The Oldest Park", "The Oldest Team"))
	require.Equal(t, []int64{1, 0, 1}, []int64{r.Games, r.Changed, r.Older})
	conn, err := pgx.Connect(t.Context(), l.url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var venue, home string
	facts := func(pk string) []string {
		t.Helper()
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT venue, home_team FROM pitchstream.games WHERE game_pk = $1`, pk).Scan(&venue, &home))
		return []string{venue, home}
	}
	require.Equal(t, []string{"A Newer Park", "The Newest"}, facts("997"), "each fact is the newest one of a file")

	first, err := os.ReadFile(whole("996", "20240704_010000", "Of One", "One"))
	require.NoError(t, err)
	third, err := os.ReadFile(whole("996", "20240704_030000", "", "Three"))
	require.NoError(t, err)
	both := filepath.Join(dir, "both")
	require.NoError(t, os.WriteFile(both, append(first, third...), 0o600))
	load(both)
	load(whole("996", "20240704_020000", "Of Two", "Two"))
	require.Equal(t, []string{"Of Two", "Three"}, facts("996"), "a fact in a file has the time of its own feed")
	// A build from before migration 0034 takes a newer file so: it leaves the times of facts.
	_, err = conn.Exec(t.Context(), `UPDATE pitchstream.games SET venue = 'Of Nine', as_of = '2024-07-04T09:00:00Z' WHERE game_pk = '996'`)
	require.NoError(t, err)
	load(whole("996", "20240704_050000", "Of Five", "Five"))
	require.Equal(t, []string{"Of Nine", "Three"}, facts("996"))

	status, out, errs := runCLI(t, "games", "missing", url)
	require.Equal(t, exitFailed, status, errs)
	require.Equal(t, []string{"2024-07-05  999  – at –  –", "1 game of the schedule without a pitch"}, strings.Split(strings.TrimSpace(out), "\n"))
	status, out, _ = runCLI(t, "games", "missing", "--to=2024-07-04", "--json", url)
	require.Equal(t, exitOK, status)
	require.Equal(t, "[]", strings.TrimSpace(out))
	_, out, _ = runCLI(t, "games", "missing", "--from=2999-01-01", "--to=2999-12-31", "--json", url)
	require.Contains(t, out, `"998"`)
	off := writeFiles(t, map[string]string{"off.csv": "game_pk,status\n999,Postponed\n"})
	require.EqualValues(t, 1, load(filepath.Join(off, "off.csv")).Changed)
	status, out, _ = runCLI(t, "games", "missing", "--json", url)
	require.Equal(t, exitOK, status, "it was called off: %s", out)
	due := map[string]bool{}
	all, err := pgbooks.NewGames(l.store.DB()).Schedule(t.Context(), "", "", false)
	require.NoError(t, err)
	for _, g := range all {
		due[string(g.GamePK)] = g.IsDue
	}
	require.Equal(t, map[string]bool{pk: true, "998": false, "999": false}, due)
	var date string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT game_date::text, home_team FROM pitchstream.dim_game WHERE game_pk = $1`, pk).
		Scan(&date, &home))
	require.Equal(t, []string{"2024-07-04", "Boston Red Sox"}, []string{date, home})
}

// A target that was not migrated keeps the facts neither from live nor from the targets after it.
func TestATargetThatWasNotMigratedGetsItsFactsLater(t *testing.T) {
	l := newLake(t)
	live := pgsink.Config{URL: l.url, Schema: "pitchstream"}
	targets, err := pgadmin.OpenTargets(live, "pitchstream_serving")
	require.NoError(t, err)
	defer targets.Close()
	require.NoError(t, targets.Ensure(t.Context()))
	conn, err := pgx.Connect(t.Context(), l.url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for _, name := range []string{"a", "b"} {
		cfg := live
		cfg.Schema = "target_" + name
		store, err := pgsink.Open(cfg)
		require.NoError(t, err)
		_, err = pgadmin.New(store.DB()).Migrate(t.Context())
		store.Close()
		require.NoError(t, err)
		require.NoError(t, targets.Register(t.Context(), schemas.Target{Name: name, Schema: cfg.Schema}))
	}
	_, err = conn.Exec(t.Context(), `DELETE FROM target_a.schema_migrations WHERE version = 34`)
	require.NoError(t, err)
	file := filepath.Join(writeFiles(t, map[string]string{"x.csv": "game_pk,venue\n1,Fenway Park\n"}), "x.csv")
	status, _, errs := runCLI(t, "games", "load", file, "--postgres-url="+l.url)
	require.Equal(t, exitFailed, status)
	require.Contains(t, errs, "live has the facts, but not target a")
	require.Contains(t, errs, "--postgres-schema=target_a, and load again")
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM pitchstream.games) +
		(SELECT count(*) FROM target_b.games) - (SELECT count(*) FROM target_a.games)`).Scan(&n))
	require.Equal(t, 2, n)
}
