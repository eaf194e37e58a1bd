-- Bound the counts by pitch type to the 64 most frequent types, of equal ones the first by name. The others count as other,
-- as do pitches whose type has that name. So no text of records makes the totals of a batter grow.
SELECT array_agg(name ORDER BY name) AS type_names, array_agg(pitches ORDER BY name) AS type_pitches,
       array_agg(swings ORDER BY name) AS type_swings, array_agg(whiffs ORDER BY name) AS type_whiffs
FROM (SELECT CASE WHEN place > 64 THEN 'other' ELSE name END AS name,
             sum(pitches)::bigint AS pitches, sum(swings)::bigint AS swings, sum(whiffs)::bigint AS whiffs
      FROM (SELECT t.*, row_number() OVER (ORDER BY name = 'other', pitches DESC, name COLLATE "C") AS place
            FROM {types} AS t(name, pitches, swings, whiffs)) AS ranked
      GROUP BY 1) AS named
