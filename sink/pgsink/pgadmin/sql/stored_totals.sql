-- Read the stored totals of some batters, with the columns of computed_totals.sql.
SELECT batter_id, game_key, seq, pitches, {totals: @}, {slow: @}, {maxima: @}, {last: @}, {types: @}, {spread: @}
FROM {schema}.batter_game_totals WHERE batter_id = ANY ($1::bigint[])
UNION ALL
SELECT batter_id, NULL, seq, pitches, {totals: @}, {slow: @}, {maxima: @}, {last: @}, {types: @}, {spread: @}
FROM {schema}.batter_totals WHERE batter_id = ANY ($1::bigint[])
