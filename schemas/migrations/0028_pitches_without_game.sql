-- Quality reads the pitches without a game by their day, which may be far from when they were thrown.
CREATE INDEX pitch_registers_day ON pitch_registers ((coalesce(game_date, (event_time AT TIME ZONE 'UTC')::date)))
    WHERE standing AND game_pk IS NULL;
