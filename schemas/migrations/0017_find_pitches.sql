-- Indexes by which readers find pitches, the newest first. The other filters read the index by time, because
-- many pitches pass them.
CREATE INDEX IF NOT EXISTS pitch_registers_pitcher_time ON pitch_registers ((coalesce(identified_pitcher_id, measured_pitcher_id)), event_time)
    WHERE standing AND coalesce(identified_pitcher_id, measured_pitcher_id) IS NOT NULL;
CREATE INDEX pitch_registers_type_time ON pitch_registers (pitch_type, event_time) WHERE standing;
CREATE INDEX pitch_registers_chase_time ON pitch_registers (event_time) WHERE standing AND is_chase;
