-- End the scores of the pitches $1 but those that this transaction writes: $2 and $3, and for shadows $4.
UPDATE {schema}.{scores} AS s SET is_current = false, label = NULL, value = NULL, margin = NULL, p_value = NULL, shift = NULL
-- guard: a pitch that a model does not score any more has no score | WHERE s.pitch_id = ANY ($1::uuid[]) -> WHERE false
WHERE s.pitch_id = ANY ($1::uuid[]) AND s.is_current
  AND NOT EXISTS (SELECT FROM unnest($2::uuid[], $3::text[], $4::int[]) AS n(pitch_id, model, version)
                  WHERE n.pitch_id = s.pitch_id AND n.model = s.model {and version})
