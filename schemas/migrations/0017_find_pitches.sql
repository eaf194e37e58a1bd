-- Indexes by which readers find pitches, the newest first, beside those by batter and by pitcher. The other filters
-- read the index by time, because many pitches pass them.
CREATE INDEX pitch_registers_type_time ON pitch_registers (pitch_type, event_time) WHERE standing;
CREATE INDEX pitch_registers_chase_time ON pitch_registers (event_time) WHERE standing AND is_chase;
