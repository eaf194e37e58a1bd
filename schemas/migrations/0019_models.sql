-- Models are data with versions. A row of the stream is scored by the live version that its transaction reads, and each score
-- names it.
CREATE TABLE models (
    name       text NOT NULL,
    version    int NOT NULL CHECK (version > 0),
    kind       text NOT NULL,
    state      text NOT NULL DEFAULT 'candidate' CHECK (state IN ('candidate', 'shadow', 'live', 'retired')),
    sha256     text NOT NULL,
    content    bytea NOT NULL,
    trained    jsonb NOT NULL DEFAULT '{}',
    figures    jsonb NOT NULL DEFAULT '{}',
    added_by   text NOT NULL,
    added_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, version),
    UNIQUE (name, sha256)
);
CREATE UNIQUE INDEX models_live ON models (name) WHERE state = 'live';

COMMENT ON TABLE models IS 'Versions of models: pitchstream model ls';
COMMENT ON COLUMN models.name IS 'The model';
COMMENT ON COLUMN models.version IS 'Counts from 1 within a model';
COMMENT ON COLUMN models.kind IS 'archetypes, self or trees';
COMMENT ON COLUMN models.state IS 'candidate: scores nothing yet; shadow: scores, and is not shown; live: scores, at most one version of a model; retired: scores nothing any more';
COMMENT ON COLUMN models.sha256 IS 'Hash of content in lower-case hex';
COMMENT ON COLUMN models.content IS 'The model file; it never changes';
COMMENT ON COLUMN models.trained IS 'What it was trained on: schema, core_version, from, to, rows';
COMMENT ON COLUMN models.figures IS 'How good it was there';
COMMENT ON COLUMN models.added_by IS 'Who added it';
COMMENT ON COLUMN models.added_at IS 'When it was added';

-- Who changed the state of a version, and when. Rollback finds the live version before here.
CREATE TABLE model_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    version    int NOT NULL,
    state      text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE model_changes IS 'Changes of the states of models, the oldest first';
COMMENT ON COLUMN model_changes.id IS 'The order of the changes';
COMMENT ON COLUMN model_changes.name IS 'The model';
COMMENT ON COLUMN model_changes.version IS 'The version whose state changed';
COMMENT ON COLUMN model_changes.state IS 'The state that it got';
COMMENT ON COLUMN model_changes.changed_by IS 'Who changed it';
COMMENT ON COLUMN model_changes.changed_at IS 'When it changed';

-- One row, which every batch reads in its transaction: whether the versions that it knows are those that score.
CREATE TABLE model_generation (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL
);
INSERT INTO model_generation (generation) VALUES (0);

COMMENT ON TABLE model_generation IS 'Which set of versions scores: one row';
COMMENT ON COLUMN model_generation.single IS 'Always true, so that there is one row';
COMMENT ON COLUMN model_generation.generation IS 'Goes up by one with each change of the versions that score';

-- Scores stay, with is_current false, where a pitch has none any more: processors cannot delete rows.
CREATE TABLE score_registers (
    pitch_id   uuid,
    model      text,
    version    int NOT NULL,
    is_current boolean NOT NULL DEFAULT true,
    label      text,
    value      float8,
    margin     float8,
    p_value    float8,
    shift      float8,
    scored_at  timestamptz NOT NULL,
    PRIMARY KEY (pitch_id, model)
);
CREATE INDEX score_registers_version ON score_registers (model, version);

COMMENT ON TABLE score_registers IS 'What live versions of models say about pitches, one row a pitch and model';
COMMENT ON COLUMN score_registers.pitch_id IS 'The pitch';
COMMENT ON COLUMN score_registers.model IS 'The model';
COMMENT ON COLUMN score_registers.version IS 'The version that scored the pitch: the live one that the transaction of the row read';
COMMENT ON COLUMN score_registers.is_current IS 'False where the pitch is deleted, or the model does not score it any more';
COMMENT ON COLUMN score_registers.label IS 'The group that the pitch belongs to; missing: the model gives none, or the row lacks what it needs';
COMMENT ON COLUMN score_registers.value IS 'A distance or a prediction; missing: the row lacks what the model needs';
COMMENT ON COLUMN score_registers.margin IS 'How much nearer the label is than the next one, 0–1; missing: the model gives none';
COMMENT ON COLUMN score_registers.p_value IS 'Share of such pitches that are at least as far away; missing: the model gives none';
COMMENT ON COLUMN score_registers.shift IS 'By how many standard deviations of the player the first column of the model is off, with its sign; missing: the model gives none';
COMMENT ON COLUMN score_registers.scored_at IS 'When it was scored';

