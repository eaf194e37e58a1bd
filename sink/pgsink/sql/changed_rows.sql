-- Return the pitches whose registers have other versions than the given ones, with their current versions.
SELECT r.pitch_id, r.revision, r.record_ts_ms, r.source_offset, r.source_partition,
       r.identified_revision, r.identified_record_ts_ms, r.identified_source_offset, r.identified_source_partition
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[], $9::int[])
  AS p(pitch_id, revision, ts, source_offset, source_partition, i_revision, i_ts, i_offset, i_partition)
JOIN {schema}.pitch_registers r USING (pitch_id)
-- guard: what an older store has only a name of is not published | WHERE r.revision IS NOT NULL -- -> WHERE true --
WHERE r.revision IS NOT NULL -- NULL after a restore of an older backup: the pitch is published when it is measured again
  AND ((r.revision, r.record_ts_ms, r.source_offset, r.source_partition) IS DISTINCT FROM (p.revision, p.ts, p.source_offset, p.source_partition)
       OR (r.identified_revision, r.identified_record_ts_ms, r.identified_source_offset, r.identified_source_partition)
          IS DISTINCT FROM (p.i_revision, p.i_ts, p.i_offset, p.i_partition))
