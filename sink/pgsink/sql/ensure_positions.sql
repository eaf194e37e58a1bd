-- Return the stored positions of some partitions, after storing the given ones for those that have none.
INSERT INTO {schema}.stream_positions AS p (consumer_group, topic, partition, next_offset)
SELECT $1, m.topic, m.partition, m.next_offset
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS m(topic, partition, next_offset)
ORDER BY 1, 2, 3
ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET updated_at = p.updated_at
RETURNING p.topic, p.partition, p.next_offset
