-- Return the totals of some pitchers. Only games have first and last pitches.
SELECT pitcher_id, seq, prev_seq, {pitcher columns}
FROM {schema}.pitcher_totals WHERE pitcher_id = ANY ({players})
