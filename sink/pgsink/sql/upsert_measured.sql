-- Write the measured registers of a batch, at most one version per pitch, sorted by pitch so that two processors lock in
-- the same order. A greater version replaces the current one. An equal one does too, unless a newer core wrote the current
-- one. A lower one changes nothing and returns nothing. previous_* keep the batter, the
-- pitcher and the game that the row counted for.
--
-- repeats and conflicts count records that arrived after one of the same revision. Within the batch the arguments have
-- counted them. Against the record before the batch the row is compared. Only one of the two counts, because a batch that
-- is read again holds records that are counted already. A record with an equal version is one that is read again. Another
-- core may compute other values from the same record, which is no conflict. gone_* keep the game of a deleted pitch.
INSERT INTO {schema}.pitch_registers AS r (
    pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time, deleted,
    game_pk, game_date, venue, measured_batter_id, measured_pitcher_id, measured_team_id, inning, balls,
    strikes, outs, pitch_type, pitch_result, pitch_action, pitch_speed_mph, spin_rate_rpm, exit_velocity_mph,
    hit_spin_rpm, launch_angle_deg, spray_angle_deg, is_swing, is_contact, is_whiff, swing_confidence, attack_angle_deg,
    bat_speed_mph, speed_confidence, bat_samples, ball_samples, duplicate_samples, issues,
    release_speed_mph, plate_speed_mph, plate_time_s, plate_x_ft, plate_z_ft, vertical_approach_deg,
    horizontal_approach_deg, horizontal_break_in, induced_vertical_break_in, flight_rms_ft, in_zone, is_chase,
    contact_time_s, contact_source, contact_bat_speed_mph, contact_bat_speed_error_mph, contact_bat_speed_spread_mph,
    contact_attack_angle_deg, contact_attack_direction_deg, contact_attack_direction_pull_deg, bat_side,
    swing_path_tilt_deg, swing_length_ft, time_to_contact_s, intercept_x_ft, intercept_y_ft, intercept_z_ft,
    contact_from_head_in, miss_distance_in, squared_up_pct, is_squared_up, is_blast, is_barrel, contact_confidence,
    contact_doubts, end_bat_speed_mph, is_cut_short,
    core_version, build, processed_at, repeats, conflicts, gone_game_pk, gone_day, gone_venue)
SELECT m.pitch_id, m.revision, m.record_ts_ms, m.source_offset, m.source_partition, m.source_topic, m.event_time, m.deleted,
       m.game_pk, m.game_date::date, m.venue, m.measured_batter_id, m.measured_pitcher_id, m.measured_team_id, m.inning, m.balls,
       m.strikes, m.outs, m.pitch_type, m.pitch_result, m.pitch_action, m.pitch_speed_mph, m.spin_rate_rpm, m.exit_velocity_mph,
       m.hit_spin_rpm, m.launch_angle_deg, m.spray_angle_deg, m.is_swing, m.is_contact, m.is_whiff, m.swing_confidence, m.attack_angle_deg,
       m.bat_speed_mph, m.speed_confidence, m.bat_samples, m.ball_samples, m.duplicate_samples, string_to_array(m.issues, ';'),
       m.release_speed_mph, m.plate_speed_mph, m.plate_time_s, m.plate_x_ft, m.plate_z_ft, m.vertical_approach_deg,
       m.horizontal_approach_deg, m.horizontal_break_in, m.induced_vertical_break_in, m.flight_rms_ft, m.in_zone,
       m.is_chase, m.contact_time_s, m.contact_source, m.contact_bat_speed_mph, m.contact_bat_speed_error_mph,
       m.contact_bat_speed_spread_mph, m.contact_attack_angle_deg, m.contact_attack_direction_deg,
       m.contact_attack_direction_pull_deg, m.bat_side, m.swing_path_tilt_deg, m.swing_length_ft, m.time_to_contact_s,
       m.intercept_x_ft, m.intercept_y_ft, m.intercept_z_ft, m.contact_from_head_in, m.miss_distance_in,
       m.squared_up_pct, m.is_squared_up, m.is_blast, m.is_barrel, m.contact_confidence,
       string_to_array(m.contact_doubts, ';'), m.end_bat_speed_mph, m.is_cut_short,
       $76::int, $77::text, $78::timestamptz, m.repeats, m.conflicts, m.gone_game_pk, m.gone_day::date, m.gone_venue
