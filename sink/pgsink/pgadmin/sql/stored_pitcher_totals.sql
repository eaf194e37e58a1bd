-- Read the stored totals of some pitchers, with the columns of computed_pitcher_totals.sql.
SELECT pitcher_id, game_key, seq, pitches, {type columns: @}, {type ends: @}, {last: @}
FROM {schema}.pitcher_game_totals WHERE pitcher_id = ANY ($1::bigint[])
UNION ALL
SELECT pitcher_id, NULL, seq, pitches, {type columns: @}, {type ends: '{}'::float8[]}, {last: @}
FROM {schema}.pitcher_totals WHERE pitcher_id = ANY ($1::bigint[])
