-- Lock the players $1 of one side until the commit, in the order of their ids, and leave their sequence numbers as they are.
SELECT 1 FROM {schema}.{side}_totals WHERE {side}_id = ANY ($1::bigint[]) ORDER BY {side}_id FOR UPDATE
