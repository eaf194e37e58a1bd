-- The aggregates as sums: averages and rates are taken in the views. A batter-game is computed again from its rows, a
-- batter from his batter-games, so nothing is ever subtracted. Rows that have become empty stay, with pitches = 0: their
-- sequence numbers tell readers elsewhere that the state is gone.
CREATE TABLE batter_game_totals (
    batter_id           bigint,
    game_key            text,
    seq                 bigint NOT NULL,
    updated_at          timestamptz NOT NULL,
    pitches             bigint NOT NULL DEFAULT 0,
    swing_count         bigint NOT NULL DEFAULT 0,
    whiff_count         bigint NOT NULL DEFAULT 0,
    contact_count       bigint NOT NULL DEFAULT 0,
    hard_hit_count      bigint NOT NULL DEFAULT 0,
    exit_velocity_count bigint NOT NULL DEFAULT 0,
    exit_velocity_sum   float8 NOT NULL DEFAULT 0,
    exit_velocity_max   float8,
    bat_speed_count     bigint NOT NULL DEFAULT 0,
    bat_speed_sum       float8 NOT NULL DEFAULT 0,
    bat_speed_max       float8,
    attack_angle_count  bigint NOT NULL DEFAULT 0,
    attack_angle_sum    float8 NOT NULL DEFAULT 0,
    last_pitch_id       uuid,
    last_event_time     timestamptz,
    last_revision       bigint,
    last_record_ts_ms   bigint,
    last_offset         bigint,
    last_partition      int,
    last_pitch_result   text,
    last_pitch_action   text,
    last_exit_velocity_mph float8,
    type_names          text[] NOT NULL DEFAULT '{}',
    type_pitches        bigint[] NOT NULL DEFAULT '{}',
    type_swings         bigint[] NOT NULL DEFAULT '{}',
    type_whiffs         bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (batter_id, game_key)
);

