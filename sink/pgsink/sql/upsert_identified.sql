-- Write the identified registers of a batch. The rule is that of upsert_measured.sql, with versions of their own. A pitch
-- that is not measured yet gets a line that counts for nothing until its record arrives.
--
-- Builds before at-bats were known write a register without them. So the at-bat is stored with the version that named it,
-- and counts while that is the register's.
INSERT INTO {schema}.pitch_registers AS r (
    pitch_id, identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition,
    identified_batter_id, identified_pitcher_id, identified_team_id, {at bat: identified_@}, identified_at_bat_version)
SELECT i.*, ARRAY[i.revision, i.record_ts_ms, i.source_offset, i.source_partition]
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::smallint[], $10::smallint[], $11::text[], $12::text[])
  AS i(pitch_id, revision, record_ts_ms, source_offset, source_partition, batter_id, pitcher_id, team_id, {at bat: @})
ORDER BY i.pitch_id
ON CONFLICT (pitch_id) DO UPDATE SET
    identified_revision = excluded.identified_revision, identified_record_ts_ms = excluded.identified_record_ts_ms,
    identified_source_offset = excluded.identified_source_offset,
    identified_source_partition = excluded.identified_source_partition,
    identified_batter_id = excluded.identified_batter_id, identified_pitcher_id = excluded.identified_pitcher_id,
    identified_team_id = excluded.identified_team_id, {at bat: identified_@ = excluded.identified_@},
    identified_at_bat_version = excluded.identified_at_bat_version,
    previous_batter_id = r.batter_id, previous_pitcher_id = {pitcher of r}, previous_game_pk = r.game_pk
-- guard: version fence of the identified register | WHERE r.identified_revision IS NULL -> WHERE true
WHERE r.identified_revision IS NULL
   OR (excluded.identified_revision, excluded.identified_record_ts_ms, excluded.identified_source_offset, excluded.identified_source_partition)
   >= (r.identified_revision, r.identified_record_ts_ms, r.identified_source_offset, r.identified_source_partition)
RETURNING pitch_id, batter_id, {pitcher of r}, coalesce(game_pk, ''), previous_batter_id, previous_pitcher_id,
          coalesce(previous_game_pk, ''), standing,
          identified_batter_id, identified_pitcher_id, identified_team_id, {at bat: r.identified_@},
          identified_revision, identified_record_ts_ms, identified_source_offset, identified_source_partition
