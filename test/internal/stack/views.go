package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// RedisDiffers returns the first difference between the books and what an application reads from Redis, or
// nil. A batter or game that is not in the books is a difference too.
func (s *Stack) RedisDiffers(want Books) error {
	s.T.Helper()
	r, err := redissink.OpenReader(redissink.Config{URL: "redis://" + s.Redis, Prefix: s.Name + ":"})
	if err != nil {
		return err
	}
	defer r.Close()
	for id, stats := range want.Batters {
		if err := stateDiffers(s.T.Context(), r, schemas.BatterKey{BatterID: id}, stats); err != nil {
			return fmt.Errorf("batter %d in Redis: %w", id, err)
		}
	}
	for g, stats := range want.Games {
		key := schemas.BatterKey(g)
		if err := stateDiffers(s.T.Context(), r, key, stats); err != nil {
			return fmt.Errorf("batter %d in game %s in Redis: %w", g.BatterID, g.GamePK, err)
		}
	}
	client := redis.NewClient(&redis.Options{Addr: s.Redis})
	defer client.Close()
	keys := client.Scan(s.T.Context(), 0, s.Name+":batter:*", 1000).Iterator()
	found := map[string]bool{} // a scan may return a key twice
	for keys.Next(s.T.Context()) {
		found[keys.Val()] = true
	}
	if n := len(want.Batters) + len(want.Games); keys.Err() == nil && len(found) != n {
		return fmt.Errorf("Redis has %d keys of batters and games, want %d", len(found), n)
	}
	return keys.Err()
}

// stateDiffers returns the difference between a batter's stats and those in Redis, or the error of reading
// them.
func stateDiffers(ctx context.Context, r *redissink.Reader, key schemas.BatterKey, want schemas.Stats) error {
	got, err := r.States(ctx, []schemas.BatterKey{key})
	switch {
	case err != nil:
		return err
	case got[0] == nil:
		return errors.New("missing")
	}
	if d := diff(want, got[0].Stats); d != "" {
		return errors.New("differs:\n" + d)
	}
	return nil
}

// StatsViews reads the views batter_stats and batter_game_stats of Postgres.
func StatsViews(t *testing.T, url string) (map[int64]schemas.Stats, map[schemas.BatterGame]schemas.Stats) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	batters, games := map[int64]schemas.Stats{}, map[schemas.BatterGame]schemas.Stats{}
	query := func(sql string, each func(batter int64, game string, s schemas.Stats)) {
		rows, err := conn.Query(t.Context(), sql)
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var doc []byte
			var batter int64
			var game string
			require.NoError(t, rows.Scan(&batter, &game, &doc))
			var s schemas.Stats
			require.NoError(t, json.Unmarshal(doc, &s), string(doc))
			each(batter, game, s)
		}
		require.NoError(t, rows.Err())
	}
	query(`SELECT batter_id, '', to_json(s) FROM pitchstream.batter_stats s`,
		func(batter int64, _ string, s schemas.Stats) { batters[batter] = s })
	query(`SELECT batter_id, game_pk, to_json(s) FROM pitchstream.batter_game_stats s`,
		func(batter int64, game string, s schemas.Stats) {
			games[schemas.BatterGame{BatterID: batter, GamePK: game}] = s
		})
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
