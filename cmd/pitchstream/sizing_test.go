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
	var table, indexes int64
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT pg_table_size('pitchstream.pitch_registers'), pg_indexes_size('pitchstream.pitch_registers')`).
		Scan(&table, &indexes))

	std := &stdio{In: strings.NewReader(""), Out: &strings.Builder{}, Err: &strings.Builder{}}
	require.Zero(t, run(t.Context(), []string{"rebuild", "redis", "--postgres-url=" + url, "--redis-url=redis://" + addr, "--redis-prefix=" + prefix}, std))
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	t.Logf("%d pitches of %d raw bytes each: Postgres %d bytes a pitch (%d table, %d indexes)", n, raw/n,
		(table+indexes)/int64(n), table/int64(n), indexes/int64(n))
	require.Less(t, (table+indexes)/int64(n), int64(1000), "bytes a pitch in Postgres")
	for _, side := range schemas.Sides {
		inPostgres, inRedis := sizeOfSide(t, side, conn, rdb, prefix)
		require.Less(t, inPostgres, int64(3000), "bytes a %v-game in Postgres", side)
		require.Less(t, inRedis, map[schemas.Side]int64{schemas.Batter: 4000, schemas.Pitcher: 6000}[side], "bytes a %v-game in Redis", side)
	}
}

// sizeOfSide logs what the players of a side take, and returns how many bytes one of them in a game does.
func sizeOfSide(
	t *testing.T, side schemas.Side, conn *pgx.Conn, rdb *redis.Client, prefix string,
) (gameInPostgres, gameInRedis int64) {
	t.Helper()
	var games, playerGames, players int64
	require.NoError(t, conn.QueryRow(t.Context(), strings.ReplaceAll(`SELECT pg_total_relation_size('pitchstream.{side}_game_totals'),
		(SELECT count(*) FROM pitchstream.{side}_game_totals), (SELECT count(*) FROM pitchstream.{side}_totals)`, "{side}", side.String())).
		Scan(&games, &playerGames, &players))
	var game, player, gameKeys, playerKeys int64
	for it := rdb.Scan(t.Context(), 0, prefix+side.String()+":*", 1000).Iterator(); it.Next(t.Context()); {
		size, err := rdb.MemoryUsage(t.Context(), it.Val(), 0).Result()
		require.NoError(t, err)
		if strings.Contains(it.Val(), ":game:") {
			game, gameKeys = game+size, gameKeys+1
		} else {
			player, playerKeys = player+size, playerKeys+1
		}
	}
	require.Positive(t, gameKeys)
	t.Logf("%d %vs, %d %v-games: Postgres %d bytes a %v-game; Redis %d a %v, %d a %v-game", players, side,
		playerGames, side, games/playerGames, side, player/playerKeys, side, game/gameKeys, side)
	return games / playerGames, game / gameKeys
}