FROM (SELECT -- unnest in a target list costs half of what it costs in FROM, where the values of each array are stored first
    unnest($1::uuid[]) AS pitch_id, unnest($2::bigint[]) AS revision, unnest($3::bigint[]) AS record_ts_ms,
    unnest($4::bigint[]) AS source_offset, unnest($5::int[]) AS source_partition, unnest($6::text[]) AS source_topic,
    unnest($7::timestamptz[]) AS event_time, unnest($8::boolean[]) AS deleted, unnest($9::text[]) AS game_pk,
    unnest($10::text[]) AS game_date, unnest($11::text[]) AS venue, unnest($12::bigint[]) AS measured_batter_id,
    unnest($13::bigint[]) AS measured_pitcher_id, unnest($14::bigint[]) AS measured_team_id,
    unnest($15::smallint[]) AS inning, unnest($16::smallint[]) AS balls, unnest($17::smallint[]) AS strikes,
    unnest($18::smallint[]) AS outs, unnest($19::text[]) AS pitch_type, unnest($20::text[]) AS pitch_result,
    unnest($21::text[]) AS pitch_action, unnest($22::float8[]) AS pitch_speed_mph, unnest($23::float8[]) AS spin_rate_rpm,
    unnest($24::float8[]) AS exit_velocity_mph, unnest($25::float8[]) AS hit_spin_rpm,
    unnest($26::float8[]) AS launch_angle_deg, unnest($27::float8[]) AS spray_angle_deg, unnest($28::boolean[]) AS is_swing,
    unnest($29::boolean[]) AS is_contact, unnest($30::boolean[]) AS is_whiff, unnest($31::text[]) AS swing_confidence,
    unnest($32::float8[]) AS attack_angle_deg, unnest($33::float8[]) AS bat_speed_mph,
    unnest($34::text[]) AS speed_confidence, unnest($35::int[]) AS bat_samples, unnest($36::int[]) AS ball_samples,
    unnest($37::int[]) AS duplicate_samples, unnest($38::text[]) AS issues, unnest($39::float8[]) AS release_speed_mph,
    unnest($40::float8[]) AS plate_speed_mph, unnest($41::float8[]) AS plate_time_s, unnest($42::float8[]) AS plate_x_ft,
    unnest($43::float8[]) AS plate_z_ft, unnest($44::float8[]) AS vertical_approach_deg,
    unnest($45::float8[]) AS horizontal_approach_deg, unnest($46::float8[]) AS horizontal_break_in,
    unnest($47::float8[]) AS induced_vertical_break_in, unnest($48::float8[]) AS flight_rms_ft,
    unnest($49::boolean[]) AS in_zone, unnest($50::boolean[]) AS is_chase, unnest($51::float8[]) AS contact_time_s,
    unnest($52::text[]) AS contact_source, unnest($53::float8[]) AS contact_bat_speed_mph,
    unnest($54::float8[]) AS contact_bat_speed_error_mph, unnest($55::float8[]) AS contact_bat_speed_spread_mph,
    unnest($56::float8[]) AS contact_attack_angle_deg, unnest($57::float8[]) AS contact_attack_direction_deg,
    unnest($58::float8[]) AS contact_attack_direction_pull_deg, unnest($59::text[]) AS bat_side,
    unnest($60::float8[]) AS swing_path_tilt_deg, unnest($61::float8[]) AS swing_length_ft,
    unnest($62::float8[]) AS time_to_contact_s, unnest($63::float8[]) AS intercept_x_ft,
    unnest($64::float8[]) AS intercept_y_ft, unnest($65::float8[]) AS intercept_z_ft,
    unnest($66::float8[]) AS contact_from_head_in, unnest($67::float8[]) AS miss_distance_in,
    unnest($68::float8[]) AS squared_up_pct, unnest($69::boolean[]) AS is_squared_up, unnest($70::boolean[]) AS is_blast,
    unnest($71::boolean[]) AS is_barrel, unnest($72::text[]) AS contact_confidence, unnest($73::text[]) AS contact_doubts,
    unnest($74::float8[]) AS end_bat_speed_mph, unnest($75::boolean[]) AS is_cut_short,
    unnest($79::int[]) AS repeats, unnest($80::int[]) AS conflicts, unnest($81::text[]) AS gone_game_pk,
    unnest($82::text[]) AS gone_day, unnest($83::text[]) AS gone_venue
) AS m
ORDER BY m.pitch_id
ON CONFLICT (pitch_id) DO UPDATE SET
    revision = excluded.revision, record_ts_ms = excluded.record_ts_ms, source_offset = excluded.source_offset, source_partition = excluded.source_partition,
    source_topic = excluded.source_topic, event_time = excluded.event_time, deleted = excluded.deleted, game_pk = excluded.game_pk,
    game_date = excluded.game_date, venue = excluded.venue, measured_batter_id = excluded.measured_batter_id, measured_pitcher_id = excluded.measured_pitcher_id,
    measured_team_id = excluded.measured_team_id, inning = excluded.inning, balls = excluded.balls, strikes = excluded.strikes,
    outs = excluded.outs, pitch_type = excluded.pitch_type, pitch_result = excluded.pitch_result, pitch_action = excluded.pitch_action,
    pitch_speed_mph = excluded.pitch_speed_mph, spin_rate_rpm = excluded.spin_rate_rpm, exit_velocity_mph = excluded.exit_velocity_mph, hit_spin_rpm = excluded.hit_spin_rpm,
    launch_angle_deg = excluded.launch_angle_deg, spray_angle_deg = excluded.spray_angle_deg, is_swing = excluded.is_swing, is_contact = excluded.is_contact,
    is_whiff = excluded.is_whiff, swing_confidence = excluded.swing_confidence, attack_angle_deg = excluded.attack_angle_deg, bat_speed_mph = excluded.bat_speed_mph,
    speed_confidence = excluded.speed_confidence, bat_samples = excluded.bat_samples, ball_samples = excluded.ball_samples, duplicate_samples = excluded.duplicate_samples,
    issues = excluded.issues,
    release_speed_mph = excluded.release_speed_mph, plate_speed_mph = excluded.plate_speed_mph, plate_time_s = excluded.plate_time_s, plate_x_ft =
    excluded.plate_x_ft, plate_z_ft = excluded.plate_z_ft, vertical_approach_deg = excluded.vertical_approach_deg, horizontal_approach_deg =
    excluded.horizontal_approach_deg, horizontal_break_in = excluded.horizontal_break_in, induced_vertical_break_in =
    excluded.induced_vertical_break_in, flight_rms_ft = excluded.flight_rms_ft, in_zone = excluded.in_zone, is_chase = excluded.is_chase,
    contact_time_s = excluded.contact_time_s, contact_source = excluded.contact_source, contact_bat_speed_mph = excluded.contact_bat_speed_mph,
    contact_bat_speed_error_mph = excluded.contact_bat_speed_error_mph, contact_bat_speed_spread_mph = excluded.contact_bat_speed_spread_mph,
    contact_attack_angle_deg = excluded.contact_attack_angle_deg, contact_attack_direction_deg = excluded.contact_attack_direction_deg,
    contact_attack_direction_pull_deg = excluded.contact_attack_direction_pull_deg, bat_side = excluded.bat_side, swing_path_tilt_deg =
    excluded.swing_path_tilt_deg, swing_length_ft = excluded.swing_length_ft, time_to_contact_s = excluded.time_to_contact_s, intercept_x_ft =
    excluded.intercept_x_ft, intercept_y_ft = excluded.intercept_y_ft, intercept_z_ft = excluded.intercept_z_ft, contact_from_head_in =
    excluded.contact_from_head_in, miss_distance_in = excluded.miss_distance_in, squared_up_pct = excluded.squared_up_pct, is_squared_up =
    excluded.is_squared_up, is_blast = excluded.is_blast, is_barrel = excluded.is_barrel, contact_confidence = excluded.contact_confidence,
    contact_doubts = excluded.contact_doubts, end_bat_speed_mph = excluded.end_bat_speed_mph, is_cut_short = excluded.is_cut_short,
    core_version = excluded.core_version, build = excluded.build, processed_at = excluded.processed_at,
    previous_batter_id = r.batter_id, previous_pitcher_id = {pitcher of r}, previous_game_pk = r.game_pk,
    (repeats, conflicts) = (
        -- guard: quality: a poll that is read again counts nothing twice | THEN (later AND same)::int ELSE coalesce(excluded.repeats, 0) END -> THEN (later AND same)::int + coalesce(excluded.repeats, 0) ELSE coalesce(excluded.repeats, 0) END
        -- guard: quality: what differs at one revision is no repeat | THEN (later AND same)::int ELSE -> THEN later::int ELSE
        SELECT nullif(coalesce(r.repeats, 0) + CASE WHEN excluded.revision = r.revision THEN (later AND same)::int ELSE coalesce(excluded.repeats, 0) END, 0),
               -- guard: quality: a correction is no conflict | CASE WHEN excluded.revision = r.revision THEN (later AND NOT same) -> CASE WHEN r.revision IS NOT NULL THEN (later AND NOT same)
               nullif(coalesce(r.conflicts, 0) + CASE WHEN excluded.revision = r.revision THEN (later AND NOT same)::int ELSE coalesce(excluded.conflicts, 0) END, 0)
        FROM (SELECT
            r.standing AND NOT excluded.deleted AND (excluded.record_ts_ms, excluded.source_offset, excluded.source_partition)
                -- guard: quality: a record that is read again is no repeat | <> (r.record_ts_ms, r.source_offset, r.source_partition) AS later -> IS NOT NULL AS later
                <> (r.record_ts_ms, r.source_offset, r.source_partition) AS later,
            -- guard: quality: another core's values are no conflict | excluded.core_version <> r.core_version OR -> false OR
            excluded.core_version <> r.core_version OR
                (excluded.game_pk, excluded.game_date, excluded.venue, excluded.measured_batter_id, excluded.measured_pitcher_id, excluded.measured_team_id, excluded.inning, excluded.balls,
                  excluded.strikes, excluded.outs, excluded.pitch_type, excluded.pitch_result, excluded.pitch_action, excluded.pitch_speed_mph, excluded.spin_rate_rpm, excluded.exit_velocity_mph,
                  excluded.hit_spin_rpm, excluded.launch_angle_deg, excluded.spray_angle_deg, excluded.is_swing, excluded.is_contact, excluded.is_whiff, excluded.swing_confidence, excluded.attack_angle_deg,
                  excluded.bat_speed_mph, excluded.speed_confidence, excluded.bat_samples, excluded.ball_samples, excluded.duplicate_samples, excluded.issues,
                  excluded.release_speed_mph, excluded.plate_speed_mph, excluded.plate_time_s, excluded.plate_x_ft, excluded.plate_z_ft,
                  excluded.vertical_approach_deg, excluded.horizontal_approach_deg, excluded.horizontal_break_in, excluded.induced_vertical_break_in,
                  excluded.flight_rms_ft, excluded.in_zone, excluded.is_chase, excluded.contact_time_s, excluded.contact_source,
                  excluded.contact_bat_speed_mph, excluded.contact_bat_speed_error_mph, excluded.contact_bat_speed_spread_mph,
                  excluded.contact_attack_angle_deg, excluded.contact_attack_direction_deg, excluded.contact_attack_direction_pull_deg,
                  excluded.bat_side, excluded.swing_path_tilt_deg, excluded.swing_length_ft, excluded.time_to_contact_s, excluded.intercept_x_ft,
                  excluded.intercept_y_ft, excluded.intercept_z_ft, excluded.contact_from_head_in, excluded.miss_distance_in, excluded.squared_up_pct,
                  excluded.is_squared_up, excluded.is_blast, excluded.is_barrel, excluded.contact_confidence, excluded.contact_doubts,
                  excluded.end_bat_speed_mph, excluded.is_cut_short)
                IS NOT DISTINCT FROM
                (r.game_pk, r.game_date, r.venue, r.measured_batter_id, r.measured_pitcher_id, r.measured_team_id, r.inning, r.balls,
                  r.strikes, r.outs, r.pitch_type, r.pitch_result, r.pitch_action, r.pitch_speed_mph, r.spin_rate_rpm, r.exit_velocity_mph,
                  r.hit_spin_rpm, r.launch_angle_deg, r.spray_angle_deg, r.is_swing, r.is_contact, r.is_whiff, r.swing_confidence, r.attack_angle_deg,
                  r.bat_speed_mph, r.speed_confidence, r.bat_samples, r.ball_samples, r.duplicate_samples, r.issues,
                  r.release_speed_mph, r.plate_speed_mph, r.plate_time_s, r.plate_x_ft, r.plate_z_ft, r.vertical_approach_deg,
                  r.horizontal_approach_deg, r.horizontal_break_in, r.induced_vertical_break_in, r.flight_rms_ft, r.in_zone, r.is_chase,
                  r.contact_time_s, r.contact_source, r.contact_bat_speed_mph, r.contact_bat_speed_error_mph, r.contact_bat_speed_spread_mph,
                  r.contact_attack_angle_deg, r.contact_attack_direction_deg, r.contact_attack_direction_pull_deg, r.bat_side, r.swing_path_tilt_deg,
                  r.swing_length_ft, r.time_to_contact_s, r.intercept_x_ft, r.intercept_y_ft, r.intercept_z_ft, r.contact_from_head_in,
                  r.miss_distance_in, r.squared_up_pct, r.is_squared_up, r.is_blast, r.is_barrel, r.contact_confidence, r.contact_doubts,
                  r.end_bat_speed_mph, r.is_cut_short) AS same
        ) AS before),
    -- guard: quality: a delete that is read again keeps its game | WHEN r.gone_day IS NOT NULL THEN r.gone_game_pk ELSE excluded.gone_game_pk END -> ELSE excluded.gone_game_pk END
    gone_game_pk = CASE WHEN NOT excluded.deleted THEN NULL WHEN r.standing THEN r.game_pk WHEN r.gone_day IS NOT NULL THEN r.gone_game_pk ELSE excluded.gone_game_pk END,
    gone_venue = CASE WHEN NOT excluded.deleted THEN NULL WHEN r.standing THEN r.venue WHEN r.gone_day IS NOT NULL THEN r.gone_venue ELSE excluded.gone_venue END,
    -- guard: quality: a pitch that comes back is not deleted | gone_day = CASE WHEN NOT excluded.deleted THEN NULL WHEN -> gone_day = CASE WHEN
    gone_day = CASE WHEN NOT excluded.deleted THEN NULL WHEN r.standing THEN coalesce(r.game_date, (r.event_time AT TIME ZONE 'UTC')::date)
                    ELSE coalesce(r.gone_day, excluded.gone_day) END
-- guard: version fence of the measured register | WHERE r.revision IS NULL -> WHERE true
WHERE r.revision IS NULL
   OR (excluded.revision, excluded.record_ts_ms, excluded.source_offset, excluded.source_partition)
    > (r.revision, r.record_ts_ms, r.source_offset, r.source_partition)
   OR ((excluded.revision, excluded.record_ts_ms, excluded.source_offset, excluded.source_partition)
     = (r.revision, r.record_ts_ms, r.source_offset, r.source_partition)
       -- guard: an older core does not rewrite | AND excluded.core_version >= r.core_version -> AND true
       AND excluded.core_version >= r.core_version)
RETURNING pitch_id, batter_id, {pitcher of r}, coalesce(game_pk, ''), previous_batter_id, previous_pitcher_id,
          coalesce(previous_game_pk, ''), standing,
          identified_batter_id, identified_pitcher_id, identified_team_id,
          {at bat: CASE WHEN r.identified_at_bat_version = ARRAY[r.identified_revision, r.identified_record_ts_ms, r.identified_source_offset, r.identified_source_partition] THEN r.identified_@ END},
          identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition
