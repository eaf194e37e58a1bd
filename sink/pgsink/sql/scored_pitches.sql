-- Return the next $2 pitches after $1 that are stored, or have a score.
SELECT pitch_id FROM (
    (SELECT pitch_id FROM {schema}.pitch_registers WHERE pitch_id > $1::uuid ORDER BY 1 LIMIT $2)
    UNION
    (SELECT pitch_id FROM {schema}.score_registers WHERE pitch_id > $1::uuid AND is_current ORDER BY 1 LIMIT $2)
) AS pitches ORDER BY 1 LIMIT $2
