-- Each run of `pitchstream model refit`, and what became of its candidate.
CREATE TABLE model_refits (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    version    int NOT NULL,
    live       int,
    result     text NOT NULL CHECK (result IN ('promoted', 'held', 'unchanged', 'candidate')),
    checks     jsonb NOT NULL DEFAULT '[]',
    refit_by   text NOT NULL,
    refit_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX model_refits_name ON model_refits (name, id);

COMMENT ON TABLE model_refits IS 'Trainings of pitchstream model refit, the oldest first';
COMMENT ON COLUMN model_refits.id IS 'The order of the trainings';
COMMENT ON COLUMN model_refits.name IS 'The model';
COMMENT ON COLUMN model_refits.version IS 'The version that was trained, or that has the same file';
COMMENT ON COLUMN model_refits.live IS 'The live version that it was held against; missing: none was live';
COMMENT ON COLUMN model_refits.result IS 'promoted; held: beyond a limit; unchanged: the file was there and is live or retired; candidate: no version was live';
COMMENT ON COLUMN model_refits.checks IS 'Each check with its value, its limit, and whether it is within';
COMMENT ON COLUMN model_refits.refit_by IS 'Who trained it';
COMMENT ON COLUMN model_refits.refit_at IS 'When it was judged';
