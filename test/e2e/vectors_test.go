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
	want := reference.States(rows) // the specification's streams have the first aggregates of batters only
	inPostgres := stack.StatsViews(t, pg)
	stack.Same(t, "aggregates in Postgres", want, inPostgres)
	s.Check(t, withBatters(state, inPostgres))
	live := inRedis(t, reader, want)
	stack.Same(t, "aggregates in Redis", want, live)
	s.Check(t, withBatters(state, live))
}

// withBatters adds the batters among the aggregates to a state.
func withBatters(state vectors.State, all map[schemas.PlayerKey]schemas.GameStats) vectors.State {
	state.Batters, state.Games = map[int64]schemas.Stats{}, map[schemas.PlayerGame]schemas.Stats{}
	for key, g := range all {
		switch {
		case key.Side == schemas.Pitcher:
		case key.GamePK == "":
			state.Batters[key.PlayerID] = *g.Stats
		default:
			state.Games[schemas.PlayerGame(key)] = *g.Stats
		}
	}
	return state
}

// inRedis reads the same players and games from Redis.
func inRedis(
	t *testing.T, r *redissink.Reader, want map[schemas.PlayerKey]schemas.GameStats,
) map[schemas.PlayerKey]schemas.GameStats {
	found := map[schemas.PlayerKey]schemas.GameStats{}
	for key := range want {
		states, err := r.States(t.Context(), []schemas.PlayerKey{key})
		require.NoError(t, err)
		require.NotNil(t, states[0])
		found[key] = stack.InRedis(states[0])
	}
	return found
}
