package pgread

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// A recommendation reads one outcome a pitch, and no pitch that lacks its type or count.
func TestPitchesForARecommendation(t *testing.T) {
	cfg := Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2}
	store, err := pgsink.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	_, err = store.DB().Pool.Exec(t.Context(), `
		INSERT INTO pitchstream.pitch_registers (pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time,
			core_version, build, processed_at, measured_batter_id, identified_batter_id, measured_pitcher_id, pitch_type, pitch_result, pitch_action, balls, strikes,
			is_swing, is_contact, is_whiff, in_zone, exit_velocity_mph, bat_samples, ball_samples, duplicate_samples, issues)
		SELECT gen_random_uuid(), 0, n, n, 0, 't', timestamptz '2025-04-01Z' + n * interval '1 second', 2, 'b', '2025-04-02Z', 1, b, 2, type, result, action, 1, strikes,
			false, false, whiff, zone, ev, 0, 0, 0, '{}'
		FROM (VALUES
			(1, NULL::bigint, 'Slider', 'Strike', 'Called', 2::smallint, false, true, NULL::float8),
			(2, NULL, 'Slider', 'Strike', 'Swinging', 2, true, false, NULL),
			(3, NULL, 'Slider', 'HitIntoPlay', NULL, 2, false, NULL, 95),
			(4, NULL, 'Slider', 'HitIntoPlay', NULL, 2, false, NULL, 94.9),
			(5, 9, 'Slider', 'Ball', NULL, 2, false, NULL, NULL),
			(6, NULL, NULL, 'Ball', NULL, 2, false, NULL, NULL),
			(7, NULL, 'Slider', 'Ball', NULL, NULL, false, NULL, NULL),
			(8, NULL, 'Slider', 'Pickoff', NULL, 2, false, NULL, NULL)) v(n, b, type, result, action, strikes, whiff, zone, ev)`)
	require.NoError(t, err)
	reader, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(reader.Close)
	r := NewAdvice(reader)
	outcomes := func(all []schemas.AdvicePitch, err error) []schemas.AdviceOutcome {
		require.NoError(t, err)
		return schemas.Map(all, func(p schemas.AdvicePitch) schemas.AdviceOutcome { return p.Outcome })
	}
	batter := schemas.PlayerKey{PlayerID: 1}
	all, err := r.AdvicePitches(t.Context(), batter, 100)
	require.Equal(t, []schemas.AdviceOutcome{
		schemas.OutcomeOther, schemas.OutcomeHard, schemas.OutcomeStrike, schemas.OutcomeStrike,
	}, outcomes(all, err))
	require.Equal(t, schemas.AdvicePitch{
		BatterID: 1, PitcherID: 2, PitchType: "Slider", Balls: 1, Strikes: 2, InZone: schemas.Some(true),
		Outcome: schemas.OutcomeStrike, EventTime: 1743465601000, ProcessedAt: 1743552000000,
	}, all[3])
	// Three of the newest five rows cannot be used.
	require.Len(t, outcomes(r.AdvicePitches(t.Context(), batter, 5)), 2)
	pitcher := schemas.PlayerKey{Side: schemas.Pitcher, PlayerID: 2}
	require.Len(t, outcomes(r.AdvicePitches(t.Context(), pitcher, 100)), 5)
	require.Len(t, outcomes(r.LeagueAdvicePitches(t.Context(), 100)), 5)
	require.Empty(t, outcomes(r.AdvicePitches(t.Context(), schemas.PlayerKey{PlayerID: 3}, 100)))

	_, err = store.DB().Pool.Exec(t.Context(), `
		UPDATE pitchstream.pitch_registers SET is_swing = true, contact_confidence = 'reliable', contact_bat_speed_mph = 71.5,
			release_speed_mph = 86.25, game_pk = '7' WHERE source_offset <= 3;
		UPDATE pitchstream.pitch_registers SET event_time = event_time - interval '61 days' WHERE source_offset = 1;
		UPDATE pitchstream.pitch_registers SET contact_confidence = 'questionable' WHERE source_offset = 2`)
	require.NoError(t, err)
	m := NewMechanics(reader.DB())
	swings, err := m.DriftPitches(t.Context(), batter, 2, 100)
	require.NoError(t, err)
	require.Len(t, swings, 1, "one is 61 days older than the newest row, one is questionable")
	require.Equal(t, schemas.DriftPitch{
		EventTime: 1743465603000, PitchID: swings[0].PitchID, ProcessedAt: 1743552000000, GamePK: "7",
		Values: []schemas.Opt[float64]{schemas.Some(71.5), {}},
	}, swings[0])
	throws, err := m.DriftPitches(t.Context(), pitcher, 1, 100)
	require.NoError(t, err)
	require.Len(t, throws, 2)
	require.Equal(t, "Slider", throws[0].PitchType)
	require.Equal(t, []schemas.Opt[float64]{schemas.Some(86.25)}, throws[1].Values)

	_, err = store.DB().Pool.Exec(t.Context(),
		`UPDATE pitchstream.pitch_registers SET event_time = '2099-01-01Z' WHERE source_offset = 8`)
	require.NoError(t, err)
	swings, err = m.DriftPitches(t.Context(), batter, 2, 100)
	require.NoError(t, err)
	require.Len(t, swings, 1, "a wrong year makes no other row old")
	throws, err = m.DriftPitches(t.Context(), pitcher, 1, 100)
	require.NoError(t, err)
	require.Len(t, throws, 2)
}
