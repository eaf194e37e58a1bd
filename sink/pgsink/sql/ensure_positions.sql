-- Return the stored positions of some partitions, after storing the given ones for those that have none. A new partition gets
-- the ID that the others of its topic have, because a topic that was created anew can have more partitions.
INSERT INTO {schema}.stream_positions AS p (consumer_group, topic, partition, next_offset, topic_id)
SELECT $1, m.topic, m.partition, m.next_offset, coalesce((
    SELECT o.topic_id FROM {schema}.stream_positions o
    -- guard: a new partition of a topic that was created anew is a gap | o.topic_id <> m.topic_id -> false
    WHERE o.consumer_group = $1 AND o.topic = m.topic AND o.topic_id <> m.topic_id LIMIT 1), m.topic_id)
FROM unnest($2::text[], $3::int[], $4::bigint[], $5::text[]) AS m(topic, partition, next_offset, topic_id)
ORDER BY 1, 2, 3
ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET updated_at = p.updated_at
RETURNING p.topic, p.partition, p.next_offset, coalesce(p.topic_id, ''), coalesce(p.gap, ''), coalesce(p.former_next_offset, 0),
    coalesce(p.dead_letters_from, 0), coalesce(p.dead_letters_below, 0)
