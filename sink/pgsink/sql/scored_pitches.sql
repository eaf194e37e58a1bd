-- Return the next $2 pitches after $1 that are stored, or have a score; after the zero UUID, all from it on. $2 is 2 or more.
SELECT pitch_id FROM (
    (SELECT pitch_id FROM {schema}.pitch_registers WHERE pitch_id >= $1::uuid AND (pitch_id > $1::uuid OR $1::uuid = '00000000-0000-0000-0000-000000000000') ORDER BY 1 LIMIT $2)
    UNION
    (SELECT pitch_id FROM {schema}.score_registers WHERE pitch_id >= $1::uuid AND (pitch_id > $1::uuid OR $1::uuid = '00000000-0000-0000-0000-000000000000') AND is_current ORDER BY 1 LIMIT $2)
) AS pitches ORDER BY 1 LIMIT $2
