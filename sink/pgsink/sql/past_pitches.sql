-- Return the next $4 pitches after $1 that were thrown from $2 to before $3.
SELECT pitch_id FROM {schema}.pitches
WHERE pitch_id > $1::uuid AND event_time >= $2::timestamptz AND ($3::timestamptz IS NULL OR event_time < $3)
ORDER BY pitch_id LIMIT $4
