-- Sum the slow swings of some batters, compute their percentiles, and return their totals. Slow are the reliable swings below
-- the 10th percentile of them all, unless they hit the ball hard. None of this adds up over games, because each swing of a
-- batter moves the percentiles. One index has his candidates by speed, and the slowest fifth and the fastest tenth of them
-- are read. Another has his exit velocities, of which the greater half is read. A third has the swings that were cut short,
-- which are swords up to the 10th percentile of his reliable swings.
WITH t AS MATERIALIZED (
    SELECT b.batter_id AS batter, b.reliable_count AS reliable, b.exit_velocity_count AS exits, b.candidate_count - s.slow_count AS swings, s.slowest_fast, {slow: s.@ AS new_@},
           EXISTS (SELECT FROM {schema}.pitch_registers r WHERE r.batter_id = b.batter_id AND r.is_cut_short) AS is_cut_short
    FROM {schema}.batter_totals AS b CROSS JOIN LATERAL (
        SELECT max(slowest) AS slowest_fast, {sums of slow}
        FROM (SELECT r.*, max(contact_speed) OVER () AS slowest
              FROM (SELECT {values at contact}
                    FROM {schema}.pitch_registers r
                    WHERE r.batter_id = b.batter_id AND {is candidate} AND r.contact_confidence = 'reliable'
                    ORDER BY r.contact_bat_speed_mph
                    LIMIT CASE WHEN b.reliable_count > 0 THEN (b.reliable_count + 8) / 10 + 1 ELSE 0 END) AS r) AS slowest_tenth) AS s
    WHERE b.batter_id = ANY ({players})
)
UPDATE {schema}.batter_totals AS b SET
    {slow: @ = t.new_@},
    contact_speed_p10 = low.a + (0.1::float8 * (t.swings - 1) - floor(0.1::float8 * (t.swings - 1))) * (low.z - low.a),
    contact_speed_p90 = CASE WHEN 0.9::float8 * (t.swings - 1) = floor(0.9::float8 * (t.swings - 1)) THEN high.z
                             ELSE high.a + (0.9::float8 * (t.swings - 1) - floor(0.9::float8 * (t.swings - 1))) * (high.z - high.a) END,
    exit_velocity_p90 = e.a + (0.9::float8 * (t.exits - 1) - floor(0.9::float8 * (t.exits - 1))) * (e.z - e.a),
    exit_velocity_top_sum = e.top_sum,
    sword_count = sword.swords
FROM t CROSS JOIN LATERAL (
    SELECT min(v) AS a, max(v) AS z
    FROM (SELECT r.contact_bat_speed_mph AS v
          FROM {schema}.pitch_registers r WHERE r.batter_id = t.batter AND {is candidate} AND {is competitive}
          ORDER BY r.contact_bat_speed_mph
          OFFSET greatest(floor(0.1::float8 * (t.swings - 1))::bigint, 0) LIMIT CASE WHEN t.swings > 0 THEN 2 ELSE 0 END) AS two) AS low
CROSS JOIN LATERAL (
    SELECT min(v) AS a, max(v) AS z
    FROM (SELECT r.contact_bat_speed_mph AS v
          FROM {schema}.pitch_registers r WHERE r.batter_id = t.batter AND {is candidate} AND {is competitive}
          ORDER BY r.contact_bat_speed_mph DESC
          OFFSET greatest(t.swings - 1 - ceil(0.9::float8 * (t.swings - 1))::bigint, 0) LIMIT CASE WHEN t.swings > 0 THEN 2 ELSE 0 END) AS two) AS high
CROSS JOIN LATERAL (
    SELECT sum(v) FILTER (WHERE place <= (t.exits + 1) / 2) AS top_sum,
           max(v) FILTER (WHERE place = t.exits - floor(0.9::float8 * (t.exits - 1))) AS a,
           max(v) FILTER (WHERE place = t.exits - ceil(0.9::float8 * (t.exits - 1))) AS z
    FROM (SELECT r.exit_velocity_mph AS v, row_number() OVER (ORDER BY r.exit_velocity_mph DESC) AS place
          FROM {schema}.pitch_registers r WHERE r.batter_id = t.batter AND r.exit_velocity_mph IS NOT NULL
          ORDER BY r.exit_velocity_mph DESC
          LIMIT CASE WHEN t.exits > 0 THEN greatest((t.exits + 1) / 2, 2) ELSE 0 END) AS half) AS e
CROSS JOIN LATERAL (
    SELECT min(v) + (0.1::float8 * (t.reliable - 1) - floor(0.1::float8 * (t.reliable - 1))) * (max(v) - min(v)) AS speed
    FROM (SELECT r.contact_bat_speed_mph AS v
          FROM {schema}.pitch_registers r WHERE r.batter_id = t.batter AND {is candidate} AND r.contact_confidence = 'reliable'
          ORDER BY r.contact_bat_speed_mph
          OFFSET greatest(floor(0.1::float8 * (t.reliable - 1))::bigint, 0) LIMIT CASE WHEN t.is_cut_short THEN 2 ELSE 0 END) AS two) AS tenth
CROSS JOIN LATERAL (
    SELECT count(*) AS swords
    FROM {schema}.pitch_registers r
    -- guard: a sword is as slow as the slowest tenth of its batter | AND r.contact_bat_speed_mph <= tenth.speed ->
    WHERE r.batter_id = t.batter AND r.is_cut_short AND r.contact_bat_speed_mph <= tenth.speed) AS sword
WHERE b.batter_id = t.batter
RETURNING b.batter_id, seq, prev_seq, {stats columns}