CREATE TABLE batter_totals (
    batter_id           bigint PRIMARY KEY,
    seq                 bigint NOT NULL,
    prev_seq            bigint NOT NULL DEFAULT 0,
    updated_at          timestamptz NOT NULL,
    pitches             bigint NOT NULL DEFAULT 0,
    swing_count         bigint NOT NULL DEFAULT 0,
    whiff_count         bigint NOT NULL DEFAULT 0,
    contact_count       bigint NOT NULL DEFAULT 0,
    hard_hit_count      bigint NOT NULL DEFAULT 0,
    exit_velocity_count bigint NOT NULL DEFAULT 0,
    exit_velocity_sum   float8 NOT NULL DEFAULT 0,
    exit_velocity_max   float8,
    bat_speed_count     bigint NOT NULL DEFAULT 0,
    bat_speed_sum       float8 NOT NULL DEFAULT 0,
    bat_speed_max       float8,
    attack_angle_count  bigint NOT NULL DEFAULT 0,
    attack_angle_sum    float8 NOT NULL DEFAULT 0,
    last_pitch_id       uuid,
    last_event_time     timestamptz,
    last_revision       bigint,
    last_record_ts_ms   bigint,
    last_offset         bigint,
    last_partition      int,
    last_pitch_result   text,
    last_pitch_action   text,
    last_exit_velocity_mph float8,
    type_names          text[] NOT NULL DEFAULT '{}',
    type_pitches        bigint[] NOT NULL DEFAULT '{}',
    type_swings         bigint[] NOT NULL DEFAULT '{}',
    type_whiffs         bigint[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

CREATE INDEX batter_game_totals_game ON batter_game_totals (game_key) WHERE pitches > 0;

CREATE VIEW batter_stats AS
SELECT batter_id,
       pitches, swing_count, whiff_count,
       CASE WHEN swing_count > 0 THEN round(whiff_count * 100::numeric / swing_count, 2)::float8 END AS whiff_rate_pct,
       contact_count,
       exit_velocity_max AS max_exit_velocity_mph,
       CASE WHEN exit_velocity_count > 0 THEN exit_velocity_sum / exit_velocity_count END AS avg_exit_velocity_mph,
       hard_hit_count,
       bat_speed_max AS max_bat_speed_mph,
       CASE WHEN bat_speed_count > 0 THEN bat_speed_sum / bat_speed_count END AS avg_bat_speed_mph,
       CASE WHEN attack_angle_count > 0 THEN attack_angle_sum / attack_angle_count END AS avg_attack_angle_deg,
       jsonb_build_object('pitch_id', last_pitch_id,
           'event_time', to_char(last_event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'pitch_result', last_pitch_result, 'pitch_action', last_pitch_action,
           'exit_velocity_mph', last_exit_velocity_mph) AS last_pitch,
       (SELECT jsonb_object_agg(t.name, jsonb_build_object('pitches', t.pitches, 'swings', t.swings, 'whiffs', t.whiffs))
          FROM unnest(type_names, type_pitches, type_swings, type_whiffs) AS t(name, pitches, swings, whiffs)) AS by_pitch_type,
       updated_at, seq
FROM batter_totals
WHERE pitches > 0;

CREATE VIEW batter_game_stats AS
SELECT batter_id, game_key AS game_pk,
       pitches, swing_count, whiff_count,
       CASE WHEN swing_count > 0 THEN round(whiff_count * 100::numeric / swing_count, 2)::float8 END AS whiff_rate_pct,
       contact_count,
       exit_velocity_max AS max_exit_velocity_mph,
       CASE WHEN exit_velocity_count > 0 THEN exit_velocity_sum / exit_velocity_count END AS avg_exit_velocity_mph,
       hard_hit_count,
       bat_speed_max AS max_bat_speed_mph,
       CASE WHEN bat_speed_count > 0 THEN bat_speed_sum / bat_speed_count END AS avg_bat_speed_mph,
       CASE WHEN attack_angle_count > 0 THEN attack_angle_sum / attack_angle_count END AS avg_attack_angle_deg,
       jsonb_build_object('pitch_id', last_pitch_id,
           'event_time', to_char(last_event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'pitch_result', last_pitch_result, 'pitch_action', last_pitch_action,
           'exit_velocity_mph', last_exit_velocity_mph) AS last_pitch,
       (SELECT jsonb_object_agg(t.name, jsonb_build_object('pitches', t.pitches, 'swings', t.swings, 'whiffs', t.whiffs))
          FROM unnest(type_names, type_pitches, type_swings, type_whiffs) AS t(name, pitches, swings, whiffs)) AS by_pitch_type,
       updated_at, seq
FROM batter_game_totals
WHERE pitches > 0 AND game_key <> '';

CREATE VIEW pitch_type_breakdown AS
SELECT coalesce(pitch_type, 'unknown') AS pitch_type,
       count(*) AS pitches,
       count(*) FILTER (WHERE is_swing) AS swings,
       count(*) FILTER (WHERE is_whiff) AS whiffs,
       CASE WHEN count(*) FILTER (WHERE is_swing) > 0
            THEN round(count(*) FILTER (WHERE is_whiff) * 100::numeric / count(*) FILTER (WHERE is_swing), 2)::float8 END AS whiff_rate_pct
FROM pitches
GROUP BY 1;

CREATE VIEW dataset_stats AS
SELECT count(*) AS pitches,
       count(DISTINCT game_pk) AS games,
       count(*) FILTER (WHERE is_swing) AS swings,
       count(*) FILTER (WHERE swing_confidence = 'confirmed') AS swings_confirmed,
       count(*) FILTER (WHERE swing_confidence = 'suspected') AS swings_suspected,
       CASE WHEN count(*) > 0 THEN round(100.0 * count(*) FILTER (WHERE is_swing) / count(*), 2)::float8 END AS swing_coverage_pct,
       CASE WHEN count(*) > 0 THEN round(100.0 * count(batter_id) / count(*), 2)::float8 END AS batter_coverage_pct,
       CASE WHEN count(*) FILTER (WHERE is_swing) > 0
            THEN round(100.0 * count(bat_speed_mph) FILTER (WHERE speed_confidence = 'reliable') / count(*) FILTER (WHERE is_swing), 2)::float8 END AS bat_speed_coverage_pct,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY bat_speed_mph) FILTER (WHERE speed_confidence = 'reliable') AS median_bat_speed_mph
FROM pitches;

COMMENT ON TABLE batter_game_totals IS 'Sums of one batter in one game; read the view batter_game_stats instead';
COMMENT ON TABLE batter_totals IS 'Sums of one batter; read the view batter_stats instead';
COMMENT ON VIEW batter_stats IS 'Aggregates of each batter with at least one standing row';
COMMENT ON VIEW batter_game_stats IS 'Aggregates of each batter in each game with at least one standing row';
COMMENT ON VIEW pitch_type_breakdown IS 'Counts by pitch type over all standing rows';
COMMENT ON VIEW dataset_stats IS 'One row about all standing rows';
COMMENT ON COLUMN batter_game_totals.batter_id IS 'The batter';
COMMENT ON COLUMN batter_game_totals.game_key IS 'The game, or empty text for rows without a game';
COMMENT ON COLUMN batter_game_totals.seq IS 'The batter''s sequence number at this state''s last change, taken while the batter is locked: orders all snapshots of one batter';
COMMENT ON COLUMN batter_game_totals.updated_at IS 'When this state was computed';
COMMENT ON COLUMN batter_game_totals.pitches IS 'Rows';
COMMENT ON COLUMN batter_game_totals.swing_count IS 'Rows with is_swing';
COMMENT ON COLUMN batter_game_totals.whiff_count IS 'Rows with is_whiff';
COMMENT ON COLUMN batter_game_totals.contact_count IS 'Rows with is_contact';
COMMENT ON COLUMN batter_game_totals.hard_hit_count IS 'Rows with an exit velocity of at least 95 mph';
COMMENT ON COLUMN batter_game_totals.exit_velocity_count IS 'Rows with an exit velocity';
COMMENT ON COLUMN batter_game_totals.exit_velocity_sum IS 'Sum of exit velocities; unit: mph';
COMMENT ON COLUMN batter_game_totals.exit_velocity_max IS 'Greatest exit velocity; unit: mph; missing: with no exit velocity';
COMMENT ON COLUMN batter_game_totals.bat_speed_count IS 'Rows with a reliable bat speed';
COMMENT ON COLUMN batter_game_totals.bat_speed_sum IS 'Sum of reliable bat speeds; unit: mph';
COMMENT ON COLUMN batter_game_totals.bat_speed_max IS 'Greatest reliable bat speed; unit: mph; missing: with no reliable bat speed';
COMMENT ON COLUMN batter_game_totals.attack_angle_count IS 'Confirmed swings with an attack angle';
COMMENT ON COLUMN batter_game_totals.attack_angle_sum IS 'Sum of the attack angles of confirmed swings; unit: degree';
COMMENT ON COLUMN batter_game_totals.last_pitch_id IS 'The last pitch; missing: with no row';
COMMENT ON COLUMN batter_game_totals.last_event_time IS 'Event time of the last pitch; missing: with no row';
COMMENT ON COLUMN batter_game_totals.last_revision IS 'Version of the last pitch, first part; missing: with no row';
COMMENT ON COLUMN batter_game_totals.last_record_ts_ms IS 'Version of the last pitch, second part; unit: Unix milliseconds; missing: with no row';
COMMENT ON COLUMN batter_game_totals.last_offset IS 'Version of the last pitch, third part; missing: with no row';
COMMENT ON COLUMN batter_game_totals.last_partition IS 'Version of the last pitch, last part; missing: with no row';
COMMENT ON COLUMN batter_game_totals.last_pitch_result IS 'Result of the last pitch; missing: with no row';
COMMENT ON COLUMN batter_game_totals.last_pitch_action IS 'Action of the last pitch; missing: with no row';
COMMENT ON COLUMN batter_game_totals.last_exit_velocity_mph IS 'Exit velocity of the last pitch; unit: mph; missing: with no row';
COMMENT ON COLUMN batter_game_totals.type_names IS 'Pitch types seen, sorted; a missing type is unknown';
COMMENT ON COLUMN batter_game_totals.type_pitches IS 'Rows by pitch type, in the order of type_names';
COMMENT ON COLUMN batter_game_totals.type_swings IS 'Swings by pitch type, in the order of type_names';
COMMENT ON COLUMN batter_game_totals.type_whiffs IS 'Whiffs by pitch type, in the order of type_names';
COMMENT ON COLUMN batter_totals.batter_id IS 'The batter';
COMMENT ON COLUMN batter_totals.seq IS 'The batter''s sequence number at this state''s last change, taken while the batter is locked: orders all snapshots of one batter';
COMMENT ON COLUMN batter_totals.prev_seq IS 'The sequence number before seq: who has that one and gets this one has missed nothing';
COMMENT ON COLUMN batter_totals.updated_at IS 'When this state was computed';
COMMENT ON COLUMN batter_totals.pitches IS 'Rows';
COMMENT ON COLUMN batter_totals.swing_count IS 'Rows with is_swing';
COMMENT ON COLUMN batter_totals.whiff_count IS 'Rows with is_whiff';
COMMENT ON COLUMN batter_totals.contact_count IS 'Rows with is_contact';
COMMENT ON COLUMN batter_totals.hard_hit_count IS 'Rows with an exit velocity of at least 95 mph';
COMMENT ON COLUMN batter_totals.exit_velocity_count IS 'Rows with an exit velocity';
COMMENT ON COLUMN batter_totals.exit_velocity_sum IS 'Sum of exit velocities; unit: mph';
COMMENT ON COLUMN batter_totals.exit_velocity_max IS 'Greatest exit velocity; unit: mph; missing: with no exit velocity';
COMMENT ON COLUMN batter_totals.bat_speed_count IS 'Rows with a reliable bat speed';
COMMENT ON COLUMN batter_totals.bat_speed_sum IS 'Sum of reliable bat speeds; unit: mph';
COMMENT ON COLUMN batter_totals.bat_speed_max IS 'Greatest reliable bat speed; unit: mph; missing: with no reliable bat speed';
COMMENT ON COLUMN batter_totals.attack_angle_count IS 'Confirmed swings with an attack angle';
COMMENT ON COLUMN batter_totals.attack_angle_sum IS 'Sum of the attack angles of confirmed swings; unit: degree';
COMMENT ON COLUMN batter_totals.last_pitch_id IS 'The last pitch; missing: with no row';
COMMENT ON COLUMN batter_totals.last_event_time IS 'Event time of the last pitch; missing: with no row';
COMMENT ON COLUMN batter_totals.last_revision IS 'Version of the last pitch, first part; missing: with no row';
COMMENT ON COLUMN batter_totals.last_record_ts_ms IS 'Version of the last pitch, second part; unit: Unix milliseconds; missing: with no row';
COMMENT ON COLUMN batter_totals.last_offset IS 'Version of the last pitch, third part; missing: with no row';
COMMENT ON COLUMN batter_totals.last_partition IS 'Version of the last pitch, last part; missing: with no row';
COMMENT ON COLUMN batter_totals.last_pitch_result IS 'Result of the last pitch; missing: with no row';
COMMENT ON COLUMN batter_totals.last_pitch_action IS 'Action of the last pitch; missing: with no row';
COMMENT ON COLUMN batter_totals.last_exit_velocity_mph IS 'Exit velocity of the last pitch; unit: mph; missing: with no row';
COMMENT ON COLUMN batter_totals.type_names IS 'Pitch types seen, sorted; a missing type is unknown';
COMMENT ON COLUMN batter_totals.type_pitches IS 'Rows by pitch type, in the order of type_names';
COMMENT ON COLUMN batter_totals.type_swings IS 'Swings by pitch type, in the order of type_names';
COMMENT ON COLUMN batter_totals.type_whiffs IS 'Whiffs by pitch type, in the order of type_names';
COMMENT ON COLUMN batter_stats.batter_id IS 'The batter';
COMMENT ON COLUMN batter_stats.updated_at IS 'When this state was computed';
COMMENT ON COLUMN batter_stats.seq IS 'Sequence number of this state: orders all states of one batter';
COMMENT ON COLUMN batter_game_stats.batter_id IS 'The batter';
COMMENT ON COLUMN batter_game_stats.game_pk IS 'The game';
COMMENT ON COLUMN batter_game_stats.updated_at IS 'When this state was computed';
COMMENT ON COLUMN batter_game_stats.seq IS 'The batter''s sequence number at the last change of this game';
COMMENT ON COLUMN pitch_type_breakdown.pitch_type IS 'The type; pitches without one count as unknown';
COMMENT ON COLUMN pitch_type_breakdown.pitches IS 'Rows';
COMMENT ON COLUMN pitch_type_breakdown.swings IS 'Rows with is_swing';
COMMENT ON COLUMN pitch_type_breakdown.whiffs IS 'Rows with is_whiff';
COMMENT ON COLUMN pitch_type_breakdown.whiff_rate_pct IS 'Share of swings that missed; unit: percent; missing: with no swing';
COMMENT ON COLUMN dataset_stats.pitches IS 'Rows';
COMMENT ON COLUMN dataset_stats.games IS 'Distinct games';
COMMENT ON COLUMN dataset_stats.swings IS 'Rows with is_swing';
COMMENT ON COLUMN dataset_stats.swings_confirmed IS 'Swings that the play confirms';
COMMENT ON COLUMN dataset_stats.swings_suspected IS 'Swings that the play does not confirm';
COMMENT ON COLUMN dataset_stats.swing_coverage_pct IS 'Share of rows with a tracked swing; unit: percent; missing: with no row';
COMMENT ON COLUMN dataset_stats.batter_coverage_pct IS 'Share of rows with a batter; unit: percent; missing: with no row';
COMMENT ON COLUMN dataset_stats.bat_speed_coverage_pct IS 'Share of swings with a reliable bat speed; unit: percent; missing: with no swing';
COMMENT ON COLUMN dataset_stats.median_bat_speed_mph IS 'Median reliable bat speed (PERCENTILE_CONT); unit: mph; missing: with no reliable bat speed';
