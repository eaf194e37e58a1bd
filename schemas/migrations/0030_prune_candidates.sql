-- Writers cannot delete rows, so a function deletes the candidates that nights of refits leave behind. It keeps the newest ones
-- of a model by their last refit, and returns those that it deleted. A version that was live or a shadow ever is kept, because
-- rows may have its scores. So is one that no refit trained, because a person added it. The changes and refits of a deleted
-- version stay, so the greatest number of a model is kept, too, or it would be given twice.
CREATE FUNCTION prune_model_candidates(of_model text, keep int) RETURNS SETOF int
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DELETE FROM models AS m USING (
        SELECT c.version, row_number() OVER (ORDER BY max(r.id) DESC) AS place
        FROM models AS c JOIN model_refits AS r ON r.name = c.name AND r.version = c.version
        WHERE c.name = of_model AND c.state = 'candidate'
          AND NOT EXISTS (SELECT FROM model_changes AS s
                          WHERE s.name = c.name AND s.version = c.version AND s.state IN ('live', 'shadow'))
        GROUP BY c.version) AS candidates
    WHERE m.name = of_model AND m.version = candidates.version AND m.state = 'candidate' AND candidates.place > greatest(keep, 1)
      AND m.version < (SELECT max(version) FROM models WHERE name = of_model)
    RETURNING m.version
$$;
REVOKE ALL ON FUNCTION prune_model_candidates(text, int) FROM PUBLIC;
