-- Compute the totals of some batters from their rows: one line per batter and game, and one per batter with a NULL game_key.
-- It shares nothing with the statements that write the totals, so that it finds their errors.
WITH one AS MATERIALIZED (
    SELECT batter_id, false AS overall, coalesce(game_pk, '') AS game_key, pitch_id, event_time, revision, record_ts_ms, source_offset, source_partition,
           coalesce(pitch_type, 'unknown') AS type, pitch_result, pitch_action, is_swing, is_whiff, is_contact, exit_velocity_mph,
           CASE WHEN speed_confidence = 'reliable' THEN bat_speed_mph END AS bat_speed,
           CASE WHEN swing_confidence = 'confirmed' THEN attack_angle_deg END AS attack_angle,
           in_zone, is_chase, is_barrel, launch_angle_deg, contact_bat_speed_mph, contact_confidence, swing_length_ft,
           contact_attack_angle_deg, is_squared_up, is_blast, is_cut_short
    FROM {schema}.pitch_registers WHERE batter_id = ANY ($1::bigint[])
), r AS MATERIALIZED (
    SELECT * FROM one
    UNION ALL
    SELECT batter_id, true, '', pitch_id, event_time, revision, record_ts_ms, source_offset, source_partition,
           type, pitch_result, pitch_action, is_swing, is_whiff, is_contact, exit_velocity_mph, bat_speed, attack_angle,
           in_zone, is_chase, is_barrel, launch_angle_deg, contact_bat_speed_mph, contact_confidence, swing_length_ft,
           contact_attack_angle_deg, is_squared_up, is_blast, is_cut_short
    FROM one
), sums AS (
    SELECT batter_id, overall, game_key, count(*) AS pitches,
           count(*) FILTER (WHERE is_swing) AS swing_count, count(*) FILTER (WHERE is_whiff) AS whiff_count,
           count(*) FILTER (WHERE is_contact) AS contact_count, count(*) FILTER (WHERE exit_velocity_mph >= 95) AS hard_hit_count,
           count(exit_velocity_mph) AS exit_velocity_count, coalesce(sum(exit_velocity_mph), 0) AS exit_velocity_sum, max(exit_velocity_mph) AS exit_velocity_max,
           count(bat_speed) AS bat_speed_count, coalesce(sum(bat_speed), 0) AS bat_speed_sum, max(bat_speed) AS bat_speed_max,
           count(attack_angle) AS attack_angle_count, coalesce(sum(attack_angle), 0) AS attack_angle_sum,
           count(*) FILTER (WHERE in_zone) AS in_zone_count, count(*) FILTER (WHERE in_zone AND is_swing) AS zone_swing_count,
           count(*) FILTER (WHERE in_zone AND is_swing AND is_contact) AS zone_contact_count,
           count(*) FILTER (WHERE in_zone = false) AS out_of_zone_count, count(*) FILTER (WHERE in_zone = false AND is_chase) AS chase_count,
           count(is_barrel) AS batted_ball_count, count(*) FILTER (WHERE is_barrel) AS barrel_count,
           count(launch_angle_deg) AS launch_count,
           count(*) FILTER (WHERE launch_angle_deg >= 8 AND launch_angle_deg <= 32) AS sweet_spot_count,
           percentile_cont(0.9) WITHIN GROUP (ORDER BY exit_velocity_mph) AS exit_velocity_p90,
           array_agg(exit_velocity_mph ORDER BY exit_velocity_mph DESC) FILTER (WHERE exit_velocity_mph IS NOT NULL) AS exits,
           percentile_cont(0.1) WITHIN GROUP (ORDER BY contact_bat_speed_mph) FILTER (WHERE contact_confidence = 'reliable') AS tenth
    FROM r GROUP BY batter_id, overall, game_key
), swings AS ( -- slow says of a candidate whether it is not competitive
    SELECT batter_id, overall, game_key,
           count(*) FILTER (WHERE contact_confidence = 'reliable') AS reliable_count,
           count(*) AS candidate_count, count(*) FILTER (WHERE slow) AS slow_count,
           count(*) FILTER (WHERE fast) AS candidate_fast_count, count(*) FILTER (WHERE slow AND fast) AS slow_fast_count,
           count(swing_length_ft) AS candidate_length_count, count(swing_length_ft) FILTER (WHERE slow) AS slow_length_count,
           count(contact_attack_angle_deg) AS candidate_attack_count, count(contact_attack_angle_deg) FILTER (WHERE slow) AS slow_attack_count,
           count(*) FILTER (WHERE ideal) AS candidate_ideal_count, count(*) FILTER (WHERE slow AND ideal) AS slow_ideal_count,
           count(is_squared_up) AS candidate_hit_count, count(is_squared_up) FILTER (WHERE slow) AS slow_hit_count,
           count(*) FILTER (WHERE is_squared_up) AS candidate_squared_up_count, count(*) FILTER (WHERE slow AND is_squared_up) AS slow_squared_up_count,
           count(*) FILTER (WHERE is_blast) AS candidate_blast_count, count(*) FILTER (WHERE slow AND is_blast) AS slow_blast_count,
           sum(contact_bat_speed_mph) AS candidate_speed_sum, sum(contact_bat_speed_mph) FILTER (WHERE slow) AS slow_speed_sum,
           sum(swing_length_ft) AS candidate_length_sum, sum(swing_length_ft) FILTER (WHERE slow) AS slow_length_sum,
           sum(contact_attack_angle_deg) AS candidate_attack_sum, sum(contact_attack_angle_deg) FILTER (WHERE slow) AS slow_attack_sum,
           percentile_cont(0.1) WITHIN GROUP (ORDER BY contact_bat_speed_mph) FILTER (WHERE NOT coalesce(slow, false)) AS contact_speed_p10,
           percentile_cont(0.9) WITHIN GROUP (ORDER BY contact_bat_speed_mph) FILTER (WHERE NOT coalesce(slow, false)) AS contact_speed_p90
    FROM (SELECT r.*, r.contact_bat_speed_mph >= 75 AS fast, r.contact_attack_angle_deg BETWEEN 5 AND 20 AS ideal,
                 r.contact_bat_speed_mph < sums.tenth AND NOT coalesce(r.contact_bat_speed_mph >= 60 AND r.exit_velocity_mph >= 90, false) AS slow
          FROM r JOIN sums USING (batter_id, overall, game_key)
          WHERE r.contact_bat_speed_mph IS NOT NULL AND (r.contact_confidence = 'reliable' OR r.contact_bat_speed_mph >= 60 AND r.exit_velocity_mph >= 90)) AS candidates
    GROUP BY batter_id, overall, game_key
), swords AS (
    SELECT batter_id, overall, game_key, count(*) AS sword_count
    FROM r JOIN sums USING (batter_id, overall, game_key) WHERE is_cut_short AND contact_bat_speed_mph <= tenth
    GROUP BY batter_id, overall, game_key
), last AS (
    SELECT DISTINCT ON (batter_id, overall, game_key) *
    FROM r ORDER BY batter_id, overall, game_key, event_time DESC, revision DESC, record_ts_ms DESC, source_offset DESC, source_partition DESC
), types AS (
    SELECT batter_id, overall, game_key, array_agg(type ORDER BY type) AS type_names, array_agg(n ORDER BY type) AS type_pitches,
           array_agg(swings ORDER BY type) AS type_swings, array_agg(whiffs ORDER BY type) AS type_whiffs
    FROM (SELECT batter_id, overall, game_key, CASE WHEN place <= 64 THEN type ELSE 'other' END AS type,
                 sum(n)::bigint AS n, sum(swings)::bigint AS swings, sum(whiffs)::bigint AS whiffs
          FROM (SELECT batter_id, overall, game_key, type, count(*) AS n, count(*) FILTER (WHERE is_swing) AS swings, count(*) FILTER (WHERE is_whiff) AS whiffs,
                       row_number() OVER (PARTITION BY batter_id, overall, game_key ORDER BY type = 'other', count(*) DESC, type COLLATE "C") AS place
                FROM r GROUP BY batter_id, overall, game_key, type) AS ranked
          GROUP BY 1, 2, 3, 4) AS t
    GROUP BY batter_id, overall, game_key
)
SELECT s.batter_id, CASE WHEN NOT s.overall THEN s.game_key END AS game_key, 0::bigint AS seq, s.pitches, s.swing_count, s.whiff_count, s.contact_count, s.hard_hit_count,
       s.exit_velocity_count, s.exit_velocity_sum, s.exit_velocity_max, s.bat_speed_count, s.bat_speed_sum, s.bat_speed_max,
       s.attack_angle_count, s.attack_angle_sum,
       s.in_zone_count, s.zone_swing_count, s.zone_contact_count, s.out_of_zone_count, s.chase_count,
       s.batted_ball_count, s.barrel_count, s.launch_count, s.sweet_spot_count,
       coalesce(w.reliable_count, 0) AS reliable_count, {candidates: coalesce(w.@, 0) AS @}, {slow: coalesce(w.@, 0) AS @},
       l.pitch_id AS last_pitch_id, l.event_time AS last_event_time, l.revision AS last_revision, l.record_ts_ms AS last_record_ts_ms,
       l.source_offset AS last_offset, l.source_partition AS last_partition, l.pitch_result AS last_pitch_result,
       l.pitch_action AS last_pitch_action, l.exit_velocity_mph AS last_exit_velocity_mph,
       t.type_names, t.type_pitches, t.type_swings, t.type_whiffs,
       w.contact_speed_p10, w.contact_speed_p90, s.exit_velocity_p90,
       (SELECT sum(v) FROM unnest(s.exits[:(cardinality(s.exits) + 1) / 2]) AS v) AS exit_velocity_top_sum,
       coalesce(k.sword_count, 0) AS sword_count
FROM sums s
JOIN last l USING (batter_id, overall, game_key)
JOIN types t USING (batter_id, overall, game_key)
LEFT JOIN swings w USING (batter_id, overall, game_key)
LEFT JOIN swords k USING (batter_id, overall, game_key)
