-- Begin the scoring of the past by the model $1, version $2, from $3 to before $4, or go on with it, and return how many
-- pitches it has looked at. One that has finished, or had another end, begins anew.
INSERT INTO {schema}.model_scorings AS s (model, version, since, until) VALUES ($1, $2, $3, $4)
ON CONFLICT (model, version, since) DO UPDATE SET
    until = excluded.until, finished_at = NULL,
    next_pitch = CASE WHEN s.finished_at IS NULL AND s.until IS NOT DISTINCT FROM excluded.until THEN s.next_pitch
                      ELSE excluded.next_pitch END,
    scored = CASE WHEN s.finished_at IS NULL AND s.until IS NOT DISTINCT FROM excluded.until THEN s.scored ELSE 0 END,
    started_at = CASE WHEN s.finished_at IS NULL AND s.until IS NOT DISTINCT FROM excluded.until THEN s.started_at
                      ELSE excluded.started_at END
RETURNING scored
