-- Move positions forward. A position below the expected one is not moved, because then the database was restored from an
-- older backup, and the records between would be lost. Nor is one of another topic of the same name, whose offsets mean other
-- records. The statement returns the positions that it moved.
UPDATE {schema}.stream_positions AS p
-- guard: a position never moves back | greatest(p.next_offset, m.next_offset) -> m.next_offset
SET next_offset = greatest(p.next_offset, m.next_offset), topic_id = coalesce(p.topic_id, m.topic_id), updated_at = now()
FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[]) AS m(topic, partition, next_offset, expected, topic_id)
WHERE p.consumer_group = $1 AND p.topic = m.topic AND p.partition = m.partition AND p.next_offset >= m.expected
  -- guard: a position moves only within its topic | coalesce(p.topic_id = m.topic_id, true) -> true
  AND coalesce(p.topic_id = m.topic_id, true)
RETURNING p.topic, p.partition, p.next_offset
