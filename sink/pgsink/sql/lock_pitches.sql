-- Two statements write the two registers, each sorted by pitch: between them, two processors could wait for each other.
-- So what is there is locked first, in one order.
SELECT 1 FROM pitch_registers WHERE pitch_id = ANY ($1::uuid[]) ORDER BY pitch_id FOR UPDATE
