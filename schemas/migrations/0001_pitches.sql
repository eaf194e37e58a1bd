-- Every pitch that was ever measured, deleted or identified: two registers, each with a version of its own.
--
--   measured    what the tracking system's record says, or that it was deleted (deleted, all values null)
--   identified  whom the game feed names; it stands over the measured identifiers, and comes before or after them
--
-- A register only ever takes an equal or a greater version (see upsert_measured.sql, upsert_identified.sql).
-- standing and batter_id are derived here, once, so that no statement can see them differently.
CREATE TABLE pitch_registers (
    pitch_id             uuid PRIMARY KEY,
    revision             bigint,
    record_ts_ms         bigint,
    source_offset        bigint,
    source_partition     int,
    source_topic         text,
    event_time           timestamptz,
    core_version         int,
    build                text,
    processed_at         timestamptz,
    deleted              boolean NOT NULL DEFAULT false,
    game_pk              text,
    game_date            date,
    venue                text,
    measured_batter_id   bigint,
    measured_pitcher_id  bigint,
    measured_team_id     bigint,
    inning               smallint,
    balls                smallint,
    strikes              smallint,
    outs                 smallint,
    pitch_type           text,
    pitch_result         text,
    pitch_action         text,
    pitch_speed_mph      float8,
    spin_rate_rpm        float8,
    exit_velocity_mph    float8,
    hit_spin_rpm         float8,
    launch_angle_deg     float8,
    spray_angle_deg      float8,
    is_swing             boolean,
    is_contact           boolean,
    is_whiff             boolean,
    swing_confidence     text,
    attack_angle_deg     float8,
    bat_speed_mph        float8,
    speed_confidence     text,
    bat_samples          int,
    ball_samples         int,
    duplicate_samples    int,
    issues               text[],
    identified_revision         bigint,
    identified_record_ts_ms     bigint,
    identified_source_offset    bigint,
    identified_source_partition int,
    identified_batter_id        bigint,
    identified_pitcher_id       bigint,
    identified_team_id          bigint,
    standing             boolean GENERATED ALWAYS AS (revision IS NOT NULL AND NOT deleted) STORED,
    batter_id            bigint GENERATED ALWAYS AS (
        CASE WHEN revision IS NOT NULL AND NOT deleted THEN coalesce(identified_batter_id, measured_batter_id) END) STORED,
    previous_batter_id   bigint,
    previous_game_pk     text
);

-- A batter's game is found with one range of one index: this is what keeps a pitch's cost that of a game.
CREATE INDEX pitch_registers_batter_game ON pitch_registers (batter_id, (coalesce(game_pk, ''))) WHERE batter_id IS NOT NULL;
CREATE INDEX pitch_registers_batter_time ON pitch_registers (batter_id, event_time) WHERE batter_id IS NOT NULL;
CREATE INDEX pitch_registers_game_time ON pitch_registers (game_pk, event_time) WHERE standing;
CREATE INDEX pitch_registers_time ON pitch_registers (event_time) WHERE standing;

CREATE VIEW pitches AS
SELECT pitch_id, game_pk, game_date, venue, batter_id,
       coalesce(identified_pitcher_id, measured_pitcher_id) AS pitcher_id,
       coalesce(identified_team_id, measured_team_id) AS team_id,
       inning, balls, strikes, outs, pitch_type, pitch_result, pitch_action,
       pitch_speed_mph, spin_rate_rpm, exit_velocity_mph, hit_spin_rpm, launch_angle_deg, spray_angle_deg,
       is_swing, is_contact, is_whiff, swing_confidence, attack_angle_deg, bat_speed_mph, speed_confidence,
       bat_samples, ball_samples, duplicate_samples, issues,
       event_time, revision, record_ts_ms, source_topic, source_partition, source_offset, core_version, build, processed_at
FROM pitch_registers
WHERE standing;

CREATE TABLE stream_positions (
    consumer_group text,
    topic          text,
    partition      int,
    next_offset    bigint NOT NULL,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic, partition)
);

COMMENT ON TABLE pitch_registers IS 'Every pitch ever seen, with its measured and its identified register; read the view pitches instead';
COMMENT ON VIEW pitches IS 'The pitches that stand: one row each, as the newest version measured them; deleted and not yet measured pitches are not here';
COMMENT ON TABLE stream_positions IS 'How far each partition has been applied, written in the transaction of the rows';
COMMENT ON COLUMN stream_positions.consumer_group IS 'The consumer group';
COMMENT ON COLUMN stream_positions.topic IS 'The raw topic';
COMMENT ON COLUMN stream_positions.partition IS 'The partition';
COMMENT ON COLUMN stream_positions.next_offset IS 'Everything below this offset is in this database';
COMMENT ON COLUMN stream_positions.updated_at IS 'When it last moved';
COMMENT ON COLUMN pitch_registers.deleted IS 'The newest measured version is a delete: no row stands, and no lower version brings it back';
COMMENT ON COLUMN pitch_registers.measured_batter_id IS 'The batter that the record (or its header) names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.measured_pitcher_id IS 'The pitcher that the record''s header names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.measured_team_id IS 'The team that the record (or its header) names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.identified_revision IS 'Version of the identified register, first part; missing: where no identify came';
COMMENT ON COLUMN pitch_registers.identified_record_ts_ms IS 'Version of the identified register, second part, Unix milliseconds; missing: where no identify came';
COMMENT ON COLUMN pitch_registers.identified_source_offset IS 'Version of the identified register, third part; missing: where no identify came';
COMMENT ON COLUMN pitch_registers.identified_source_partition IS 'Version of the identified register, last part; missing: where no identify came';
COMMENT ON COLUMN pitch_registers.identified_batter_id IS 'The batter that the game feed names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.identified_pitcher_id IS 'The pitcher that the game feed names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.identified_team_id IS 'The team that the game feed names; missing: where it names none';
COMMENT ON COLUMN pitch_registers.standing IS 'Measured and not deleted: the row is in the view pitches';
COMMENT ON COLUMN pitch_registers.previous_batter_id IS 'The batter that this row counted for before its last write: the aggregates to compute again';
COMMENT ON COLUMN pitch_registers.previous_game_pk IS 'The game that this row counted for before its last write: the aggregates to compute again';
