package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// A pitch takes no more space in the stores than docs/DEPLOYMENT.md says. PITCHSTREAM_SIZING_PITCHES sets how
// many pitches are measured.
func TestWhatAPitchTakes(t *testing.T) {
	pitches := 3000
	if more := os.Getenv("PITCHSTREAM_SIZING_PITCHES"); more != "" {
		var err error
		pitches, err = strconv.Atoi(more)
		require.NoError(t, err)
	}
	url, addr, prefix := testkit.Postgres(t), testkit.Redis(t), testkit.Name(t)+":"
	store, err := pgsink.Open(pgsink.Config{URL: url, Schema: "pitchstream", Group: "g", Build: "0123456789ab", CoreVersion: features.CoreVersion})
	require.NoError(t, err)
	defer store.Close()
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	s, err := simulate.New(simulate.Options{
		Seed: 9, Pitches: pitches, Games: max(1, pitches/300), FeedIDs: true,
	})
	require.NoError(t, err)
	var batch []schemas.Change
	n, raw := 0, 0
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		rec := schemas.Record{Coordinates: schemas.Coordinates{Topic: "pitches.raw", Offset: int64(n), TimestampMS: int64(m.Timestamp)}, Key: m.Key, Headers: m.Headers, Value: m.Value}
		c, rejection := features.Transform(rec, features.Limits{})
		require.Nil(t, rejection)
		batch, n, raw = append(batch, c), n+1, raw+len(m.Value)
		if len(batch) == 500 || n == pitches {
			_, err = store.Apply(t.Context(), sinktest.BatchOf(batch...))
			require.NoError(t, err)
			batch = batch[:0]
		}
	}
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	var table, indexes, games, batterGames, batters int64
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT pg_table_size('pitchstream.pitch_registers'), pg_indexes_size('pitchstream.pitch_registers'),
		pg_total_relation_size('pitchstream.batter_game_totals'), (SELECT count(*) FROM pitchstream.batter_game_totals), (SELECT count(*) FROM pitchstream.batter_totals)`).
		Scan(&table, &indexes, &games, &batterGames, &batters))

	std := &stdio{In: strings.NewReader(""), Out: &strings.Builder{}, Err: &strings.Builder{}}
	require.Zero(t, run(t.Context(), []string{"rebuild", "redis", "--postgres-url=" + url, "--redis-url=redis://" + addr, "--redis-prefix=" + prefix}, std))
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	var game, batter, gameKeys, batterKeys int64
	for it := rdb.Scan(t.Context(), 0, prefix+"batter:*", 1000).Iterator(); it.Next(t.Context()); {
		size, err := rdb.MemoryUsage(t.Context(), it.Val(), 0).Result()
		require.NoError(t, err)
		switch {
		case strings.HasSuffix(it.Val(), ":games"):
		case strings.Contains(it.Val(), ":game:"):
			game, gameKeys = game+size, gameKeys+1
		default:
			batter, batterKeys = batter+size, batterKeys+1
		}
	}
	require.Positive(t, gameKeys)
	per := func(bytes, n int64) int64 { return bytes / n }
	t.Logf("%d pitches of %d raw bytes each, %d batters, %d batter-games: Postgres %d bytes a pitch (%d table, %d indexes), %d a batter-game; Redis %d a batter, %d a batter-game",
		n, raw/n, batters, batterGames, per(table+indexes, int64(n)), per(table, int64(n)), per(indexes, int64(n)),
		per(games, batterGames), per(batter, batterKeys), per(game, gameKeys))
	require.Less(t, per(table+indexes, int64(n)), int64(1000), "bytes a pitch in Postgres")
	require.Less(t, per(games, batterGames), int64(3000), "bytes a batter-game in Postgres")
	require.Less(t, per(game, gameKeys), int64(3000), "bytes a batter-game in Redis")
}
