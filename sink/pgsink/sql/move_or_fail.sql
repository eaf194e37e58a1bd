-- Move all positions, or fail: a text that is no number becomes an int. This error is one of those after which the batch
-- is written again in steps, where the positions are compared.
WITH moved AS (
{move}
)
-- guard: at once: a position that is behind refuses the batch | count(*) = cardinality($2::text[]) -> true
SELECT CASE WHEN count(*) = cardinality($2::text[]) THEN 0 ELSE ('behind, moved ' || count(*))::int END FROM moved
