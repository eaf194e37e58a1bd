-- Compute the totals of some pitchers from their rows, as computed_totals.sql does those of batters: one line per pitcher and game,
-- and one per pitcher with a NULL game_key. It shares nothing with the statements that write the totals.
WITH one AS MATERIALIZED ( -- overall is true of the pitcher over all games
    SELECT coalesce(r.identified_pitcher_id, r.measured_pitcher_id) AS pitcher_id, o.overall,
           CASE WHEN o.overall THEN '' ELSE coalesce(r.game_pk, '') END AS game_key, coalesce(r.pitch_type, 'unknown') AS type,
           r.pitch_id, r.event_time, r.revision, r.record_ts_ms, r.source_offset, r.source_partition, r.pitch_result, r.pitch_action,
           r.is_swing, r.is_contact, r.is_whiff, r.exit_velocity_mph, r.in_zone, r.is_chase, r.pitch_speed_mph, r.spin_rate_rpm,
           r.induced_vertical_break_in, r.horizontal_break_in, r.release_speed_mph
    FROM {schema}.pitch_registers AS r, (VALUES (false), (true)) AS o(overall)
    WHERE r.standing AND coalesce(r.identified_pitcher_id, r.measured_pitcher_id) = ANY ($1::bigint[])
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
)
SELECT pitcher_id, CASE WHEN NOT overall THEN game_key END AS game_key, 0::bigint AS seq, s.pitches,
       s.type_names, s.type_pitches, s.type_swings, s.type_whiffs, s.type_contacts, s.type_hard_hits, s.type_called_strikes,
       s.type_in_zone, s.type_out_of_zone, s.type_chases, s.type_speeds, s.type_spins, s.type_induced_breaks,
       s.type_horizontal_breaks, s.type_speed_sums, s.type_spin_sums, s.type_induced_break_sums, s.type_horizontal_break_sums,
       s.type_speed_maxima, s.type_spin_maxima, CASE WHEN NOT overall THEN s.type_first_sums END AS type_first_sums,
       CASE WHEN NOT overall THEN s.type_last_sums END AS type_last_sums,
       l.pitch_id AS last_pitch_id, l.event_time AS last_event_time, l.revision AS last_revision, l.record_ts_ms AS last_record_ts_ms,
       l.source_offset AS last_offset, l.source_partition AS last_partition, l.pitch_result AS last_pitch_result,
       l.pitch_action AS last_pitch_action, l.exit_velocity_mph AS last_exit_velocity_mph
FROM sums s JOIN last l USING (pitcher_id, overall, game_key)
