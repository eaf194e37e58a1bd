-- Return the versions that score, the live one of a model first, and their generation, all as of one moment.
SELECT g.generation, coalesce(m.name, ''), coalesce(m.version, 0), coalesce(m.kind, ''), m.content, coalesce(m.state = 'shadow', false)
FROM {schema}.model_generation g LEFT JOIN {schema}.models m ON m.state IN ('live', 'shadow')
ORDER BY m.name, m.state = 'shadow', m.version
