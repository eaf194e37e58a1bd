package pgread

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

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
