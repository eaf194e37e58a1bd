-- Fail if other versions of models score than this processor knows: a text that is no number becomes an int. The batch is
-- written again in steps then, where it reads the versions and scores its rows.
-- guard: at once: a batch that knows no model sees that one scores | CASE WHEN generation = $1::bigint THEN -> CASE WHEN true THEN
SELECT CASE WHEN generation = $1::bigint THEN 0 ELSE ('models, generation ' || generation)::int END FROM {schema}.model_generation
