package models

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// Only what the live version and the shadow both score now is compared, in labels and in numbers.
// guard: models: the live side of a comparison is of the live version
// guard: models: a version that scores nothing any more is not compared
func TestAShadowIsComparedWithTheLiveVersion(t *testing.T) {
	ctx := t.Context()
	o := Options{By: "tester", Postgres: pgsink.Config{
		URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2,
	}}
	store, err := pgsink.Open(o.Postgres)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(ctx)
	require.NoError(t, err)
	// The live version and the shadow 3 score the pitches 1–100. They give 1–10 other labels, and the
	// shadow's values are greater by 2, but that of pitch 50, which is by 9. Pitch 101 is of the version
	// before, 102 of the shadow alone, and 103 has ended scores.
	_, err = store.DB().Pool.Exec(ctx, `
		SET search_path = pitchstream;
		INSERT INTO pitch_registers (pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time,
			core_version, build, processed_at, is_swing, is_contact, is_whiff, bat_samples, ball_samples, duplicate_samples, issues)
		SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 0, n, n, 0, 't', timestamptz '2025-04-01Z' + n * interval '1 second',
			2, 'b', '2025-04-02Z', true, false, false, 0, 0, 0, '{}' FROM generate_series(1, 104) n;
		INSERT INTO models (name, version, kind, state, sha256, content, added_by) VALUES
			('m', 1, 'trees', 'retired', 'a', '', 'x'), ('m', 2, 'trees', 'live', 'b', '', 'x'),
			('m', 3, 'trees', 'shadow', 'c', '', 'x'), ('m', 4, 'trees', 'retired', 'd', '', 'x');
		INSERT INTO score_registers (pitch_id, model, version, is_current, label, value, margin, scored_at)
		SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'm', CASE n WHEN 101 THEN 1 ELSE 2 END, n < 103,
			CASE WHEN n <= 40 THEN 'ball' ELSE 'strike' END, n, 0.5, now() FROM generate_series(1, 104) n WHERE n <> 102;
		INSERT INTO shadow_registers (pitch_id, model, version, is_current, label, value, scored_at)
		SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'm', v, n < 103,
			CASE WHEN n > 10 AND n <= 40 THEN 'ball' ELSE 'strike' END, CASE n WHEN 50 THEN 59 ELSE n + 2 END, now()
		FROM generate_series(1, 103) n, generate_series(3, 4) v`)
	require.NoError(t, err)

	c, err := Compare(ctx, o, "m", 3)
	require.NoError(t, err)
	require.Equal(t, "trees", c.Kind)
	require.Equal(t, []int64{104, 100, 0, 2}, []int64{c.Read, c.Rows, c.LiveOnly, c.ShadowOnly})
	require.Equal(t, schemas.Some[schemas.TimeMS](1743465601000), c.From)
	require.Equal(t, schemas.Some[schemas.TimeMS](1743465700000), c.To)
	require.Equal(t, []schemas.LabelPair{{Live: "strike", Shadow: "strike", Rows: 60},
		{Live: "ball", Shadow: "ball", Rows: 30}, {Live: "ball", Shadow: "strike", Rows: 10}}, c.Labels)
	require.InDelta(t, 0.9, c.Agree.Value, 1e-9)
	require.InDelta(t, 0.6347, c.Rand.Value, 1e-3)
	value := c.Columns[0]
	require.Equal(t, int64(100), value.Rows)
	require.InDelta(t, 50.5, value.Live.Value, 1e-9)
	require.InDelta(t, 52.57, value.Shadow.Value, 1e-9)
	require.InDelta(t, 2.07, value.Shift.Value, 1e-9)
	require.InDelta(t, 9, value.Most.Value, 1e-9)
	require.InDelta(t, 0.9997, value.Correlation.Value, 2e-4)
	require.Equal(t, schemas.ScoreShift{Column: "margin", LiveOnly: 100}, c.Columns[1])
	require.Equal(t, schemas.ScoreShift{Column: "p_value"}, c.Columns[2])
	require.Len(t, c.Changed, 20)
	require.Equal(t, schemas.ChangedScore{
		PitchID: schemas.PitchID{15: 1}, EventTime: 1743465601000, LiveLabel: "ball", ShadowLabel: "strike",
		LiveValue: schemas.Some(1.0), ShadowValue: schemas.Some(3.0),
	}, c.Changed[0])
	require.Equal(t, schemas.Some(59.0), c.Changed[10].ShadowValue, "the greatest change of those with one label")

	var text bytes.Buffer
	require.NoError(t, PrintComparison(&text, c))
	require.Contains(t, text.String(), "labels agree on 90.0 % of rows")
	t.Log(text.String())
	for _, other := range []int32{1, 2, 4, 5} {
		_, err = Compare(ctx, o, "m", other)
		require.ErrorIs(t, err, pgbooks.ErrNotCompared, other)
	}
}
