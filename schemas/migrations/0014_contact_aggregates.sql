-- The aggregates of plate discipline, of the bat at contact and of batted balls, as sums. Competitive swings are the candidates
-- without the slow ones. Which swings of a batter are slow depends on all of them, so the slow columns are not sums over games.
ALTER TABLE batter_game_totals
    ADD COLUMN in_zone_count              bigint NOT NULL DEFAULT 0,
    ADD COLUMN zone_swing_count           bigint NOT NULL DEFAULT 0,
    ADD COLUMN zone_contact_count         bigint NOT NULL DEFAULT 0,
    ADD COLUMN out_of_zone_count          bigint NOT NULL DEFAULT 0,
    ADD COLUMN chase_count                bigint NOT NULL DEFAULT 0,
    ADD COLUMN batted_ball_count          bigint NOT NULL DEFAULT 0,
    ADD COLUMN barrel_count               bigint NOT NULL DEFAULT 0,
    ADD COLUMN launch_count               bigint NOT NULL DEFAULT 0,
    ADD COLUMN sweet_spot_count           bigint NOT NULL DEFAULT 0,
    ADD COLUMN reliable_count             bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_count            bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_fast_count       bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_length_count     bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_attack_count     bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_ideal_count      bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_hit_count        bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_squared_up_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_blast_count      bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_speed_sum        float8 NOT NULL DEFAULT 0,
    ADD COLUMN candidate_length_sum       float8 NOT NULL DEFAULT 0,
    ADD COLUMN candidate_attack_sum       float8 NOT NULL DEFAULT 0,
    ADD COLUMN slow_count                 bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_fast_count            bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_length_count          bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_attack_count          bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_ideal_count           bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_hit_count             bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_squared_up_count      bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_blast_count           bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_speed_sum             float8 NOT NULL DEFAULT 0,
    ADD COLUMN slow_length_sum            float8 NOT NULL DEFAULT 0,
    ADD COLUMN slow_attack_sum            float8 NOT NULL DEFAULT 0;

ALTER TABLE batter_totals
    ADD COLUMN in_zone_count              bigint NOT NULL DEFAULT 0,
    ADD COLUMN zone_swing_count           bigint NOT NULL DEFAULT 0,
    ADD COLUMN zone_contact_count         bigint NOT NULL DEFAULT 0,
    ADD COLUMN out_of_zone_count          bigint NOT NULL DEFAULT 0,
    ADD COLUMN chase_count                bigint NOT NULL DEFAULT 0,
    ADD COLUMN batted_ball_count          bigint NOT NULL DEFAULT 0,
    ADD COLUMN barrel_count               bigint NOT NULL DEFAULT 0,
    ADD COLUMN launch_count               bigint NOT NULL DEFAULT 0,
    ADD COLUMN sweet_spot_count           bigint NOT NULL DEFAULT 0,
    ADD COLUMN reliable_count             bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_count            bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_fast_count       bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_length_count     bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_attack_count     bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_ideal_count      bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_hit_count        bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_squared_up_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_blast_count      bigint NOT NULL DEFAULT 0,
    ADD COLUMN candidate_speed_sum        float8 NOT NULL DEFAULT 0,
    ADD COLUMN candidate_length_sum       float8 NOT NULL DEFAULT 0,
    ADD COLUMN candidate_attack_sum       float8 NOT NULL DEFAULT 0,
    ADD COLUMN slow_count                 bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_fast_count            bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_length_count          bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_attack_count          bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_ideal_count           bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_hit_count             bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_squared_up_count      bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_blast_count           bigint NOT NULL DEFAULT 0,
    ADD COLUMN slow_speed_sum             float8 NOT NULL DEFAULT 0,
    ADD COLUMN slow_length_sum            float8 NOT NULL DEFAULT 0,
    ADD COLUMN slow_attack_sum            float8 NOT NULL DEFAULT 0;

-- The reliable swings of a batter by speed: the slowest tenth of them is one range.
CREATE INDEX pitch_registers_batter_contact ON pitch_registers (batter_id, contact_bat_speed_mph)
    WHERE contact_confidence = 'reliable' AND contact_bat_speed_mph IS NOT NULL;

-- Of rows of the first version of the core only the launch angles are known. (`verify` finds totals that lack more.)
UPDATE batter_game_totals AS g SET launch_count = r.launches, sweet_spot_count = r.sweet_spots
FROM (SELECT batter_id, coalesce(game_pk, '') AS game_key, count(*) AS launches,
             count(*) FILTER (WHERE launch_angle_deg BETWEEN 8 AND 32) AS sweet_spots
      FROM pitch_registers WHERE batter_id IS NOT NULL AND launch_angle_deg IS NOT NULL GROUP BY 1, 2) AS r
