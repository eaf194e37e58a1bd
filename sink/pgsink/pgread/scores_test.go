package pgread

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// A pitch has the scores of live models. A batter's groups are of the live version alone, and what another
// version, a shadow or an ended score says counts in none.
// guard: pgread: a group is of the live version
func TestScoresOfLiveModels(t *testing.T) {
	cfg := Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2}
	store, err := pgsink.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	_, err = store.DB().Pool.Exec(t.Context(), `
		SET search_path = pitchstream;
		INSERT INTO pitch_registers (pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time,
			core_version, build, processed_at, measured_batter_id, is_swing, is_contact, is_whiff, bat_samples, ball_samples, duplicate_samples, issues)
		SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 0, n, n, 0, 't', timestamptz '2025-04-01Z' + n * interval '1 second',
			2, 'b', '2025-04-02Z', 1, n < 9, false, false, 0, 0, 0, '{}' FROM generate_series(1, 9) n;
		INSERT INTO models (name, version, kind, state, sha256, content, added_by) VALUES
			('archetypes', 1, 'archetypes', 'retired', 'a', '', 'x'), ('archetypes', 2, 'archetypes', 'live', 'b', '', 'x'),
			('whiff', 1, 'trees', 'live', 'c', '', 'x'), ('gone', 1, 'trees', 'retired', 'd', '', 'x');
		INSERT INTO score_registers (pitch_id, model, version, is_current, label, value, scored_at)
		SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, model, version, is_current, label, value, '2025-04-03Z' FROM (VALUES
			(1, 'archetypes', 2, true, 'long', 1.5), (2, 'archetypes', 2, true, 'long', 1), (3, 'archetypes', 2, true, 'short', 1),
			(4, 'archetypes', 1, true, 'old', 1), (5, 'archetypes', 2, true, NULL, NULL), (6, 'archetypes', 2, false, NULL, NULL),
			(1, 'whiff', 1, true, NULL, 0.25), (1, 'gone', 1, true, NULL, 1)) v(n, model, version, is_current, label, value);
		INSERT INTO shadow_registers (pitch_id, model, version, label, scored_at)
		VALUES ('00000000-0000-0000-0000-000000000001', 'archetypes', 3, 'shadow', '2025-04-04Z')`)
	require.NoError(t, err)
	reader, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(reader.Close)
	r := NewScores(reader)

	pitch := func(n byte) schemas.PitchID { return schemas.PitchID{15: n} }
	const scored = 1743638400000 // 2025-04-03
	one, err := r.PitchScores(t.Context(), pitch(1))
	require.NoError(t, err)
	require.Equal(t, &schemas.PitchScores{AsOf: 1743465601000, ProcessedAt: scored, Scores: []schemas.ModelScore{
		{Model: "archetypes", Version: 2, Kind: "archetypes", Label: "long", Value: schemas.Some(1.5), ScoredAt: scored},
		{Model: "whiff", Version: 1, Kind: "trees", Value: schemas.Some(0.25), ScoredAt: scored},
	}}, one)
	none, err := r.PitchScores(t.Context(), pitch(9))
	require.NoError(t, err)
	require.Equal(t, &schemas.PitchScores{
		AsOf: 1743465609000, ProcessedAt: 1743552000000, Scores: []schemas.ModelScore{},
	}, none)
	none, err = r.PitchScores(t.Context(), pitch(10))
	require.NoError(t, err)
	require.Nil(t, none)

	groups, err := r.Archetypes(t.Context(), 1, "archetypes")
	require.NoError(t, err)
	require.Equal(t, schemas.Archetypes{
		Model: "archetypes", Version: 2, Swings: 8, Labelled: 3, OfOthers: 1, AsOf: 1743465608000, ProcessedAt: scored,
		Archetypes: []schemas.ArchetypeShare{
			{Label: "long", Swings: 2, SharePct: 66.67, LastPitchID: pitch(2), LastAt: 1743465602000},
			{Label: "short", Swings: 1, SharePct: 33.33, LastPitchID: pitch(3), LastAt: 1743465603000},
		},
	}, groups)
	groups, err = r.Archetypes(t.Context(), 2, "archetypes")
	require.NoError(t, err)
	require.Equal(t, int32(2), groups.Version)
	require.Zero(t, groups.Swings)
	for _, model := range []string{"whiff", "gone", "no"} {
		groups, err = r.Archetypes(t.Context(), 1, model)
		require.NoError(t, err)
		require.Zero(t, groups.Version, model)
	}
}
