-- Begin the scoring of the past by the model $1, version $2, from $3 to before $4, or go on with it, and return how many
-- pitches it has looked at. One that has finished, or had another end, begins anew. So does one since whose start the version
-- had another state, or another version was live, because what it has scored may be elsewhere or overwritten.
INSERT INTO {schema}.model_scorings AS s (model, version, since, until) VALUES ($1, $2, $3, $4)
ON CONFLICT (model, version, since) DO UPDATE SET (until, finished_at, next_pitch, scored, started_at) = (
    SELECT excluded.until, NULL::timestamptz, CASE WHEN goes_on THEN s.next_pitch ELSE excluded.next_pitch END,
        CASE WHEN goes_on THEN s.scored ELSE 0 END, CASE WHEN goes_on THEN s.started_at ELSE excluded.started_at END
    FROM (SELECT s.finished_at IS NULL AND s.until IS NOT DISTINCT FROM excluded.until AND NOT EXISTS (
        -- guard: models: a scoring does not go on behind another state | c.changed_at > s.started_at -> false
        SELECT FROM {schema}.model_changes AS c WHERE c.name = s.model AND c.changed_at > s.started_at
            AND (c.version = s.version OR c.state = 'live')) AS goes_on) AS g)
RETURNING scored
