-- Lock the pitches of a batch in the order of their ids. Two statements write the two registers, so two processors could
-- wait for each other between them.
SELECT 1 FROM {schema}.pitch_registers WHERE pitch_id = ANY ($1::uuid[]) ORDER BY pitch_id FOR UPDATE
