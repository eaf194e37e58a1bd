-- Write the identified registers of a batch. The rule is that of upsert_measured.sql, with versions of their own. A pitch
-- that is not measured yet gets a line that counts for nothing until its record arrives.
INSERT INTO {schema}.pitch_registers AS r (
    pitch_id, identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition,
    identified_batter_id, identified_pitcher_id, identified_team_id)
SELECT i.*
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[])
  AS i(pitch_id, revision, record_ts_ms, source_offset, source_partition, batter_id, pitcher_id, team_id)
ORDER BY i.pitch_id
ON CONFLICT (pitch_id) DO UPDATE SET
    identified_revision = excluded.identified_revision, identified_record_ts_ms = excluded.identified_record_ts_ms,
    identified_source_offset = excluded.identified_source_offset,
    identified_source_partition = excluded.identified_source_partition,
    identified_batter_id = excluded.identified_batter_id, identified_pitcher_id = excluded.identified_pitcher_id,
    identified_team_id = excluded.identified_team_id,
    previous_batter_id = r.batter_id, previous_pitcher_id = {pitcher of r}, previous_game_pk = r.game_pk
-- guard: version fence of the identified register | WHERE r.identified_revision IS NULL -> WHERE true
WHERE r.identified_revision IS NULL
   OR (excluded.identified_revision, excluded.identified_record_ts_ms, excluded.identified_source_offset, excluded.identified_source_partition)
   >= (r.identified_revision, r.identified_record_ts_ms, r.identified_source_offset, r.identified_source_partition)
RETURNING pitch_id, batter_id, {pitcher of r}, coalesce(game_pk, ''), previous_batter_id, previous_pitcher_id,
          coalesce(previous_game_pk, ''), standing,
          identified_batter_id, identified_pitcher_id, identified_team_id,
          identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition
