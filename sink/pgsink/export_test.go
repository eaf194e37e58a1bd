package pgsink

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// thrown is a pitch of a batter for a team on a date; "" of a date: none.
func thrown(n byte, batter, pitcher, team int64, date schemas.Text) schemas.Change {
	at := schemas.TimeMSOf(time.Date(2024, 9, 1, 12, 0, int(n), 0, time.UTC))
	id := schemas.PitchID{n}
	row := schemas.Row{PitchID: id, GamePK: "game " + date, GameDate: date, BatterID: schemas.Some(batter), PitcherID: schemas.Some(pitcher), Issues: []string{}}
	if team != 0 {
		row.TeamID = schemas.Some(team)
	}
	return schemas.Change{PitchID: id, EventTime: at, Row: &row,
		Version: schemas.Version{TimestampMS: int64(at), Offset: int64(n)}, Origin: schemas.Coordinates{Topic: "t", Offset: int64(n), TimestampMS: int64(at)}}
}

// Rows written after the snapshot are not in the export. An error of the caller ends the rows.
// guard: postgres: a snapshot is of one moment
func TestExportIsOfOneMoment(t *testing.T) {
	s := open(t)
	put := func(c ...schemas.Change) {
		t.Helper()
		_, err := s.Apply(t.Context(), sinktest.BatchOf(c...))
		require.NoError(t, err)
	}
	put(thrown(1, 1, 9, 5, "2024-09-01"), thrown(2, 1, 9, 5, "2024-09-02"), thrown(3, 1, 9, 5, ""))
	e, err := pgadmin.OpenExport(t.Context(), Config{
		URL: s.cfg.URL, Schema: s.cfg.Schema, CoreVersion: features.CoreVersion,
	})
	require.NoError(t, err)
	defer e.Close()
	days, err := e.Days(t.Context(), "", "")
	require.NoError(t, err)
	want := []pgadmin.Day{{Date: "2024-09-01", Pitches: 1}, {Date: "2024-09-02", Pitches: 1}, {Pitches: 1}}
	require.Equal(t, want, days)
	put(thrown(4, 1, 9, 5, "2024-09-01"))
	var got []schemas.Text
	require.NoError(t, e.Rows(t.Context(), days, func(r *schemas.StoredRow) error {
		got = append(got, r.GameDate)
		return nil
	}))
	require.Equal(t, []schemas.Text{"2024-09-01", "2024-09-02", ""}, got)
	days, err = e.Days(t.Context(), "2024-09-02", "2024-09-02")
	require.NoError(t, err)
	require.Equal(t, want[1:], days)
	enough := errors.New("enough")
	require.ErrorIs(t, e.Rows(t.Context(), want, func(*schemas.StoredRow) error { return enough }), enough)
}

// version is a line of dim_player.
type version struct {
	ID       int64
	Version  int32
	Team     *int64
	From     string
	To       *string
	Current  bool
	Batted   int64
	Pitched  int64
	TeamName *string
}

// A player's team as of a date: a version for each change, no gap and no overlap between them.
// guard: warehouse: of two teams on a day the later one counts
func TestPlayersAsOfADate(t *testing.T) {
	s := open(t)
	_, err := s.Apply(t.Context(), sinktest.BatchOf(
		thrown(1, 1, 9, 5, "2024-04-01"), thrown(2, 1, 9, 5, "2024-04-02"), thrown(3, 1, 9, 0, "2024-04-03"), // no team is named
		thrown(4, 1, 9, 6, "2024-07-30"), thrown(5, 1, 9, 6, "2024-08-01"),
		thrown(6, 1, 9, 6, "2024-09-01"), thrown(7, 1, 9, 5, "2024-09-01"), // two on one day: the later one
		thrown(8, 2, 9, 0, ""),
	))
	require.NoError(t, err)
	_, err = pgbooks.NewPlayers(s.DB()).Set(t.Context(), []schemas.Player{{ID: 1, Name: "One", Team: "LAD"}, {ID: 3, Name: "Three"}})
	require.NoError(t, err)
	rows, err := raw(t, s).Query(t.Context(), `SELECT player_id, version, team_id, valid_from::text, valid_to::text, is_current, pitches_batted, pitches_pitched, team
		FROM dim_player ORDER BY player_id, version`)
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[version])
	require.NoError(t, err)
	five, six, lad := int64(5), int64(6), "LAD"
	july, september := "2024-07-30", "2024-09-01"
	require.Equal(t, []version{
		{1, 1, &five, "1800-01-01", &july, false, 7, 0, nil},
		{1, 2, &six, july, &september, false, 7, 0, nil},
		{1, 3, &five, september, nil, true, 7, 0, &lad},
		{2, 1, nil, "1800-01-01", nil, true, 1, 0, nil},
		{3, 1, nil, "1800-01-01", nil, true, 0, 0, nil},
		{9, 1, nil, "1800-01-01", nil, true, 0, 8, nil},
	}, got)

	var joined, keys, all int64
	require.NoError(t, raw(t, s).QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM pitches p JOIN dim_player d ON d.player_id = p.batter_id AND p.game_date >= d.valid_from AND (d.valid_to IS NULL OR p.game_date < d.valid_to)),
		       (SELECT count(DISTINCT player_key) FROM dim_player), (SELECT count(*) FROM dim_player)`).Scan(&joined, &keys, &all))
	require.EqualValues(t, 7, joined, "each dated pitch meets one version")
	require.Equal(t, all, keys)
}

// Each pitch joins one line of each dimension, and the dimensions count the current rows.
func TestDimensionsCountCurrentRows(t *testing.T) {
	s := open(t)
	typed := thrown(1, 1, 9, 5, "2024-04-01")
	typed.Row.PitchType = "Sinker"
	_, err := s.Apply(t.Context(), sinktest.BatchOf(typed, thrown(2, 2, 9, 6, "2024-04-01"), thrown(3, 1, 9, 5, "2024-04-02")))
	require.NoError(t, err)
	var games, pitches, types, typed2 int64
	var teams []int64
	require.NoError(t, raw(t, s).QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM dim_game), (SELECT sum(g.pitches) FROM dim_game g), (SELECT count(*) FROM dim_pitch_type),
		       (SELECT count(*) FROM pitches p JOIN dim_pitch_type d ON d.pitch_type = coalesce(p.pitch_type, 'unknown')),
		       (SELECT team_ids FROM dim_game WHERE game_date = '2024-04-01')`).Scan(&games, &pitches, &types, &typed2, &teams))
	require.Equal(t, []int64{2, 3, 2, 3}, []int64{games, pitches, types, typed2})
	require.Equal(t, []int64{5, 6}, teams)
	var family string
	require.NoError(t, raw(t, s).QueryRow(t.Context(), `SELECT family FROM dim_pitch_type WHERE pitch_type = 'Sinker'`).Scan(&family))
	require.Equal(t, "fastball", family)
}

