package pgbooks

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Games keeps the facts of games that no record has.
type Games struct{ db *pg.DB }

// NewGames makes Games over a pool that its caller closes.
func NewGames(db *pg.DB) Games { return Games{db} }

// Set adds games, and changes those of which other facts are known, in one statement. Facts older than the
// stored ones change nothing, and a fact that is missing leaves the stored one. The list must hold each game
// once. It returns how many it added or changed, and how many were older.
func (b Games) Set(
	ctx context.Context, games []schemas.GameFacts, source string,
) (changed, older int64, err error) {
	n := len(games)
	ids, starts := [2][]*int64{make([]*int64, n), make([]*int64, n)}, make([]*int64, n)
	for i, g := range games {
		ids[0][i], ids[1][i] = pointer(g.HomeTeamID), pointer(g.AwayTeamID)
		if g.StartsAt.Present {
			at := int64(g.StartsAt.Value)
			starts[i] = &at
		}
	}
	texts := func(of func(schemas.GameFacts) schemas.Text) []string {
		return schemas.Map(games, func(g schemas.GameFacts) string { return string(of(g)) })
	}
	var taken int64
	err = pg.ScanOne(ctx, b.db, []any{&changed, &taken}, `
		WITH done AS (
			INSERT INTO {schema}.games (game_pk, game_date, venue, home_team, away_team, home_team_id, away_team_id, starts_at, as_of, source, status)
			SELECT pk, nullif(day, '')::date, nullif(venue, ''), nullif(home, ''), nullif(away, ''), home_id, away_id,
				to_timestamp(starts / 1000.0), to_timestamp(as_of / 1000.0), $10, nullif(status, '')
			FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $11::text[])
				AS f(pk, day, venue, home, away, home_id, away_id, starts, as_of, status)
			ORDER BY pk -- two loads lock in one order
			ON CONFLICT (game_pk) DO UPDATE SET
				game_date = coalesce(excluded.game_date, games.game_date), venue = coalesce(excluded.venue, games.venue),
				home_team = coalesce(excluded.home_team, games.home_team), away_team = coalesce(excluded.away_team, games.away_team),
				home_team_id = coalesce(excluded.home_team_id, games.home_team_id), away_team_id = coalesce(excluded.away_team_id, games.away_team_id),
				starts_at = coalesce(excluded.starts_at, games.starts_at), as_of = excluded.as_of, source = excluded.source,
				status = coalesce(excluded.status, games.status),
				updated_at = CASE WHEN (games.game_date, games.venue, games.home_team, games.away_team, games.home_team_id, games.away_team_id, games.starts_at, games.status)
					IS DISTINCT FROM (coalesce(excluded.game_date, games.game_date), coalesce(excluded.venue, games.venue),
						coalesce(excluded.home_team, games.home_team), coalesce(excluded.away_team, games.away_team),
						coalesce(excluded.home_team_id, games.home_team_id), coalesce(excluded.away_team_id, games.away_team_id),
						coalesce(excluded.starts_at, games.starts_at), coalesce(excluded.status, games.status)) THEN now() ELSE games.updated_at END
			-- guard: games: older facts change nothing | WHERE games.as_of <= excluded.as_of -> WHERE true
			WHERE games.as_of <= excluded.as_of
			RETURNING updated_at = now() AS changed)
		SELECT count(*) FILTER (WHERE changed), count(*) FROM done`,
		texts(func(g schemas.GameFacts) schemas.Text { return g.GamePK }),
		texts(func(g schemas.GameFacts) schemas.Text { return g.GameDate }),
		texts(func(g schemas.GameFacts) schemas.Text { return g.Venue }),
		texts(func(g schemas.GameFacts) schemas.Text { return g.HomeTeam }),
		texts(func(g schemas.GameFacts) schemas.Text { return g.AwayTeam }), ids[0], ids[1], starts,
		schemas.Map(games, func(g schemas.GameFacts) int64 { return int64(g.AsOf) }), source,
		texts(func(g schemas.GameFacts) schemas.Text { return g.Status }))
	return changed, int64(n) - taken, pg.Wrap("games", err)
}

func pointer(o schemas.Opt[int64]) *int64 {
	if !o.Present {
		return nil
	}
	return &o.Value
}

// Schedule returns the games between two dates, YYYY-MM-DD, by date; "" is no bound. With missing it returns
// those of which no pitch is current and that were not called off, and none after to. A game is due an hour
// after its start; where no file has said that, at noon in UTC of the day after.
func (b Games) Schedule(ctx context.Context, from, to string, missing bool) ([]schemas.GameFacts, error) {
	found, err := pg.Collect(ctx, b.db, func(row pgx.CollectableRow) (g schemas.GameFacts, err error) {
		var starts, asOf schemas.TimeMS
		err = row.Scan(pg.Text(&g.GamePK), pg.Date(&g.GameDate), pg.Text(&g.Venue), pg.Text(&g.HomeTeam),
			pg.Text(&g.AwayTeam), pg.Integer(&g.HomeTeamID), pg.Integer(&g.AwayTeamID), pg.Time(&starts),
			pg.Time(&asOf), pg.Text(&g.Status), &g.IsDue)
		g.AsOf, g.StartsAt = asOf, schemas.Opt[schemas.TimeMS]{Value: starts, Present: starts != 0}
		return g, err
	}, `SELECT game_pk, game_date, venue, home_team, away_team, home_team_id, away_team_id, starts_at, as_of, status, due FROM {schema}.games g
		CROSS JOIN LATERAL (SELECT coalesce(status, '') ~* '^(postponed|cancell?ed)' AS is_off) o
		CROSS JOIN LATERAL (SELECT NOT is_off AND coalesce(starts_at < now() - interval '1 hour',
			game_date < ((now() - interval '12 hours') AT TIME ZONE 'UTC')::date, false) AS due) d
		WHERE game_date BETWEEN coalesce(nullif($1, '')::date, '-infinity') AND coalesce(nullif($2, '')::date, 'infinity')
			-- guard: games: one that was called off is not missing | NOT is_off AND ->
			AND (NOT $3 OR NOT is_off AND NOT EXISTS (SELECT 1 FROM {schema}.pitches p WHERE p.game_pk = g.game_pk))
		ORDER BY game_date, game_pk`, from, to, missing)
	return found, pg.Wrap("games", err)
}

// Date returns a game's date, "" where no file has said it.
func (b Games) Date(ctx context.Context, game string) (date schemas.Text, err error) {
	err = pg.ScanOne(ctx, b.db, []any{pg.Date(&date)},
		`SELECT (SELECT game_date FROM {schema}.games WHERE game_pk = $1)`, game)
	return date, pg.Wrap("games", err)
}