CREATE TABLE shadow_registers (
    pitch_id   uuid,
    model      text,
    version    int,
    is_current boolean NOT NULL DEFAULT true,
    label      text,
    value      float8,
    margin     float8,
    p_value    float8,
    shift      float8,
    scored_at  timestamptz NOT NULL,
    PRIMARY KEY (pitch_id, model, version)
);

COMMENT ON TABLE shadow_registers IS 'What shadow versions of models say about pitches: pitchstream model compare';
COMMENT ON COLUMN shadow_registers.pitch_id IS 'The pitch';
COMMENT ON COLUMN shadow_registers.model IS 'The model';
COMMENT ON COLUMN shadow_registers.version IS 'The shadow version';
COMMENT ON COLUMN shadow_registers.is_current IS 'False where the pitch is deleted, or the version does not score it any more';
COMMENT ON COLUMN shadow_registers.label IS 'As in score_registers; missing: as there';
COMMENT ON COLUMN shadow_registers.value IS 'As in score_registers; missing: as there';
COMMENT ON COLUMN shadow_registers.margin IS 'As in score_registers; missing: as there';
COMMENT ON COLUMN shadow_registers.p_value IS 'As in score_registers; missing: as there';
COMMENT ON COLUMN shadow_registers.shift IS 'As in score_registers; missing: as there';
COMMENT ON COLUMN shadow_registers.scored_at IS 'When it was scored';

-- A model without a live version says nothing: rows that were corrected meanwhile were not scored again.
CREATE VIEW pitch_scores AS
SELECT pitch_id, model, version, label, value, margin, p_value, shift, scored_at FROM score_registers AS s
WHERE is_current AND EXISTS (SELECT FROM models AS m WHERE m.name = s.model AND m.state = 'live');

COMMENT ON VIEW pitch_scores IS 'What the models say about current pitches, one row a pitch and model, with the version that said it';
COMMENT ON COLUMN pitch_scores.pitch_id IS 'The pitch';
COMMENT ON COLUMN pitch_scores.model IS 'The model';
COMMENT ON COLUMN pitch_scores.version IS 'The version that scored the pitch: the live one that the transaction of the row read';
COMMENT ON COLUMN pitch_scores.label IS 'The group that the pitch belongs to; missing: the model gives none, or the row lacks what it needs';
COMMENT ON COLUMN pitch_scores.value IS 'A distance or a prediction; missing: the row lacks what the model needs';
COMMENT ON COLUMN pitch_scores.margin IS 'How much nearer the label is than the next one, 0–1; missing: the model gives none';
COMMENT ON COLUMN pitch_scores.p_value IS 'Share of such pitches that are at least as far away; missing: the model gives none';
COMMENT ON COLUMN pitch_scores.shift IS 'By how many standard deviations of the player the first column of the model is off, with its sign; missing: the model gives none';
COMMENT ON COLUMN pitch_scores.scored_at IS 'When it was scored';

-- A scoring of the past goes on from where it was: its cursor moves in the transaction of the scores.
CREATE TABLE model_scorings (
    model       text,
    version     int,
    since       timestamptz,
    next_pitch  uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    scored      bigint NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (model, version, since)
);

COMMENT ON TABLE model_scorings IS 'Progress of pitchstream model score';
COMMENT ON COLUMN model_scorings.model IS 'The model';
COMMENT ON COLUMN model_scorings.version IS 'The version that scores';
COMMENT ON COLUMN model_scorings.since IS 'Pitches that were thrown before are left alone';
COMMENT ON COLUMN model_scorings.next_pitch IS 'Pitches up to this one are done';
COMMENT ON COLUMN model_scorings.scored IS 'How many pitches were looked at';
COMMENT ON COLUMN model_scorings.started_at IS 'When it was started first';
COMMENT ON COLUMN model_scorings.finished_at IS 'When it came to its end; missing: not yet';
