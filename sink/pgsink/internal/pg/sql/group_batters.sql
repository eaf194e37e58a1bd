-- Compute the aggregates of batters in the groups n of the rows r, as the tables that joins_of_batters.sql names.
types AS (
    SELECT n, type,
           count(*)::int AS pitches,
           (count(*) FILTER (WHERE is_swing))::int AS swing_count,
           (count(*) FILTER (WHERE is_whiff))::int AS whiff_count,
           (count(*) FILTER (WHERE is_contact))::int AS contact_count,
           (count(*) FILTER (WHERE exit_velocity >= 95))::int AS hard_hit_count,
           count(exit_velocity)::int AS exit_velocity_count, sum(exit_velocity) AS exit_velocity_sum, max(exit_velocity) AS exit_velocity_max,
           count(bat_speed)::int AS bat_speed_count, sum(bat_speed) AS bat_speed_sum, max(bat_speed) AS bat_speed_max,
           count(attack_angle)::int AS attack_angle_count, sum(attack_angle) AS attack_angle_sum,
           (count(*) FILTER (WHERE in_zone))::int AS in_zone_count,
           (count(*) FILTER (WHERE in_zone AND is_swing))::int AS zone_swing_count,
           (count(*) FILTER (WHERE in_zone AND is_swing AND is_contact))::int AS zone_contact_count,
           (count(*) FILTER (WHERE NOT in_zone))::int AS out_of_zone_count,
           (count(*) FILTER (WHERE NOT in_zone AND is_chase))::int AS chase_count,
           count(is_barrel)::int AS batted_ball_count, (count(*) FILTER (WHERE is_barrel))::int AS barrel_count,
           count(launch_angle)::int AS launch_count,
           (count(*) FILTER (WHERE launch_angle BETWEEN 8 AND 32))::int AS sweet_spot_count,
           max(event_time) AS last_time
    FROM r GROUP BY n, type ORDER BY n, type
), a AS ( -- sums of int are bigint; sums of bigint would be numeric, which is slow
    SELECT n, max(last_time) AS last_time, sum(pitches) AS pitches, {pitch totals: sum(@) AS @}, {maxima: max(@) AS @},
           array_agg(type) AS type_names, array_agg(pitches::bigint) AS type_pitches,
           array_agg(swing_count::bigint) AS type_swings, array_agg(whiff_count::bigint) AS type_whiffs
    FROM types GROUP BY n
), fastest AS ( -- the slowest of the fastest 90 % of a game's reliable swings
    SELECT n, (array_agg(contact_speed ORDER BY contact_speed))[(count(*) + 8) / 10 + 1] AS slowest
    FROM r WHERE is_reliable GROUP BY n
), s AS (
    SELECT n, count(*) FILTER (WHERE is_reliable) AS reliable_count, {sums of candidates}, {sums of slow},
           percentile_cont(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY contact_speed) FILTER (WHERE is_hard OR contact_speed >= slowest) AS speeds
    FROM r LEFT JOIN fastest USING (n)
    WHERE is_reliable OR is_hard GROUP BY n
), e AS (
    SELECT n, percentile_cont(0.9) WITHIN GROUP (ORDER BY exit_velocity) AS p90, sum(exit_velocity) FILTER (WHERE place <= (total + 1) / 2) AS top_sum
    FROM (SELECT n, exit_velocity, row_number() OVER (PARTITION BY n ORDER BY exit_velocity DESC) AS place, count(*) OVER (PARTITION BY n) AS total
          FROM r WHERE exit_velocity IS NOT NULL) AS placed
    GROUP BY n
), swords AS ( -- few games have a swing that was cut short, and only of these is the percentile computed
    SELECT n, count(*) AS swords
    FROM (SELECT n, percentile_cont(0.1) WITHIN GROUP (ORDER BY contact_speed) FILTER (WHERE is_reliable) AS tenth,
                 array_agg(contact_speed) FILTER (WHERE is_cut_short) AS speeds
          FROM r WHERE n IN (SELECT n FROM r WHERE is_cut_short) GROUP BY n) AS g CROSS JOIN LATERAL unnest(speeds) AS u(speed)
    -- guard: a sword is as slow as the slowest tenth of its game | WHERE speed <= tenth -> WHERE true
    WHERE speed <= tenth GROUP BY n
), few AS ( -- instead of the types of games that have many
    SELECT a.n, f.* FROM a CROSS JOIN LATERAL (
        {bounded types of a}) AS f
    -- guard: a game has few types of pitches | cardinality(a.type_names) > 64 -> false
    WHERE cardinality(a.type_names) > 64
), l AS ( -- few rows are sorted: those of a game's last time
    SELECT DISTINCT ON (n) n, pitch_id, event_time, revision, record_ts_ms, source_offset, source_partition, pitch_result, pitch_action, exit_velocity
    FROM r JOIN a USING (n) WHERE r.event_time = a.last_time
    ORDER BY n, revision DESC, record_ts_ms DESC, source_offset DESC, source_partition DESC
)
