package pgread

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// However short the lists are, Postgres plans a read by key a few times and no more.
//
// guard: pgread: rows by key are not planned anew
func TestReadsByKeyAreNotPlannedAnew(t *testing.T) {
	r, _, rows := splitWorld(t)
	_, err := r.db.Pool.Exec(t.Context(), `ANALYZE`)
	require.NoError(t, err)
	for i := range int64(30) {
		key := schemas.PlayerKey{PlayerID: 9_000_000 + i}
		found, err := r.States(t.Context(), []schemas.PlayerKey{key, {PlayerID: 600_001}})
		require.NoError(t, err)
		require.Nil(t, found[0])
		require.EqualValues(t, 600_001, found[1].PlayerID)
		pitches, err := r.Pitches(t.Context(), []schemas.PitchID{{1, byte(i)}, rows[i].PitchID, rows[0].PitchID})
		require.NoError(t, err)
		require.Nil(t, pitches[0])
		require.Equal(t, rows[i].PitchID, pitches[1].Row.PitchID)
		require.Equal(t, rows[0].PitchID, pitches[2].Row.PitchID)
	}
	var generic, custom int64
	for _, c := range r.db.Pool.AcquireAllIdle(t.Context()) {
		var g, n int64
		err := c.QueryRow(t.Context(), `SELECT coalesce(sum(generic_plans), 0), coalesce(sum(custom_plans), 0)
			FROM pg_prepared_statements WHERE statement LIKE '%ANY($1%' AND statement NOT LIKE '%pg_prepared%'`).Scan(&g, &n)
		c.Release()
		require.NoError(t, err)
		generic, custom = generic+g, custom+n
	}
	require.EqualValues(t, 60, generic)
	require.Zero(t, custom)
}

// Pages of leaders joined are the one long list: over all games, of a game, of a date and of some players.
// Some have equal values, and on a date each leads with the better of his games. So are pages of other lists.
//
// guard: api: a page of leaders begins behind the cursor
// guard: api: a page of games begins behind the cursor
func TestPagesJoinedAreTheWholeList(t *testing.T) {
	r, _, _ := splitWorld(t)
	ties := 0
	type states = []schemas.PlayerState
	for _, side := range schemas.Sides {
		for _, stat := range []string{"pitches", "whiff_rate_pct", "chase_rate_pct"} {
			for _, f := range []schemas.LeaderFilter{
				{}, {GamePK: "716404"}, {Date: dateOfTimes},
				{Players: []int64{1, 600_000, 600_002}}, {AtLeast: 2, Date: dateOfTimes},
			} {
				f.Side, f.Stat = side, stat
				whole, err := r.Leaders(t.Context(), f, 1000)
				require.NoError(t, err)
				require.NotEmpty(t, whole)
				for i := range whole[1:] {
					if valueOf(t, &whole[i], stat) == valueOf(t, &whole[i+1], stat) {
						ties++
					}
				}
				for _, limit := range []int{1, 2, 5} {
					next := func(ctx context.Context, last *schemas.PlayerState) (states, error) {
						q := f
						if last != nil {
							q.After = &schemas.LeaderCursor{Value: valueOf(t, last, stat), PlayerID: last.PlayerID}
						}
						return r.Leaders(ctx, q, limit)
					}
					require.Equal(t, whole, paged(t, limit, next))
				}
			}
		}
	}
	require.Positive(t, ties)

	for _, side := range schemas.Sides {
		key := schemas.PlayerKey{Side: side, PlayerID: 600_001}
		games, err := r.PlayerGames(t.Context(), key, nil, 1000)
		require.NoError(t, err)
		require.Greater(t, len(games), 9)
		require.Equal(t, games, paged(t, 4, func(ctx context.Context, last *schemas.PlayerState) (states, error) {
			var after *schemas.SplitCursor
			if last != nil {
				after = &schemas.SplitCursor{Newest: last.LastPitch().EventTime, Key: schemas.Text(last.GamePK)}
			}
			return r.PlayerGames(ctx, key, after, 4)
		}))
	}
	type rows = []schemas.StoredRow
	for name, read := range map[string]func(context.Context, *schemas.PitchCursor, int) (rows, error){
		"a game": func(ctx context.Context, after *schemas.PitchCursor, limit int) (rows, error) {
			return r.GamePitches(ctx, "716404", after, limit)
		},
		"swings": func(ctx context.Context, after *schemas.PitchCursor, limit int) (rows, error) {
			return r.BatterSwings(ctx, 600_001, after, limit)
		},
	} {
		whole, err := read(t.Context(), nil, 1000)
		require.NoError(t, err)
		require.Greater(t, len(whole), 40, name)
		require.Equal(t, whole, paged(t, 17, func(ctx context.Context, last *schemas.StoredRow) (rows, error) {
			if last == nil {
				return read(ctx, nil, 17)
			}
			return read(ctx, &schemas.PitchCursor{EventTime: last.EventTime, PitchID: last.PitchID}, 17)
		}), name)
	}
}

