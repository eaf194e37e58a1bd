-- Count the fates of a replay's records, from the offset up to which they are counted already.
WITH counted AS (
    SELECT r.partition, max(r.at) + 1 AS next_offset, count(*) AS records,
           count(*) FILTER (WHERE fate = 0) AS rows, count(*) FILTER (WHERE fate = 1) AS deletes,
           count(*) FILTER (WHERE fate = 2) AS ids, count(*) FILTER (WHERE fate = 3) AS letters,
           count(*) FILTER (WHERE fate = 4) AS superseded, count(*) FILTER (WHERE fate = 5) AS duplicates
    FROM unnest($2::int[], $3::bigint[], $4::smallint[]) AS r(partition, at, fate)
    -- guard: replay: what was counted is not counted again | AND r.at >= p.next_offset ->
    JOIN {schema}.replay_progress p ON p.replay_id = $1 AND p.partition = r.partition AND r.at >= p.next_offset
    GROUP BY r.partition
)
UPDATE {schema}.replay_progress p
SET next_offset = c.next_offset, records = p.records + c.records, rows = p.rows + c.rows, deletes = p.deletes + c.deletes,
    ids = p.ids + c.ids, letters = p.letters + c.letters, superseded = p.superseded + c.superseded, duplicates = p.duplicates + c.duplicates
FROM counted c
WHERE p.replay_id = $1 AND p.partition = c.partition
