-- Write the scores of pitches whose registers this transaction holds. $1 to $8 are one score each; $9 is now.
INSERT INTO {schema}.{scores} AS s (pitch_id, model, version, is_current, label, value, margin, p_value, shift, scored_at)
SELECT pitch_id, model, version, true, label, value, margin, p_value, shift, $9::timestamptz
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::float8[], $6::float8[], $7::float8[], $8::float8[])
  AS n(pitch_id, model, version, label, value, margin, p_value, shift)
ORDER BY pitch_id, model, version
ON CONFLICT {key} DO UPDATE SET
    version = excluded.version, is_current = true, label = excluded.label, value = excluded.value, margin = excluded.margin,
    p_value = excluded.p_value, shift = excluded.shift, scored_at = excluded.scored_at
