SELECT whole.pitcher_id, t.* FROM whole CROSS JOIN LATERAL (
    SELECT coalesce(r.pitch_type, 'unknown') AS type, {sums of pitches}
    FROM {schema}.pitch_registers r WHERE coalesce(r.identified_pitcher_id, r.measured_pitcher_id) = whole.pitcher_id AND r.standing GROUP BY 1) AS t
-- guard: pitchers: a pitcher has few types of pitches | whole.many_types OR -> false AND
WHERE whole.many_types OR (SELECT count(*) FROM of_games o WHERE o.pitcher_id = whole.pitcher_id) > 64
