-- A group whose offset is set back by hand reads records again whose dead letters were sent. Kafka forgets how far it was,
-- because the offset is what was overwritten.
ALTER TABLE stream_positions
    ADD COLUMN dead_letters_from  bigint,
    ADD COLUMN dead_letters_below bigint;

COMMENT ON COLUMN stream_positions.dead_letters_from IS 'From this offset to below dead_letters_below, dead letters are committed, and not sent again if the group is set back by hand; missing: not known';
COMMENT ON COLUMN stream_positions.dead_letters_below IS 'The end of the offsets whose dead letters are committed; missing: not known';
