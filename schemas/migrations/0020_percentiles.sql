-- The percentiles of batters, and the mean of the hardest-hit half of their batted balls. They are computed of the rows at each
-- change, by two indexes, because no difference of games moves a percentile.
ALTER TABLE batter_game_totals
    ADD COLUMN contact_speed_p10     float8,
    ADD COLUMN contact_speed_p90     float8,
    ADD COLUMN exit_velocity_p90     float8,
    ADD COLUMN exit_velocity_top_sum float8;
ALTER TABLE batter_totals
    ADD COLUMN contact_speed_p10     float8,
    ADD COLUMN contact_speed_p90     float8,
    ADD COLUMN exit_velocity_p90     float8,
    ADD COLUMN exit_velocity_top_sum float8;

-- The swings of a batter that may be competitive, by speed, in place of the reliable ones alone; and his exit velocities.
-- Both answer without the rows.
DROP INDEX pitch_registers_batter_contact;
CREATE INDEX pitch_registers_batter_candidate ON pitch_registers (batter_id, contact_bat_speed_mph) INCLUDE (exit_velocity_mph)
    WHERE contact_bat_speed_mph IS NOT NULL
      AND (contact_confidence = 'reliable' OR contact_bat_speed_mph >= 60 AND exit_velocity_mph >= 90);
CREATE INDEX pitch_registers_batter_exit ON pitch_registers (batter_id, exit_velocity_mph)
    WHERE exit_velocity_mph IS NOT NULL;

-- Of the rows that are there: those of each game, and those of each batter over all games.
CREATE TABLE spreads AS
WITH one AS (
    SELECT r.batter_id, o.overall, CASE WHEN o.overall THEN '' ELSE coalesce(r.game_pk, '') END AS game_key, r.exit_velocity_mph,
           r.contact_bat_speed_mph AS speed, r.contact_confidence = 'reliable' AND r.contact_bat_speed_mph IS NOT NULL AS is_reliable,
           coalesce(r.contact_bat_speed_mph >= 60 AND r.exit_velocity_mph >= 90, false) AS is_hard
    FROM pitch_registers r CROSS JOIN (VALUES (false), (true)) AS o(overall)
    WHERE r.batter_id IS NOT NULL AND (r.exit_velocity_mph IS NOT NULL OR r.contact_bat_speed_mph IS NOT NULL)
), tenths AS (
    SELECT batter_id, overall, game_key, percentile_cont(0.1) WITHIN GROUP (ORDER BY speed) FILTER (WHERE is_reliable) AS tenth
    FROM one GROUP BY 1, 2, 3
), placed AS (
    SELECT one.*, tenth, row_number() OVER (PARTITION BY batter_id, overall, game_key ORDER BY exit_velocity_mph DESC NULLS LAST) AS place,
           count(exit_velocity_mph) OVER (PARTITION BY batter_id, overall, game_key) AS exits
    FROM one JOIN tenths USING (batter_id, overall, game_key)
)
SELECT batter_id, overall, game_key,
       percentile_cont(0.1) WITHIN GROUP (ORDER BY speed) FILTER (WHERE is_hard OR is_reliable AND speed >= tenth) AS p10,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY speed) FILTER (WHERE is_hard OR is_reliable AND speed >= tenth) AS p90,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY exit_velocity_mph) AS exit_p90,
       sum(exit_velocity_mph) FILTER (WHERE place <= (exits + 1) / 2) AS top_sum
FROM placed GROUP BY 1, 2, 3;
UPDATE batter_game_totals AS g
SET contact_speed_p10 = s.p10, contact_speed_p90 = s.p90, exit_velocity_p90 = s.exit_p90, exit_velocity_top_sum = s.top_sum
FROM spreads s WHERE NOT s.overall AND g.batter_id = s.batter_id AND g.game_key = s.game_key;
UPDATE batter_totals AS b
SET contact_speed_p10 = s.p10, contact_speed_p90 = s.p90, exit_velocity_p90 = s.exit_p90, exit_velocity_top_sum = s.top_sum
FROM spreads s WHERE s.overall AND b.batter_id = s.batter_id;
DROP TABLE spreads;

-- A greater sequence number makes every projection fetch the batter again.
UPDATE batter_totals SET seq = seq + 1, prev_seq = seq;