// All games are listed, each once, by their newest pitch, whatever the size of the pages: also games whose
// pitches stand between those of others. So are the games of a date.
//
// guard: api: games behind many pitches of another one are found
// guard: api: a page of all games begins behind the cursor
func TestPagesOfGames(t *testing.T) {
	r, store, rows := splitWorld(t)
	// Behind the other games are a thousand pitches of one of them, more than are looked at for a page of one,
	// and behind these are games again.
	early := sinktest.NewGenerator(12, 1000).Changes(1000)
	for i := range early {
		early[i].PitchID[0] ^= 0xFF // of no other pitch
		game, ago := schemas.Text("716404"), 30*time.Minute
		if i%50 == 0 {
			game, ago = schemas.Text(fmt.Sprint("early", i%3)), time.Hour
		}
		early[i].EventTime -= schemas.TimeMS(ago.Milliseconds())
		if early[i].Row != nil {
			early[i].Row.GamePK = game
		}
	}
	_, err := store.Apply(t.Context(), sinktest.BatchOf(early...))
	require.NoError(t, err)
	rows = append(rows, reference.Resolve(early)...)
	newest := map[string]schemas.TimeMS{}
	for i := range rows {
		if pk := string(rows[i].GamePK); pk != "" {
			newest[pk] = max(newest[pk], rows[i].EventTime)
		}
	}
	all, err := r.Games(t.Context(), schemas.GameQuery{Limit: 1000})
	require.NoError(t, err)
	require.Greater(t, len(all), 20)
	require.Contains(t, newest, "early0")
	require.Len(t, all, len(newest))
	of := map[schemas.Text][]schemas.PlayedGame{}
	for i := range all {
		require.Equal(t, newest[all[i].GamePK], all[i].Last)
		if i > 0 {
			was := all[i-1]
			require.True(t, was.Last > all[i].Last || was.Last == all[i].Last && was.GamePK > all[i].GamePK)
		}
		of[all[i].GameDate] = append(of[all[i].GameDate], all[i])
	}
	require.Greater(t, len(of), 3)
	read := func(date schemas.Text, limit int) []schemas.PlayedGame {
		next := func(ctx context.Context, last *schemas.PlayedGame) ([]schemas.PlayedGame, error) {
			q := schemas.GameQuery{Date: date, Limit: limit}
			if last != nil {
				q.After = new(last.Place())
			}
			return r.Games(ctx, q)
		}
		return paged(t, limit, next)
	}
	for _, limit := range []int{1, 2, 7} {
		require.Equal(t, all, read("", limit))
	}
	require.Greater(t, len(of[dateOfTimes]), 3)
	require.Equal(t, of[dateOfTimes], read(dateOfTimes, 1))
	require.Empty(t, read("1999-01-01", 5))
}

// paged reads a list page by page. read returns what comes behind last; nil: the first page.
func paged[T any](t *testing.T, limit int, read func(ctx context.Context, last *T) ([]T, error)) (all []T) {
	t.Helper()
	for {
		var last *T
		if len(all) > 0 {
			last = &all[len(all)-1]
		}
		page, err := read(t.Context(), last)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), limit)
		if all = append(all, page...); len(page) < limit {
			return all
		}
	}
}

func valueOf(t *testing.T, s *schemas.PlayerState, stat string) float64 {
	t.Helper()
	for i, c := range s.Side.Columns() {
		if c.Name == stat {
			switch v := s.Fields()[i].(type) {
			case *int64:
				return float64(*v)
			case *schemas.Opt[float64]:
				return v.Value
			}
		}
	}
	t.Fatalf("there is no %s", stat)
	return 0
}
