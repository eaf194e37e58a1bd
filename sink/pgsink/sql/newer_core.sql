-- Return those of the pitches $1 whose measured register a newer core than $2 wrote, with their current versions.
SELECT r.pitch_id, r.revision, r.record_ts_ms, r.source_offset, r.source_partition,
       r.identified_revision, r.identified_record_ts_ms, r.identified_source_offset, r.identified_source_partition, r.core_version
FROM {schema}.pitch_registers r
WHERE r.pitch_id = ANY ($1::uuid[]) AND r.core_version > $2::int
