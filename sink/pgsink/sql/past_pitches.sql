-- Return the next $4 pitches after $1 that were thrown from $2 to before $3; after the zero UUID, all from it on. $4 is 2 or more.
SELECT pitch_id FROM {schema}.pitches
-- guard: models: the pitch with the zero UUID is scored too | OR $1::uuid = '00000000-0000-0000-0000-000000000000') -> )
WHERE pitch_id >= $1::uuid AND (pitch_id > $1::uuid OR $1::uuid = '00000000-0000-0000-0000-000000000000')
    AND event_time >= $2::timestamptz AND ($3::timestamptz IS NULL OR event_time < $3)
ORDER BY pitch_id LIMIT $4
