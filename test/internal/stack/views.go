package stack

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// StatsViews reads the views batter_stats and batter_game_stats of Postgres.
func StatsViews(t *testing.T, url string) (map[int64]schemas.Stats, map[schemas.BatterGame]schemas.Stats) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	batters, games := map[int64]schemas.Stats{}, map[schemas.BatterGame]schemas.Stats{}
	rows, err := conn.Query(t.Context(), `
		SELECT batter_id, '', to_json(s) FROM pitchstream.batter_stats s
		UNION ALL
		SELECT batter_id, game_pk, to_json(s) FROM pitchstream.batter_game_stats s`)
	require.NoError(t, err)
	var of schemas.BatterGame
	var doc []byte
	_, err = pgx.ForEachRow(rows, []any{&of.BatterID, &of.GamePK, &doc}, func() error {
		var s schemas.Stats
		err := json.Unmarshal(doc, &s)
		if of.GamePK == "" {
			batters[of.BatterID] = s
		} else {
			games[of] = s
		}
		return err
	})
	require.NoError(t, err)
	return batters, games
}

// SameRows compares rows that are ordered by id. It ignores which build wrote them and when.
func SameRows(t *testing.T, what string, want, got []schemas.StoredRow) {
	t.Helper()
	for i := range min(len(want), len(got)) { // one by one: there may be many
		Same(t, what, withoutWriter(want[i]), withoutWriter(got[i]))
	}
	require.Len(t, got, len(want), what)
}

func withoutWriter(r schemas.StoredRow) schemas.StoredRow {
	r.CoreVersion, r.Build, r.ProcessedAt = 0, "", 0
	return r
}

// Same compares exactly, except for floating-point numbers: within a relative 1e-9, because an average may
// sum its values in any order.
func Same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := diff(want, got); d != "" {
		t.Fatalf("%s differ (-want +got):\n%s", what, d)
	}
}

func diff[T any](want, got T) string {
	options := cmp.Options{cmpopts.EquateApprox(1e-9, 1e-9), cmpopts.EquateEmpty()}
	if cmp.Equal(want, got, options) {
		return ""
	}
	d := cmp.Diff(want, got, options)
	if len(d) > 4000 {
		d = d[:4000] + "…"
	}
	return d
}
