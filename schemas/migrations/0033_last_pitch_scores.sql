-- The last pitch of a player has what live models say about it, as pitch_scores does. So a change of such a score is a change of
-- the player: it raises the sequence numbers of the player and of the game, and Redis follows.
ALTER TABLE model_generation ADD COLUMN rescored bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN model_generation.rescored IS 'Goes up where scores of last pitches change without a batch: processors compare Redis with Postgres then; 0: never yet';

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
           'exit_velocity_mph', last_exit_velocity_mph)
           || coalesce((SELECT jsonb_build_object('scores', jsonb_object_agg(o.model, jsonb_build_object('version', o.version,
                            'label', o.label, 'value', o.value, 'margin', o.margin, 'p_value', o.p_value, 'shift', o.shift)))
                        FROM pitch_scores AS o WHERE o.pitch_id = last_pitch_id HAVING count(*) > 0), '{}') AS last_pitch,
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
       exit_velocity_top_sum / nullif((exit_velocity_count + 1) / 2, 0) AS avg_ev50_mph,
       sword_count
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
           'exit_velocity_mph', last_exit_velocity_mph)
           || coalesce((SELECT jsonb_build_object('scores', jsonb_object_agg(o.model, jsonb_build_object('version', o.version,
                            'label', o.label, 'value', o.value, 'margin', o.margin, 'p_value', o.p_value, 'shift', o.shift)))
                        FROM pitch_scores AS o WHERE o.pitch_id = last_pitch_id HAVING count(*) > 0), '{}') AS last_pitch,
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
       exit_velocity_top_sum / nullif((exit_velocity_count + 1) / 2, 0) AS avg_ev50_mph,
       sword_count
FROM batter_game_totals
WHERE pitches > 0 AND game_key <> '';

CREATE OR REPLACE VIEW pitcher_stats AS
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
           'exit_velocity_mph', p.last_exit_velocity_mph)
           || coalesce((SELECT jsonb_build_object('scores', jsonb_object_agg(o.model, jsonb_build_object('version', o.version,
                            'label', o.label, 'value', o.value, 'margin', o.margin, 'p_value', o.p_value, 'shift', o.shift)))
                        FROM pitch_scores AS o WHERE o.pitch_id = p.last_pitch_id HAVING count(*) > 0), '{}') AS last_pitch,
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

CREATE OR REPLACE VIEW pitcher_game_stats AS
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
           'exit_velocity_mph', p.last_exit_velocity_mph)
           || coalesce((SELECT jsonb_build_object('scores', jsonb_object_agg(o.model, jsonb_build_object('version', o.version,
                            'label', o.label, 'value', o.value, 'margin', o.margin, 'p_value', o.p_value, 'shift', o.shift)))
                        FROM pitch_scores AS o WHERE o.pitch_id = p.last_pitch_id HAVING count(*) > 0), '{}') AS last_pitch,
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

-- Projections fetch the players again whose last pitches have a score by now.
UPDATE batter_totals SET seq = seq + 1, prev_seq = seq
WHERE batter_id IN (SELECT g.batter_id FROM batter_game_totals AS g JOIN pitch_scores AS s ON s.pitch_id = g.last_pitch_id);
UPDATE batter_game_totals AS g SET seq = p.seq
FROM batter_totals AS p
WHERE p.batter_id = g.batter_id AND g.last_pitch_id IN (SELECT pitch_id FROM pitch_scores);
UPDATE pitcher_totals SET seq = seq + 1, prev_seq = seq
WHERE pitcher_id IN (SELECT g.pitcher_id FROM pitcher_game_totals AS g JOIN pitch_scores AS s ON s.pitch_id = g.last_pitch_id);
UPDATE pitcher_game_totals AS g SET seq = p.seq
FROM pitcher_totals AS p
WHERE p.pitcher_id = g.pitcher_id AND g.last_pitch_id IN (SELECT pitch_id FROM pitch_scores);