WHERE g.batter_id = r.batter_id AND g.game_key = r.game_key;
UPDATE batter_totals AS b SET launch_count = g.launches, sweet_spot_count = g.sweet_spots
FROM (SELECT batter_id, sum(launch_count)::bigint AS launches, sum(sweet_spot_count)::bigint AS sweet_spots
      FROM batter_game_totals WHERE pitches > 0 GROUP BY batter_id) AS g
WHERE b.batter_id = g.batter_id AND g.launches > 0;

-- A greater sequence number makes every projection fetch the batter again.
UPDATE batter_totals SET seq = seq + 1, prev_seq = seq;

CREATE FUNCTION rate_pct(part bigint, whole bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$SELECT CASE WHEN whole > 0 THEN round(part * 100::numeric / whole, 2)::float8 END$$;
COMMENT ON FUNCTION rate_pct(bigint, bigint) IS 'The share of part in whole in percent, to two decimals; missing if whole is 0';

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
       rate_pct(sweet_spot_count, launch_count) AS sweet_spot_rate_pct
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
       rate_pct(sweet_spot_count, launch_count) AS sweet_spot_rate_pct
FROM batter_game_totals
WHERE pitches > 0 AND game_key <> '';

COMMENT ON COLUMN batter_game_totals.in_zone_count IS 'Rows with in_zone';
COMMENT ON COLUMN batter_game_totals.zone_swing_count IS 'Rows with in_zone and is_swing';
COMMENT ON COLUMN batter_game_totals.zone_contact_count IS 'Rows with in_zone, is_swing and is_contact';
COMMENT ON COLUMN batter_game_totals.out_of_zone_count IS 'Rows with in_zone false';
COMMENT ON COLUMN batter_game_totals.chase_count IS 'Rows with in_zone false and is_chase';
COMMENT ON COLUMN batter_game_totals.batted_ball_count IS 'Rows for which is_barrel is known';
COMMENT ON COLUMN batter_game_totals.barrel_count IS 'Rows with is_barrel';
COMMENT ON COLUMN batter_game_totals.launch_count IS 'Rows with a launch angle';
COMMENT ON COLUMN batter_game_totals.sweet_spot_count IS 'Rows with a launch angle of 8 to 32 degrees';
COMMENT ON COLUMN batter_game_totals.reliable_count IS 'Swings with a reliable bat speed at contact';
COMMENT ON COLUMN batter_game_totals.candidate_count IS 'Candidates: swings that are reliable at contact, or of at least 60 mph there with an exit velocity of at least 90 mph';
COMMENT ON COLUMN batter_game_totals.candidate_fast_count IS 'Candidates of at least 75 mph at contact';
COMMENT ON COLUMN batter_game_totals.candidate_length_count IS 'Candidates with a length';
COMMENT ON COLUMN batter_game_totals.candidate_attack_count IS 'Candidates with an attack angle at contact';
COMMENT ON COLUMN batter_game_totals.candidate_ideal_count IS 'Candidates with an attack angle at contact of 5 to 20 degrees';
COMMENT ON COLUMN batter_game_totals.candidate_hit_count IS 'Candidates for which is_squared_up is known';
COMMENT ON COLUMN batter_game_totals.candidate_squared_up_count IS 'Candidates with is_squared_up';
COMMENT ON COLUMN batter_game_totals.candidate_blast_count IS 'Candidates with is_blast';
COMMENT ON COLUMN batter_game_totals.candidate_speed_sum IS 'Sum over candidates of bat speeds at contact; unit: mph';
COMMENT ON COLUMN batter_game_totals.candidate_length_sum IS 'Sum over candidates of lengths; unit: foot';
COMMENT ON COLUMN batter_game_totals.candidate_attack_sum IS 'Sum over candidates of attack angles at contact; unit: degree';
COMMENT ON COLUMN batter_game_totals.slow_count IS 'Slow swings: candidates below the 10th percentile of the reliable ones that did not hit the ball hard';
COMMENT ON COLUMN batter_game_totals.slow_fast_count IS 'Slow swings of at least 75 mph at contact';
COMMENT ON COLUMN batter_game_totals.slow_length_count IS 'Slow swings with a length';
COMMENT ON COLUMN batter_game_totals.slow_attack_count IS 'Slow swings with an attack angle at contact';
COMMENT ON COLUMN batter_game_totals.slow_ideal_count IS 'Slow swings with an attack angle at contact of 5 to 20 degrees';
COMMENT ON COLUMN batter_game_totals.slow_hit_count IS 'Slow swings for which is_squared_up is known';
COMMENT ON COLUMN batter_game_totals.slow_squared_up_count IS 'Slow swings with is_squared_up';
COMMENT ON COLUMN batter_game_totals.slow_blast_count IS 'Slow swings with is_blast';
COMMENT ON COLUMN batter_game_totals.slow_speed_sum IS 'Sum over slow swings of bat speeds at contact; unit: mph';
COMMENT ON COLUMN batter_game_totals.slow_length_sum IS 'Sum over slow swings of lengths; unit: foot';
COMMENT ON COLUMN batter_game_totals.slow_attack_sum IS 'Sum over slow swings of attack angles at contact; unit: degree';
COMMENT ON COLUMN batter_totals.in_zone_count IS 'Rows with in_zone';
COMMENT ON COLUMN batter_totals.zone_swing_count IS 'Rows with in_zone and is_swing';
COMMENT ON COLUMN batter_totals.zone_contact_count IS 'Rows with in_zone, is_swing and is_contact';
COMMENT ON COLUMN batter_totals.out_of_zone_count IS 'Rows with in_zone false';
COMMENT ON COLUMN batter_totals.chase_count IS 'Rows with in_zone false and is_chase';
COMMENT ON COLUMN batter_totals.batted_ball_count IS 'Rows for which is_barrel is known';
COMMENT ON COLUMN batter_totals.barrel_count IS 'Rows with is_barrel';
COMMENT ON COLUMN batter_totals.launch_count IS 'Rows with a launch angle';
COMMENT ON COLUMN batter_totals.sweet_spot_count IS 'Rows with a launch angle of 8 to 32 degrees';
COMMENT ON COLUMN batter_totals.reliable_count IS 'Swings with a reliable bat speed at contact';
COMMENT ON COLUMN batter_totals.candidate_count IS 'Candidates: swings that are reliable at contact, or of at least 60 mph there with an exit velocity of at least 90 mph';
COMMENT ON COLUMN batter_totals.candidate_fast_count IS 'Candidates of at least 75 mph at contact';
COMMENT ON COLUMN batter_totals.candidate_length_count IS 'Candidates with a length';
COMMENT ON COLUMN batter_totals.candidate_attack_count IS 'Candidates with an attack angle at contact';
COMMENT ON COLUMN batter_totals.candidate_ideal_count IS 'Candidates with an attack angle at contact of 5 to 20 degrees';
COMMENT ON COLUMN batter_totals.candidate_hit_count IS 'Candidates for which is_squared_up is known';
COMMENT ON COLUMN batter_totals.candidate_squared_up_count IS 'Candidates with is_squared_up';
COMMENT ON COLUMN batter_totals.candidate_blast_count IS 'Candidates with is_blast';
COMMENT ON COLUMN batter_totals.candidate_speed_sum IS 'Sum over candidates of bat speeds at contact; unit: mph';
COMMENT ON COLUMN batter_totals.candidate_length_sum IS 'Sum over candidates of lengths; unit: foot';
COMMENT ON COLUMN batter_totals.candidate_attack_sum IS 'Sum over candidates of attack angles at contact; unit: degree';
COMMENT ON COLUMN batter_totals.slow_count IS 'Slow swings: candidates below the 10th percentile of the reliable ones that did not hit the ball hard';
COMMENT ON COLUMN batter_totals.slow_fast_count IS 'Slow swings of at least 75 mph at contact';
COMMENT ON COLUMN batter_totals.slow_length_count IS 'Slow swings with a length';
COMMENT ON COLUMN batter_totals.slow_attack_count IS 'Slow swings with an attack angle at contact';
COMMENT ON COLUMN batter_totals.slow_ideal_count IS 'Slow swings with an attack angle at contact of 5 to 20 degrees';
COMMENT ON COLUMN batter_totals.slow_hit_count IS 'Slow swings for which is_squared_up is known';
COMMENT ON COLUMN batter_totals.slow_squared_up_count IS 'Slow swings with is_squared_up';
COMMENT ON COLUMN batter_totals.slow_blast_count IS 'Slow swings with is_blast';
COMMENT ON COLUMN batter_totals.slow_speed_sum IS 'Sum over slow swings of bat speeds at contact; unit: mph';
COMMENT ON COLUMN batter_totals.slow_length_sum IS 'Sum over slow swings of lengths; unit: foot';
COMMENT ON COLUMN batter_totals.slow_attack_sum IS 'Sum over slow swings of attack angles at contact; unit: degree';