CREATE OR REPLACE VIEW batter_stats AS
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
       updated_at, seq,
       rate_pct(chase_count, out_of_zone_count) AS chase_rate_pct,
       rate_pct(zone_swing_count, in_zone_count) AS zone_swing_rate_pct,
       rate_pct(zone_contact_count, zone_swing_count) AS zone_contact_rate_pct,
       candidate_count - slow_count AS competitive_swings,
       (candidate_speed_sum - slow_speed_sum) / nullif(candidate_count - slow_count, 0) AS avg_contact_bat_speed_mph,
       rate_pct(candidate_fast_count - slow_fast_count, candidate_count - slow_count) AS fast_swing_rate_pct,
       (candidate_length_sum - slow_length_sum) / nullif(candidate_length_count - slow_length_count, 0) AS avg_swing_length_ft,
       (candidate_attack_sum - slow_attack_sum) / nullif(candidate_attack_count - slow_attack_count, 0) AS avg_contact_attack_angle_deg,
       rate_pct(candidate_ideal_count - slow_ideal_count, candidate_attack_count - slow_attack_count) AS ideal_attack_angle_rate_pct,
       rate_pct(candidate_squared_up_count - slow_squared_up_count, candidate_count - slow_count) AS squared_up_rate_pct,
       rate_pct(candidate_squared_up_count - slow_squared_up_count, candidate_hit_count - slow_hit_count) AS squared_up_contact_rate_pct,
       rate_pct(candidate_blast_count - slow_blast_count, candidate_count - slow_count) AS blast_rate_pct,
       rate_pct(barrel_count, batted_ball_count) AS barrel_rate_pct,
       rate_pct(sweet_spot_count, launch_count) AS sweet_spot_rate_pct,
       contact_speed_p10 AS p10_contact_bat_speed_mph,
       contact_speed_p90 AS p90_contact_bat_speed_mph,
       exit_velocity_p90 AS p90_exit_velocity_mph,
       exit_velocity_top_sum / nullif((exit_velocity_count + 1) / 2, 0) AS avg_ev50_mph
FROM batter_totals
WHERE pitches > 0;

CREATE OR REPLACE VIEW batter_game_stats AS
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
       updated_at, seq,
       rate_pct(chase_count, out_of_zone_count) AS chase_rate_pct,
       rate_pct(zone_swing_count, in_zone_count) AS zone_swing_rate_pct,
       rate_pct(zone_contact_count, zone_swing_count) AS zone_contact_rate_pct,
       candidate_count - slow_count AS competitive_swings,
       (candidate_speed_sum - slow_speed_sum) / nullif(candidate_count - slow_count, 0) AS avg_contact_bat_speed_mph,
       rate_pct(candidate_fast_count - slow_fast_count, candidate_count - slow_count) AS fast_swing_rate_pct,
       (candidate_length_sum - slow_length_sum) / nullif(candidate_length_count - slow_length_count, 0) AS avg_swing_length_ft,
       (candidate_attack_sum - slow_attack_sum) / nullif(candidate_attack_count - slow_attack_count, 0) AS avg_contact_attack_angle_deg,
       rate_pct(candidate_ideal_count - slow_ideal_count, candidate_attack_count - slow_attack_count) AS ideal_attack_angle_rate_pct,
       rate_pct(candidate_squared_up_count - slow_squared_up_count, candidate_count - slow_count) AS squared_up_rate_pct,
       rate_pct(candidate_squared_up_count - slow_squared_up_count, candidate_hit_count - slow_hit_count) AS squared_up_contact_rate_pct,
       rate_pct(candidate_blast_count - slow_blast_count, candidate_count - slow_count) AS blast_rate_pct,
       rate_pct(barrel_count, batted_ball_count) AS barrel_rate_pct,
       rate_pct(sweet_spot_count, launch_count) AS sweet_spot_rate_pct,
       contact_speed_p10 AS p10_contact_bat_speed_mph,
       contact_speed_p90 AS p90_contact_bat_speed_mph,
       exit_velocity_p90 AS p90_exit_velocity_mph,
       exit_velocity_top_sum / nullif((exit_velocity_count + 1) / 2, 0) AS avg_ev50_mph
FROM batter_game_totals
WHERE pitches > 0 AND game_key <> '';

COMMENT ON COLUMN batter_game_totals.contact_speed_p10 IS '10th percentile of the competitive swings'' bat speeds at contact; unit: mph; missing: with none';
COMMENT ON COLUMN batter_game_totals.contact_speed_p90 IS '90th percentile of the competitive swings'' bat speeds at contact; unit: mph; missing: with none';
COMMENT ON COLUMN batter_game_totals.exit_velocity_p90 IS '90th percentile of the exit velocities; unit: mph; missing: with none';
COMMENT ON COLUMN batter_game_totals.exit_velocity_top_sum IS 'Sum of the greater half of the exit velocities, one in the middle with them; unit: mph; missing: with none';
COMMENT ON COLUMN batter_totals.contact_speed_p10 IS '10th percentile of the competitive swings'' bat speeds at contact; unit: mph; missing: with none';
COMMENT ON COLUMN batter_totals.contact_speed_p90 IS '90th percentile of the competitive swings'' bat speeds at contact; unit: mph; missing: with none';
COMMENT ON COLUMN batter_totals.exit_velocity_p90 IS '90th percentile of the exit velocities; unit: mph; missing: with none';
COMMENT ON COLUMN batter_totals.exit_velocity_top_sum IS 'Sum of the greater half of the exit velocities, one in the middle with them; unit: mph; missing: with none';
