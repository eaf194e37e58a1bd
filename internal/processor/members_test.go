package processor

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/memberprofile"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// A processor that ends stores what it counted since the last time.
// guard: members: the last counts of a process are stored
func TestTheLastMembersAreStored(t *testing.T) {
	store := filledStore(t)
	counter := memberprofile.New(nil)
	k := NewMembersKeeper(store, counter, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	k.cycle(ctx)
	cancel()
	rec := schemas.Record{Key: []byte("G"), Value: []byte(`{"summary_acts": {"pitch": {"type": "Slider"}}}`)}
	_, rejection := counter.Transform(rec, features.Limits{})
	require.Nil(t, rejection)
	require.NoError(t, k.Run(ctx))
	var records int
	require.NoError(t, store.DB().Pool.QueryRow(t.Context(),
		`SELECT (profile ->> 'records')::int FROM pitchstream.quality_members WHERE game_key = 'G'`).Scan(&records))
	require.Equal(t, 1, records)
}

// Counts that Postgres refuses are dropped, and those of a game whose stored profile another program wrote.
// Those behind them are stored.
// guard: members: counts that Postgres refuses stop no others
// guard: members: a stored profile that cannot be read stops no others
func TestMembersThatPostgresRefusesStopNoOthers(t *testing.T) {
	store := filledStore(t)
	k := NewMembersKeeper(store, memberprofile.New(nil), slog.New(slog.DiscardHandler))
	part := func(game, word string) schemas.MemberPart {
		return schemas.MemberPart{
			Key: schemas.MemberKey{Game: game, Day: "2025-04-01", Partition: "raw/0"},
			Profile: schemas.MemberProfile{Records: 1, Next: map[string]int64{"raw/0": 1}, Paths: map[string]schemas.MemberCounts{
				"a": {Words: map[string]int64{word: 1}},
			}},
		}
	}
	_, err := store.DB().Pool.Exec(t.Context(), `INSERT INTO pitchstream.quality_members (game_key, day, venue, updated_at, profile)
		VALUES ('foreign', '2025-04-01', '', now(), '{"records": "many"}')`)
	require.NoError(t, err)
	k.pending = []schemas.MemberPart{part("refused", "\x00"), part("foreign", "good"), part("G", "good")}
	k.cycle(t.Context())
	require.Empty(t, k.pending)
	var games []string
	require.NoError(t, store.DB().Pool.QueryRow(t.Context(),
		`SELECT array_agg(game_key) FROM pitchstream.quality_members`).Scan(&games))
	require.ElementsMatch(t, []string{"G", "foreign"}, games)
}

// guard: members: a processor counts the members of its records
func TestAProcessorCountsTheMembersOfItsRecords(t *testing.T) {
	o := runnable(t, "postgres://nobody@"+testkit.FreeAddr()+"/none?sslmode=disable")
	o.Members = memberprofile.New(nil)
	cfg, err := o.ConsumerConfig(t.Context(), NewObserver(o.Log, nil))
	require.NoError(t, err)
	rec := schemas.Record{Key: []byte("G"), Value: []byte(`{"summary_acts": {"pitch": {"type": "Slider"}}}`)}
	change, rejection, err := cfg.Transform(t.Context(), rec, features.Limits{})
	require.NoError(t, err)
	require.Nil(t, rejection)
	require.EqualValues(t, "Slider", change.Row.PitchType)
	parts := o.Members.Take()
	require.Len(t, parts, 1)
	require.Equal(t, "G", parts[0].Key.Game)
}
