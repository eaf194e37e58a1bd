-- The aggregates of pitchers, as sums by type of pitch: arrays, in the order of type_names. A pitcher-game is computed again from
-- its rows. A pitcher's totals move by the differences of his games, or are computed again from all of them. Rows that have
-- become empty stay, with pitches = 0, because their sequence numbers show elsewhere that the state is gone.
ALTER TABLE pitch_registers ADD COLUMN previous_pitcher_id bigint;
COMMENT ON COLUMN pitch_registers.previous_pitcher_id IS 'The pitcher for whom the pitch counted before the last write; missing: with none';

-- A pitcher's game is found with one range of one index, and his newest pitches with one of another.
CREATE INDEX pitch_registers_pitcher_game ON pitch_registers ((coalesce(identified_pitcher_id, measured_pitcher_id)), (coalesce(game_pk, '')))
    WHERE standing AND coalesce(identified_pitcher_id, measured_pitcher_id) IS NOT NULL;
CREATE INDEX pitch_registers_pitcher_time ON pitch_registers ((coalesce(identified_pitcher_id, measured_pitcher_id)), event_time)
    WHERE standing AND coalesce(identified_pitcher_id, measured_pitcher_id) IS NOT NULL;

CREATE TABLE pitcher_game_totals (
    pitcher_id                 bigint,
    game_key                   text,
    seq                        bigint NOT NULL,
    updated_at                 timestamptz NOT NULL,
    pitches                    bigint NOT NULL DEFAULT 0,
    last_pitch_id              uuid,
    last_event_time            timestamptz,
    last_revision              bigint,
    last_record_ts_ms          bigint,
    last_offset                bigint,
    last_partition             int,
    last_pitch_result          text,
    last_pitch_action          text,
    last_exit_velocity_mph     float8,
    type_names                 text[] NOT NULL DEFAULT '{}',
    type_pitches               bigint[] NOT NULL DEFAULT '{}',
    type_swings                bigint[] NOT NULL DEFAULT '{}',
    type_whiffs                bigint[] NOT NULL DEFAULT '{}',
    type_contacts              bigint[] NOT NULL DEFAULT '{}',
    type_hard_hits             bigint[] NOT NULL DEFAULT '{}',
    type_called_strikes        bigint[] NOT NULL DEFAULT '{}',
    type_in_zone               bigint[] NOT NULL DEFAULT '{}',
    type_out_of_zone           bigint[] NOT NULL DEFAULT '{}',
    type_chases                bigint[] NOT NULL DEFAULT '{}',
    type_speeds                bigint[] NOT NULL DEFAULT '{}',
    type_spins                 bigint[] NOT NULL DEFAULT '{}',
    type_induced_breaks        bigint[] NOT NULL DEFAULT '{}',
    type_horizontal_breaks     bigint[] NOT NULL DEFAULT '{}',
    type_speed_sums            float8[] NOT NULL DEFAULT '{}',
    type_spin_sums             float8[] NOT NULL DEFAULT '{}',
    type_induced_break_sums    float8[] NOT NULL DEFAULT '{}',
    type_horizontal_break_sums float8[] NOT NULL DEFAULT '{}',
    type_speed_maxima          float8[] NOT NULL DEFAULT '{}',
    type_spin_maxima           float8[] NOT NULL DEFAULT '{}',
    type_first_sums            float8[] NOT NULL DEFAULT '{}',
    type_last_sums             float8[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (pitcher_id, game_key)
);

CREATE TABLE pitcher_totals (
    pitcher_id                 bigint PRIMARY KEY,
    seq                        bigint NOT NULL,
    prev_seq                   bigint NOT NULL DEFAULT 0,
    updated_at                 timestamptz NOT NULL,
    pitches                    bigint NOT NULL DEFAULT 0,
    last_pitch_id              uuid,
    last_event_time            timestamptz,
    last_revision              bigint,
    last_record_ts_ms          bigint,
    last_offset                bigint,
    last_partition             int,
    last_pitch_result          text,
    last_pitch_action          text,
    last_exit_velocity_mph     float8,
    type_names                 text[] NOT NULL DEFAULT '{}',
    type_pitches               bigint[] NOT NULL DEFAULT '{}',
    type_swings                bigint[] NOT NULL DEFAULT '{}',
    type_whiffs                bigint[] NOT NULL DEFAULT '{}',
    type_contacts              bigint[] NOT NULL DEFAULT '{}',
    type_hard_hits             bigint[] NOT NULL DEFAULT '{}',
    type_called_strikes        bigint[] NOT NULL DEFAULT '{}',
    type_in_zone               bigint[] NOT NULL DEFAULT '{}',
    type_out_of_zone           bigint[] NOT NULL DEFAULT '{}',
    type_chases                bigint[] NOT NULL DEFAULT '{}',
    type_speeds                bigint[] NOT NULL DEFAULT '{}',
    type_spins                 bigint[] NOT NULL DEFAULT '{}',
    type_induced_breaks        bigint[] NOT NULL DEFAULT '{}',
    type_horizontal_breaks     bigint[] NOT NULL DEFAULT '{}',
    type_speed_sums            float8[] NOT NULL DEFAULT '{}',
    type_spin_sums             float8[] NOT NULL DEFAULT '{}',
    type_induced_break_sums    float8[] NOT NULL DEFAULT '{}',
    type_horizontal_break_sums float8[] NOT NULL DEFAULT '{}',
    type_speed_maxima          float8[] NOT NULL DEFAULT '{}',
    type_spin_maxima           float8[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

CREATE INDEX pitcher_game_totals_game ON pitcher_game_totals (game_key) WHERE pitches > 0;

-- The rows that are stored already. Those of the first version of the core have no zone, breaks and release speeds. The sequence
-- numbers are those that a lock gives: the clock in microseconds.
WITH one AS MATERIALIZED ( -- overall is true of the pitcher over all games
    SELECT coalesce(r.identified_pitcher_id, r.measured_pitcher_id) AS pitcher_id, o.overall,
           CASE WHEN o.overall THEN '' ELSE coalesce(r.game_pk, '') END AS game_key, coalesce(r.pitch_type, 'unknown') AS type,
           r.pitch_id, r.event_time, r.revision, r.record_ts_ms, r.source_offset, r.source_partition, r.pitch_result, r.pitch_action,
           r.is_swing, r.is_contact, r.is_whiff, r.exit_velocity_mph, r.in_zone, r.is_chase, r.pitch_speed_mph, r.spin_rate_rpm,
           r.induced_vertical_break_in, r.horizontal_break_in, r.release_speed_mph
    FROM pitch_registers AS r, (VALUES (false), (true)) AS o(overall)
    WHERE r.standing AND coalesce(r.identified_pitcher_id, r.measured_pitcher_id) IS NOT NULL
), counted AS (
    SELECT pitcher_id, overall, game_key, type, count(*) AS n,
           row_number() OVER (PARTITION BY pitcher_id, overall, game_key ORDER BY type = 'other', count(*) DESC, type COLLATE "C") AS place
    FROM one GROUP BY pitcher_id, overall, game_key, type
), named AS (
    SELECT one.*, CASE WHEN c.place > 64 THEN 'other' ELSE type END AS name
    FROM one JOIN counted c USING (pitcher_id, overall, game_key, type)
), ordered AS ( -- the place of a release speed from the first and from the last of its type in the game
    SELECT named.*, row_number() OVER (PARTITION BY pitcher_id, game_key, name ORDER BY event_time, revision, record_ts_ms, source_offset, source_partition) AS place,
           count(*) OVER (PARTITION BY pitcher_id, game_key, name) AS releases
    FROM named WHERE NOT overall AND release_speed_mph IS NOT NULL AND name <> 'other'
), ends AS (
    SELECT pitcher_id, overall, game_key, name, sum(release_speed_mph) FILTER (WHERE place <= 15) AS type_first_sums,
           sum(release_speed_mph) FILTER (WHERE place > releases - 10) AS type_last_sums
    FROM ordered WHERE releases >= 25 GROUP BY pitcher_id, overall, game_key, name
), types AS (
    SELECT pitcher_id, overall, game_key, name,
           count(*) AS type_pitches, count(*) FILTER (WHERE is_swing) AS type_swings, count(*) FILTER (WHERE is_whiff) AS type_whiffs,
           count(*) FILTER (WHERE is_contact) AS type_contacts,
           count(*) FILTER (WHERE exit_velocity_mph >= 95) AS type_hard_hits,
           count(*) FILTER (WHERE pitch_result = 'Strike' AND pitch_action = 'Called' AND NOT is_whiff) AS type_called_strikes,
           count(*) FILTER (WHERE in_zone) AS type_in_zone, count(*) FILTER (WHERE NOT in_zone) AS type_out_of_zone,
           count(*) FILTER (WHERE NOT in_zone AND is_chase) AS type_chases, count(pitch_speed_mph) AS type_speeds,
           count(spin_rate_rpm) AS type_spins, count(induced_vertical_break_in) AS type_induced_breaks,
           count(horizontal_break_in) AS type_horizontal_breaks, coalesce(sum(pitch_speed_mph), 0) AS type_speed_sums,
           coalesce(sum(spin_rate_rpm), 0) AS type_spin_sums,
           coalesce(sum(induced_vertical_break_in), 0) AS type_induced_break_sums,
           coalesce(sum(horizontal_break_in), 0) AS type_horizontal_break_sums, max(pitch_speed_mph) AS type_speed_maxima,
           max(spin_rate_rpm) AS type_spin_maxima
    FROM named GROUP BY pitcher_id, overall, game_key, name
), sums AS (
    SELECT pitcher_id, overall, game_key, sum(t.type_pitches)::bigint AS pitches, array_agg(name ORDER BY name) AS type_names,
           array_agg(t.type_pitches ORDER BY name) AS type_pitches, array_agg(t.type_swings ORDER BY name) AS type_swings,
           array_agg(t.type_whiffs ORDER BY name) AS type_whiffs, array_agg(t.type_contacts ORDER BY name) AS type_contacts,
           array_agg(t.type_hard_hits ORDER BY name) AS type_hard_hits,
           array_agg(t.type_called_strikes ORDER BY name) AS type_called_strikes,
           array_agg(t.type_in_zone ORDER BY name) AS type_in_zone,
           array_agg(t.type_out_of_zone ORDER BY name) AS type_out_of_zone,
           array_agg(t.type_chases ORDER BY name) AS type_chases, array_agg(t.type_speeds ORDER BY name) AS type_speeds,
           array_agg(t.type_spins ORDER BY name) AS type_spins,
           array_agg(t.type_induced_breaks ORDER BY name) AS type_induced_breaks,
           array_agg(t.type_horizontal_breaks ORDER BY name) AS type_horizontal_breaks,
           array_agg(t.type_speed_sums ORDER BY name) AS type_speed_sums,
           array_agg(t.type_spin_sums ORDER BY name) AS type_spin_sums,
           array_agg(t.type_induced_break_sums ORDER BY name) AS type_induced_break_sums,
           array_agg(t.type_horizontal_break_sums ORDER BY name) AS type_horizontal_break_sums,
           array_agg(t.type_speed_maxima ORDER BY name) AS type_speed_maxima,
           array_agg(t.type_spin_maxima ORDER BY name) AS type_spin_maxima,
           array_agg(e.type_first_sums ORDER BY name) AS type_first_sums,
           array_agg(e.type_last_sums ORDER BY name) AS type_last_sums
    FROM types t LEFT JOIN ends e USING (pitcher_id, overall, game_key, name)
    GROUP BY pitcher_id, overall, game_key
), last AS (
    SELECT DISTINCT ON (pitcher_id, overall, game_key) *
    FROM one ORDER BY pitcher_id, overall, game_key, event_time DESC, revision DESC, record_ts_ms DESC, source_offset DESC, source_partition DESC
), computed AS (
    SELECT s.*, l.pitch_id AS last_pitch_id, l.event_time AS last_event_time, l.revision AS last_revision, l.record_ts_ms AS last_record_ts_ms,
           l.source_offset AS last_offset, l.source_partition AS last_partition, l.pitch_result AS last_pitch_result,
           l.pitch_action AS last_pitch_action, l.exit_velocity_mph AS last_exit_velocity_mph
    FROM sums s JOIN last l USING (pitcher_id, overall, game_key)
), pitchers AS (
    INSERT INTO pitcher_totals (
        pitcher_id, seq, updated_at, pitches, last_pitch_id, last_event_time, last_revision, last_record_ts_ms, last_offset,
        last_partition, last_pitch_result, last_pitch_action, last_exit_velocity_mph, type_names, type_pitches, type_swings,
        type_whiffs, type_contacts, type_hard_hits, type_called_strikes, type_in_zone, type_out_of_zone, type_chases,
        type_speeds, type_spins, type_induced_breaks, type_horizontal_breaks, type_speed_sums, type_spin_sums,
        type_induced_break_sums, type_horizontal_break_sums, type_speed_maxima, type_spin_maxima)
    SELECT pitcher_id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, now(), pitches, last_pitch_id, last_event_time,
           last_revision, last_record_ts_ms, last_offset, last_partition, last_pitch_result, last_pitch_action,
           last_exit_velocity_mph, type_names, type_pitches, type_swings, type_whiffs, type_contacts, type_hard_hits,
           type_called_strikes, type_in_zone, type_out_of_zone, type_chases, type_speeds, type_spins, type_induced_breaks,
           type_horizontal_breaks, type_speed_sums, type_spin_sums, type_induced_break_sums, type_horizontal_break_sums,
           type_speed_maxima, type_spin_maxima
    FROM computed WHERE overall
    RETURNING pitcher_id, seq, updated_at
)
INSERT INTO pitcher_game_totals (
    pitcher_id, game_key, seq, updated_at, pitches, last_pitch_id, last_event_time, last_revision, last_record_ts_ms, last_offset,
    last_partition, last_pitch_result, last_pitch_action, last_exit_velocity_mph, type_names, type_pitches, type_swings,
    type_whiffs, type_contacts, type_hard_hits, type_called_strikes, type_in_zone, type_out_of_zone, type_chases, type_speeds,
    type_spins, type_induced_breaks, type_horizontal_breaks, type_speed_sums, type_spin_sums, type_induced_break_sums,
    type_horizontal_break_sums, type_speed_maxima, type_spin_maxima, type_first_sums, type_last_sums)
SELECT pitcher_id, game_key, p.seq, p.updated_at, c.pitches, c.last_pitch_id, c.last_event_time, c.last_revision, c.last_record_ts_ms,
       c.last_offset, c.last_partition, c.last_pitch_result, c.last_pitch_action, c.last_exit_velocity_mph, c.type_names,
       c.type_pitches, c.type_swings, c.type_whiffs, c.type_contacts, c.type_hard_hits, c.type_called_strikes, c.type_in_zone,
       c.type_out_of_zone, c.type_chases, c.type_speeds, c.type_spins, c.type_induced_breaks, c.type_horizontal_breaks,
       c.type_speed_sums, c.type_spin_sums, c.type_induced_break_sums, c.type_horizontal_break_sums, c.type_speed_maxima,
       c.type_spin_maxima, c.type_first_sums, c.type_last_sums
FROM computed c JOIN pitchers p USING (pitcher_id) WHERE NOT c.overall;

CREATE VIEW pitcher_stats AS
SELECT p.pitcher_id AS pitcher_id,
       p.pitches AS pitches, s.swings AS swing_count, s.whiffs AS whiff_count, rate_pct(s.whiffs, s.swings) AS whiff_rate_pct,
       s.contacts AS contact_count, s.hard_hits AS hard_hit_count, s.called_strikes AS called_strike_count,
       rate_pct(s.called_strikes + s.whiffs, p.pitches) AS csw_rate_pct,
       rate_pct(s.in_zone, s.in_zone + s.out_of_zone) AS zone_rate_pct,
       rate_pct(s.chases, s.out_of_zone) AS chase_rate_pct,
       s.speed_sum / nullif(s.speeds, 0) AS avg_pitch_speed_mph, s.speed_max AS max_pitch_speed_mph,
       s.spin_sum / nullif(s.spins, 0) AS avg_spin_rate_rpm, s.spin_max AS max_spin_rate_rpm,
       jsonb_build_object('pitch_id', p.last_pitch_id,
           'event_time', to_char(p.last_event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'pitch_result', p.last_pitch_result, 'pitch_action', p.last_pitch_action,
           'exit_velocity_mph', p.last_exit_velocity_mph) AS last_pitch,
       s.by_pitch_type AS by_pitch_type, p.updated_at AS updated_at, p.seq AS seq
FROM pitcher_totals p CROSS JOIN LATERAL (
    SELECT sum(t.type_swings)::bigint AS swings, sum(t.type_whiffs)::bigint AS whiffs, sum(t.type_contacts)::bigint AS contacts,
           sum(t.type_hard_hits)::bigint AS hard_hits, sum(t.type_called_strikes)::bigint AS called_strikes,
           sum(t.type_in_zone)::bigint AS in_zone, sum(t.type_out_of_zone)::bigint AS out_of_zone,
           sum(t.type_chases)::bigint AS chases, sum(t.type_speeds)::bigint AS speeds, sum(t.type_spins)::bigint AS spins,
           sum(t.type_speed_sums) AS speed_sum, max(t.type_speed_maxima) AS speed_max,
           sum(t.type_spin_sums) AS spin_sum, max(t.type_spin_maxima) AS spin_max,
           jsonb_object_agg(t.type_names, jsonb_build_object(
               'pitches', t.type_pitches, 'swings', t.type_swings, 'whiffs', t.type_whiffs,
               'whiff_rate_pct', rate_pct(t.type_whiffs, t.type_swings), 'contacts', t.type_contacts,
               'hard_hits', t.type_hard_hits, 'called_strikes', t.type_called_strikes,
               'csw_rate_pct', rate_pct(t.type_called_strikes + t.type_whiffs, t.type_pitches),
               'zone_rate_pct', rate_pct(t.type_in_zone, t.type_in_zone + t.type_out_of_zone),
               'chase_rate_pct', rate_pct(t.type_chases, t.type_out_of_zone),
               'avg_pitch_speed_mph', t.type_speed_sums / nullif(t.type_speeds, 0), 'max_pitch_speed_mph', t.type_speed_maxima,
               'avg_spin_rate_rpm', t.type_spin_sums / nullif(t.type_spins, 0), 'max_spin_rate_rpm', t.type_spin_maxima,
               'avg_induced_vertical_break_in', t.type_induced_break_sums / nullif(t.type_induced_breaks, 0),
               'avg_horizontal_break_in', t.type_horizontal_break_sums / nullif(t.type_horizontal_breaks, 0),
               'avg_first_release_speed_mph', NULL::float8, 'avg_last_release_speed_mph', NULL::float8,
               'release_speed_change_mph', NULL::float8)) AS by_pitch_type
    FROM unnest(p.type_names, p.type_pitches, p.type_swings, p.type_whiffs, p.type_contacts, p.type_hard_hits, p.type_called_strikes,
         p.type_in_zone, p.type_out_of_zone, p.type_chases, p.type_speeds, p.type_spins, p.type_induced_breaks,
         p.type_horizontal_breaks, p.type_speed_sums, p.type_spin_sums, p.type_induced_break_sums, p.type_horizontal_break_sums,
         p.type_speed_maxima, p.type_spin_maxima) AS t(type_names, type_pitches, type_swings, type_whiffs, type_contacts, type_hard_hits, type_called_strikes, type_in_zone,
         type_out_of_zone, type_chases, type_speeds, type_spins, type_induced_breaks, type_horizontal_breaks, type_speed_sums,
         type_spin_sums, type_induced_break_sums, type_horizontal_break_sums, type_speed_maxima, type_spin_maxima)) AS s
WHERE p.pitches > 0;

CREATE VIEW pitcher_game_stats AS
SELECT p.pitcher_id AS pitcher_id, p.game_key AS game_pk,
       p.pitches AS pitches, s.swings AS swing_count, s.whiffs AS whiff_count, rate_pct(s.whiffs, s.swings) AS whiff_rate_pct,
       s.contacts AS contact_count, s.hard_hits AS hard_hit_count, s.called_strikes AS called_strike_count,
       rate_pct(s.called_strikes + s.whiffs, p.pitches) AS csw_rate_pct,
       rate_pct(s.in_zone, s.in_zone + s.out_of_zone) AS zone_rate_pct,
       rate_pct(s.chases, s.out_of_zone) AS chase_rate_pct,
       s.speed_sum / nullif(s.speeds, 0) AS avg_pitch_speed_mph, s.speed_max AS max_pitch_speed_mph,
       s.spin_sum / nullif(s.spins, 0) AS avg_spin_rate_rpm, s.spin_max AS max_spin_rate_rpm,
       jsonb_build_object('pitch_id', p.last_pitch_id,
           'event_time', to_char(p.last_event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'pitch_result', p.last_pitch_result, 'pitch_action', p.last_pitch_action,
           'exit_velocity_mph', p.last_exit_velocity_mph) AS last_pitch,
       s.by_pitch_type AS by_pitch_type, p.updated_at AS updated_at, p.seq AS seq
FROM pitcher_game_totals p CROSS JOIN LATERAL (
    SELECT sum(t.type_swings)::bigint AS swings, sum(t.type_whiffs)::bigint AS whiffs, sum(t.type_contacts)::bigint AS contacts,
           sum(t.type_hard_hits)::bigint AS hard_hits, sum(t.type_called_strikes)::bigint AS called_strikes,
           sum(t.type_in_zone)::bigint AS in_zone, sum(t.type_out_of_zone)::bigint AS out_of_zone,
           sum(t.type_chases)::bigint AS chases, sum(t.type_speeds)::bigint AS speeds, sum(t.type_spins)::bigint AS spins,
           sum(t.type_speed_sums) AS speed_sum, max(t.type_speed_maxima) AS speed_max,
           sum(t.type_spin_sums) AS spin_sum, max(t.type_spin_maxima) AS spin_max,
           jsonb_object_agg(t.type_names, jsonb_build_object(
               'pitches', t.type_pitches, 'swings', t.type_swings, 'whiffs', t.type_whiffs,
               'whiff_rate_pct', rate_pct(t.type_whiffs, t.type_swings), 'contacts', t.type_contacts,
               'hard_hits', t.type_hard_hits, 'called_strikes', t.type_called_strikes,
               'csw_rate_pct', rate_pct(t.type_called_strikes + t.type_whiffs, t.type_pitches),
               'zone_rate_pct', rate_pct(t.type_in_zone, t.type_in_zone + t.type_out_of_zone),
               'chase_rate_pct', rate_pct(t.type_chases, t.type_out_of_zone),
               'avg_pitch_speed_mph', t.type_speed_sums / nullif(t.type_speeds, 0), 'max_pitch_speed_mph', t.type_speed_maxima,
               'avg_spin_rate_rpm', t.type_spin_sums / nullif(t.type_spins, 0), 'max_spin_rate_rpm', t.type_spin_maxima,
               'avg_induced_vertical_break_in', t.type_induced_break_sums / nullif(t.type_induced_breaks, 0),
               'avg_horizontal_break_in', t.type_horizontal_break_sums / nullif(t.type_horizontal_breaks, 0),
               'avg_first_release_speed_mph', t.type_first_sums / 15, 'avg_last_release_speed_mph', t.type_last_sums / 10,
               'release_speed_change_mph', t.type_last_sums / 10 - t.type_first_sums / 15)) AS by_pitch_type
    FROM unnest(p.type_names, p.type_pitches, p.type_swings, p.type_whiffs, p.type_contacts, p.type_hard_hits, p.type_called_strikes,
         p.type_in_zone, p.type_out_of_zone, p.type_chases, p.type_speeds, p.type_spins, p.type_induced_breaks,
         p.type_horizontal_breaks, p.type_speed_sums, p.type_spin_sums, p.type_induced_break_sums, p.type_horizontal_break_sums,
         p.type_speed_maxima, p.type_spin_maxima, p.type_first_sums, p.type_last_sums) AS t(type_names, type_pitches, type_swings, type_whiffs, type_contacts, type_hard_hits, type_called_strikes, type_in_zone,
         type_out_of_zone, type_chases, type_speeds, type_spins, type_induced_breaks, type_horizontal_breaks, type_speed_sums,
         type_spin_sums, type_induced_break_sums, type_horizontal_break_sums, type_speed_maxima, type_spin_maxima,
         type_first_sums, type_last_sums)) AS s
WHERE p.pitches > 0 AND p.game_key <> '';

COMMENT ON TABLE pitcher_game_totals IS 'Sums of one pitcher in one game; read the view pitcher_game_stats instead';
COMMENT ON COLUMN pitcher_game_totals.pitcher_id IS 'The pitcher';
COMMENT ON COLUMN pitcher_game_totals.game_key IS 'The game, or empty text for rows without a game';
COMMENT ON COLUMN pitcher_game_totals.seq IS 'The pitcher''s sequence number at this state''s last change, taken while the pitcher is locked: orders all snapshots of one pitcher';
COMMENT ON COLUMN pitcher_game_totals.updated_at IS 'When this state was computed';
COMMENT ON COLUMN pitcher_game_totals.pitches IS 'Rows';
COMMENT ON COLUMN pitcher_game_totals.last_pitch_id IS 'The last pitch; missing: with no row';
COMMENT ON COLUMN pitcher_game_totals.last_event_time IS 'Event time of the last pitch; missing: with no row';
COMMENT ON COLUMN pitcher_game_totals.last_revision IS 'Version of the last pitch, first part; missing: with no row';
COMMENT ON COLUMN pitcher_game_totals.last_record_ts_ms IS 'Version of the last pitch, second part; unit: Unix milliseconds; missing: with no row';
COMMENT ON COLUMN pitcher_game_totals.last_offset IS 'Version of the last pitch, third part; missing: with no row';
COMMENT ON COLUMN pitcher_game_totals.last_partition IS 'Version of the last pitch, last part; missing: with no row';
COMMENT ON COLUMN pitcher_game_totals.last_pitch_result IS 'Result of the last pitch; missing: with no row';
COMMENT ON COLUMN pitcher_game_totals.last_pitch_action IS 'Action of the last pitch; missing: with no row';
COMMENT ON COLUMN pitcher_game_totals.last_exit_velocity_mph IS 'Exit velocity of the last pitch; unit: mph; missing: with no row';
COMMENT ON COLUMN pitcher_game_totals.type_names IS 'Pitch types seen, sorted; a missing type is unknown, all but the 64 most frequent are other';
COMMENT ON COLUMN pitcher_game_totals.type_pitches IS 'Rows, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_swings IS 'Rows with is_swing, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_whiffs IS 'Rows with is_whiff, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_contacts IS 'Rows with is_contact, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_hard_hits IS 'Rows with an exit velocity of at least 95 mph, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_called_strikes IS 'Rows with pitch_result Strike and pitch_action Called that are no whiff, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_in_zone IS 'Rows with in_zone, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_out_of_zone IS 'Rows with in_zone false, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_chases IS 'Rows with in_zone false and is_chase, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_speeds IS 'Rows with a pitch_speed_mph, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_spins IS 'Rows with a spin_rate_rpm, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_induced_breaks IS 'Rows with an induced_vertical_break_in, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_horizontal_breaks IS 'Rows with a horizontal_break_in, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_speed_sums IS 'Sums of pitch_speed_mph; unit: mph, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_spin_sums IS 'Sums of spin_rate_rpm; unit: rpm, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_induced_break_sums IS 'Sums of induced_vertical_break_in; unit: inch, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_horizontal_break_sums IS 'Sums of horizontal_break_in; unit: inch, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_speed_maxima IS 'Greatest pitch_speed_mph; unit: mph; NULL: with none, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_spin_maxima IS 'Greatest spin_rate_rpm; unit: rpm; NULL: with none, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_first_sums IS 'Sums of the release speeds of the first 15 pitches; unit: mph; NULL: with fewer than 25 release speeds, in the order of type_names';
COMMENT ON COLUMN pitcher_game_totals.type_last_sums IS 'Sums of the release speeds of the last 10 pitches; unit: mph; NULL: with fewer than 25 release speeds, in the order of type_names';
COMMENT ON TABLE pitcher_totals IS 'Sums of one pitcher; read the view pitcher_stats instead';
COMMENT ON COLUMN pitcher_totals.pitcher_id IS 'The pitcher';
COMMENT ON COLUMN pitcher_totals.seq IS 'The pitcher''s sequence number at this state''s last change, taken while the pitcher is locked: orders all snapshots of one pitcher';
COMMENT ON COLUMN pitcher_totals.prev_seq IS 'The sequence number before seq: who has that one and gets this one has missed nothing';
COMMENT ON COLUMN pitcher_totals.updated_at IS 'When this state was computed';
COMMENT ON COLUMN pitcher_totals.pitches IS 'Rows';
COMMENT ON COLUMN pitcher_totals.last_pitch_id IS 'The last pitch; missing: with no row';
COMMENT ON COLUMN pitcher_totals.last_event_time IS 'Event time of the last pitch; missing: with no row';
COMMENT ON COLUMN pitcher_totals.last_revision IS 'Version of the last pitch, first part; missing: with no row';
COMMENT ON COLUMN pitcher_totals.last_record_ts_ms IS 'Version of the last pitch, second part; unit: Unix milliseconds; missing: with no row';
COMMENT ON COLUMN pitcher_totals.last_offset IS 'Version of the last pitch, third part; missing: with no row';
COMMENT ON COLUMN pitcher_totals.last_partition IS 'Version of the last pitch, last part; missing: with no row';
COMMENT ON COLUMN pitcher_totals.last_pitch_result IS 'Result of the last pitch; missing: with no row';
COMMENT ON COLUMN pitcher_totals.last_pitch_action IS 'Action of the last pitch; missing: with no row';
COMMENT ON COLUMN pitcher_totals.last_exit_velocity_mph IS 'Exit velocity of the last pitch; unit: mph; missing: with no row';
COMMENT ON COLUMN pitcher_totals.type_names IS 'Pitch types seen, sorted; a missing type is unknown, all but the 64 most frequent are other';
COMMENT ON COLUMN pitcher_totals.type_pitches IS 'Rows, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_swings IS 'Rows with is_swing, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_whiffs IS 'Rows with is_whiff, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_contacts IS 'Rows with is_contact, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_hard_hits IS 'Rows with an exit velocity of at least 95 mph, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_called_strikes IS 'Rows with pitch_result Strike and pitch_action Called that are no whiff, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_in_zone IS 'Rows with in_zone, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_out_of_zone IS 'Rows with in_zone false, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_chases IS 'Rows with in_zone false and is_chase, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_speeds IS 'Rows with a pitch_speed_mph, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_spins IS 'Rows with a spin_rate_rpm, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_induced_breaks IS 'Rows with an induced_vertical_break_in, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_horizontal_breaks IS 'Rows with a horizontal_break_in, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_speed_sums IS 'Sums of pitch_speed_mph; unit: mph, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_spin_sums IS 'Sums of spin_rate_rpm; unit: rpm, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_induced_break_sums IS 'Sums of induced_vertical_break_in; unit: inch, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_horizontal_break_sums IS 'Sums of horizontal_break_in; unit: inch, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_speed_maxima IS 'Greatest pitch_speed_mph; unit: mph; NULL: with none, in the order of type_names';
COMMENT ON COLUMN pitcher_totals.type_spin_maxima IS 'Greatest spin_rate_rpm; unit: rpm; NULL: with none, in the order of type_names';
COMMENT ON VIEW pitcher_stats IS 'Aggregates of each pitcher with at least one current row';
COMMENT ON COLUMN pitcher_stats.pitcher_id IS 'The pitcher';
COMMENT ON COLUMN pitcher_stats.updated_at IS 'When this state was computed';
COMMENT ON COLUMN pitcher_stats.seq IS 'Sequence number of this state: orders all states of one pitcher';
COMMENT ON VIEW pitcher_game_stats IS 'Aggregates of each pitcher in each game with at least one current row';
COMMENT ON COLUMN pitcher_game_stats.pitcher_id IS 'The pitcher';
COMMENT ON COLUMN pitcher_game_stats.game_pk IS 'The game';
COMMENT ON COLUMN pitcher_game_stats.updated_at IS 'When this state was computed';
COMMENT ON COLUMN pitcher_game_stats.seq IS 'The pitcher''s sequence number at the last change of this game';
