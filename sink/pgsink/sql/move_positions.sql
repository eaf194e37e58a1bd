-- Move positions forward. A position below the expected one is not moved, because then the database was restored from an
-- older backup, and the records between would be lost. The statement returns the positions that it moved.
UPDATE {schema}.stream_positions AS p
-- guard: a position never moves back | greatest(p.next_offset, m.next_offset) -> m.next_offset
SET next_offset = greatest(p.next_offset, m.next_offset), updated_at = now()
FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) AS m(topic, partition, next_offset, expected)
WHERE p.consumer_group = $1 AND p.topic = m.topic AND p.partition = m.partition AND p.next_offset >= m.expected
RETURNING p.topic, p.partition, p.next_offset
