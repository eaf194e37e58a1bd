-- End the scores by the model $2, of shadows by its version $4, of those of the pitches $1 that are not among $3.
UPDATE {schema}.{scores} AS s SET is_current = false, label = NULL, value = NULL, margin = NULL, p_value = NULL, shift = NULL
WHERE s.pitch_id = ANY ($1::uuid[]) AND s.model = $2::text AND s.is_current AND (s.pitch_id = ANY ($3::uuid[])) IS NOT TRUE {and version}
