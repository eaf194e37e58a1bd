-- Compute the aggregates of pitchers in the groups n of the rows r: their sums by type in a, and the last pitch in l.
types_of_rows AS (
    SELECT n, type, max(event_time) AS last_time, count(release_speed_mph) AS releases, {sums of pitches}
    FROM r GROUP BY n, type
), types AS (
    {bounded pitches of n}
), ends AS ( -- the first and the last pitches of a type that have a release speed, where no pitch is both
    SELECT n, type, sum(release_speed_mph) FILTER (WHERE place <= 15) AS type_first_sums,
           sum(release_speed_mph) FILTER (WHERE place > releases - 10) AS type_last_sums
    FROM (SELECT n, type, release_speed_mph, releases, row_number() OVER (
                     PARTITION BY n, type ORDER BY event_time, revision, record_ts_ms, source_offset, source_partition) AS place
          FROM r JOIN types_of_rows USING (n, type)
          -- guard: pitchers: first and last pitches do not overlap | releases >= 25 AND -> releases >= 1 AND
          WHERE releases >= 25 AND type <> 'other' AND release_speed_mph IS NOT NULL) AS placed
    GROUP BY n, type
), a AS (
    SELECT n, sum(type_pitches) AS pitches, array_agg(name) AS type_names, {type counts: array_agg(@::bigint) AS @},
           {type measures: array_agg(@) AS @}, {type ends: array_agg(@) AS @}
    FROM (SELECT types.*, {type ends: ends.@} FROM types LEFT JOIN ends ON ends.n = types.n AND ends.type = types.name
          ORDER BY types.n, types.name) AS t
    GROUP BY n
), l AS ( -- few rows are sorted: those of a game's last time
    SELECT DISTINCT ON (n) n, pitch_id, event_time, revision, record_ts_ms, source_offset, source_partition, pitch_result, pitch_action,
           exit_velocity_mph
    FROM r JOIN (SELECT n, max(last_time) AS last_time FROM types_of_rows GROUP BY n) AS t USING (n)
    WHERE r.event_time = t.last_time
    ORDER BY n, revision DESC, record_ts_ms DESC, source_offset DESC, source_partition DESC
)
