-- Bound the sums by pitch type to the 64 most frequent types, as bounded_types.sql does those of batters.
SELECT {key}, CASE WHEN place > 64 THEN 'other' ELSE type END AS name, {type totals: sum(@) AS @}, {type maxima: max(@) AS @}
FROM (SELECT t.*, row_number() OVER (PARTITION BY {key} ORDER BY type = 'other', type_pitches DESC, type COLLATE "C") AS place
      FROM ({types}) AS t) AS ranked
GROUP BY 1, 2
