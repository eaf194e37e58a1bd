package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/internal/testkit/vectors"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// Every stream of the specification through real Postgres and Redis: forwards, shuffled across partitions,
// and every record twice. The test checks what others read: the view pitches, the views of aggregates, the
// hashes in Redis.
func TestVectorsStreamsOnRealServers(t *testing.T) {
	for _, s := range vectors.Streams(t) {
		rnd := rand.New(rand.NewPCG(2, 2))
		shuffled := append([]schemas.Record(nil), s.Records...)
		rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		twice := append(append([]schemas.Record(nil), shuffled...), s.Records...)
		for order, records := range map[string][]schemas.Record{"forwards": s.Records, "shuffled": shuffled, "twice": twice} {
			t.Run(fmt.Sprint(s.Name, " ", order), func(t *testing.T) { stored(t, s, rnd, records) })
		}
	}
}

func stored(t *testing.T, s vectors.Stream, rnd *rand.Rand, records []schemas.Record) {
	ctx := t.Context()
	pg, rds, prefix := testkit.Postgres(t), testkit.Redis(t), testkit.Name(t)+":"
	store, err := pgsink.Open(pgsink.Config{URL: pg, Schema: "pitchstream", Group: "vectors", Build: "test", CoreVersion: features.CoreVersion})
	require.NoError(t, err)
	defer store.Close()
	_, err = pgadmin.New(store.DB()).Migrate(ctx)
	require.NoError(t, err)
	at := redissink.Config{URL: "redis://" + rds, Prefix: prefix}
	view, err := redissink.Open(ctx, at)
	require.NoError(t, err)
	defer view.Close()
	reader, err := redissink.OpenReader(at)
	require.NoError(t, err)
	defer reader.Close()

	letters := map[vectors.DeadLetter]bool{}
	for len(records) > 0 {
		n := min(1+rnd.IntN(30), len(records))
		decoded := make([]consumer.Decoded, n)
		for i, r := range records[:n] {
			decoded[i].Record = r
			decoded[i].Change, decoded[i].Rejection = features.Transform(r, features.Limits{})
		}
		plan := consumer.MakePlan(decoded)
		out, err := store.Apply(ctx, schemas.Batch{Group: "vectors", Pitches: plan.Pitches})
		require.NoError(t, err)
		_, err = view.Push(ctx, out.Snapshots, nil)
		require.NoError(t, err)
		for _, l := range append(plan.DeadLetters, plan.Refused(out.Refused)...) {
			letters[vectors.DeadLetter{Partition: l.Record.Partition, Offset: l.Record.Offset, Code: l.Code}] = true
		}
		records = records[n:]
	}
	rows, err := pgbooks.New(store.DB()).Rows(ctx)
	require.NoError(t, err)
	state := vectors.State{Rows: rows}
	for l := range letters { // a record that is read twice has two dead letters of one identity
		state.DeadLetters = append(state.DeadLetters, l)
	}
	state.Batters, state.Games = stack.StatsViews(t, pg)
	batters, games := reference.Fold(rows) // the specification's streams have the first aggregates only
	stack.Same(t, "batter_stats", batters, state.Batters)
	stack.Same(t, "batter_game_stats", games, state.Games)
	s.Check(t, state)
	state.Batters, state.Games = inRedis(t, reader, state)
	stack.Same(t, "batters in Redis", batters, state.Batters)
	stack.Same(t, "batter-games in Redis", games, state.Games)
	s.Check(t, state)
}

// inRedis reads the same batters and games from Redis.
func inRedis(
	t *testing.T, r *redissink.Reader, in vectors.State,
) (map[int64]schemas.Stats, map[schemas.PlayerGame]schemas.Stats) {
	batters, games := map[int64]schemas.Stats{}, map[schemas.PlayerGame]schemas.Stats{}
	read := func(key schemas.PlayerKey) schemas.Stats {
		states, err := r.States(t.Context(), []schemas.PlayerKey{key})
		require.NoError(t, err)
		require.NotNil(t, states[0])
		return states[0].Stats
	}
	for id := range in.Batters {
		batters[id] = read(schemas.PlayerKey{PlayerID: id})
	}
	for g := range in.Games {
		games[g] = read(schemas.PlayerKey(g))
	}
	return batters, games
}