// guard: warehouse: a game is what most of its pitches say
func TestAGameIsWhatMostOfItsPitchesSay(t *testing.T) {
	s := open(t)
	var changes []schemas.Change
	for i := range 9 {
		c := thrown(byte(i+1), int64(i+1), 99, int64(5+i%2), "2024-04-01")
		c.Row.GamePK, c.Row.Venue = "g", "A Park"
		if i == 8 { // one record with another game's headers, all of them greater
			c.Row.Venue, c.Row.GameDate, c.Row.TeamID = "Zoo Field", "2024-10-30", schemas.Some[int64](3)
		}
		changes = append(changes, c)
	}
	_, err := s.Apply(t.Context(), sinktest.BatchOf(changes...))
	require.NoError(t, err)
	var venue, date string
	var teams []int64
	require.NoError(t, raw(t, s).QueryRow(t.Context(), `SELECT venue, game_date::text, team_ids FROM dim_game WHERE game_pk = 'g'`).Scan(&venue, &date, &teams))
	require.Equal(t, []any{"A Park", "2024-04-01", []int64{5, 6}}, []any{venue, date, teams})
	read, err := pgread.Open(s.DB().Config)
	require.NoError(t, err)
	t.Cleanup(read.Close)
	whole, err := read.Game(t.Context(), "g", 1, 1)
	require.NoError(t, err)
	game := &whole.Game
	games, err := read.Games(t.Context(), schemas.GameQuery{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, *game, games[0])
	require.Equal(t, []any{schemas.Text("A Park"), schemas.Text("2024-04-01")}, []any{game.Venue, game.GameDate})
	require.Equal(t, game.Last, game.StreamLast)
}

// A batter changes between the statement that counts the pitches and the one that reads the batters.
//
// guard: postgres: a snapshot is of one moment
func TestAGameIsReadAsOfOneMoment(t *testing.T) {
	s := open(t)
	c := thrown(1, 1, 9, 5, "2024-04-01")
	c.Row.GamePK = "g"
	_, err := s.Apply(t.Context(), sinktest.BatchOf(c))
	require.NoError(t, err)
	read, err := pgread.Open(s.DB().Config)
	require.NoError(t, err)
	t.Cleanup(read.Close)
	before, err := read.Game(t.Context(), "g", 9, 9) // which also prepares the statements
	require.NoError(t, err)
	require.Len(t, before.Batters, 1)

	tx, err := raw(t, s).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE batter_game_totals IN ACCESS EXCLUSIVE MODE`)
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `UPDATE batter_game_totals SET pitches = pitches + 1`)
	require.NoError(t, err)
	commit := func() { require.NoError(t, tx.Commit(t.Context())) }
	var meanwhile *schemas.WholeGame
	waits(t, s, "relation", commit, func() (err error) {
		meanwhile, err = read.Game(t.Context(), "g", 9, 9)
		return err
	})
	require.Equal(t, before, meanwhile)
	after, err := read.Game(t.Context(), "g", 9, 9)
	require.NoError(t, err)
	require.NotEqual(t, before, after)
}

func TestTheDimensionsHaveTheColumnsOfTheDictionary(t *testing.T) {
	s := open(t)
	long := map[string]string{"float8": "double precision", "int": "integer", "timestamptz": "timestamp with time zone"}
	for view, columns := range map[string][]schemas.Column{
		"dim_player": schemas.DimPlayerColumns, "dim_game": schemas.DimGameColumns, "dim_pitch_type": schemas.DimPitchTypeColumns,
	} {
		rows, err := raw(t, s).Query(t.Context(), `SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ': ' || col_description(a.attrelid, a.attnum)
			FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attnum > 0 ORDER BY a.attnum`, view)
		require.NoError(t, err)
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		var want []string
		for _, c := range columns {
			kind := c.SQL
			if long[kind] != "" {
				kind = long[kind]
			}
			want = append(want, c.Name+" "+kind+": "+c.Comment())
		}
		require.Equal(t, want, got, view)
	}
}
