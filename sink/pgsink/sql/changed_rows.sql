-- Return the pitches whose registers have other versions than the given ones, or are of another core, with their current
-- versions.
SELECT r.pitch_id, r.revision, r.record_ts_ms, r.source_offset, r.source_partition,
       r.identified_revision, r.identified_record_ts_ms, r.identified_source_offset, r.identified_source_partition, r.core_version
FROM (SELECT unnest($1::uuid[]) AS pitch_id, unnest($2::bigint[]) AS revision, unnest($3::bigint[]) AS ts,
             unnest($4::bigint[]) AS source_offset, unnest($5::int[]) AS source_partition, unnest($6::bigint[]) AS i_revision,
             unnest($7::bigint[]) AS i_ts, unnest($8::bigint[]) AS i_offset, unnest($9::int[]) AS i_partition,
             unnest($10::int[]) AS core) AS p
JOIN {schema}.pitch_registers r USING (pitch_id)
-- guard: what an older store has only a name of is not published | WHERE r.revision IS NOT NULL -- -> WHERE true --
WHERE r.revision IS NOT NULL -- NULL after a restore of an older backup: the pitch is published when it is measured again
  AND ((r.revision, r.record_ts_ms, r.source_offset, r.source_partition) IS DISTINCT FROM (p.revision, p.ts, p.source_offset, p.source_partition)
       -- guard: a row that another core wrote since is published again | OR r.core_version IS DISTINCT FROM p.core ->
       OR r.core_version IS DISTINCT FROM p.core
       OR (r.identified_revision, r.identified_record_ts_ms, r.identified_source_offset, r.identified_source_partition)
          IS DISTINCT FROM (p.i_revision, p.i_ts, p.i_offset, p.i_partition))
