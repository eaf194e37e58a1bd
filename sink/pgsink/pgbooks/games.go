package pgbooks

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Games keeps the facts of games that no record has.
type Games struct{ db *pg.DB }

// NewGames makes Games over a pool that its caller closes.
func NewGames(db *pg.DB) Games { return Games{db} }

// Set adds games, and changes those of which other facts are known, in one statement. A fact older than the
// stored one changes nothing, and one that is missing leaves the stored one. The list must hold each game
// once. It returns how many it added or changed, and of how many all facts were older.
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
	times := make([]string, n)
	for i, g := range games {
		b, err := json.Marshal(g.FactsAsOf)
		if err != nil {
			return 0, 0, err
		}
		times[i] = string(b)
	}
	texts := func(of func(schemas.GameFacts) schemas.Text) []string {
		return schemas.Map(games, func(g schemas.GameFacts) string { return string(of(g)) })
	}
	var taken int64
	err = pg.ScanOne(ctx, b.db, []any{&changed, &taken}, sqlSetGames,
		texts(func(g schemas.GameFacts) schemas.Text { return g.GamePK }),
		texts(func(g schemas.GameFacts) schemas.Text { return g.GameDate }),
		texts(func(g schemas.GameFacts) schemas.Text { return g.Venue }),
		texts(func(g schemas.GameFacts) schemas.Text { return g.HomeTeam }),
		texts(func(g schemas.GameFacts) schemas.Text { return g.AwayTeam }), ids[0], ids[1], starts,
		schemas.Map(games, func(g schemas.GameFacts) int64 { return int64(g.AsOf) }), source,
		texts(func(g schemas.GameFacts) schemas.Text { return g.Status }),
		times)
	return changed, int64(n) - taken, pg.Wrap("games", err)
}

// gameFacts are the columns of what files say of a game.
var gameFacts = []string{
	"game_date", "venue", "home_team", "away_team", "home_team_id", "away_team_id", "starts_at", "status",
}

// ofEach writes a text for each of gameFacts in place of {fact}, and joins them.
func ofEach(separator, text string) string {
	return strings.Join(schemas.Map(gameFacts, func(fact string) string {
		return strings.ReplaceAll(text, "{fact}", fact)
	}), separator)
}

// storedAsOf returns the time of the stored fact. An older build writes a fact and as_of, and leaves
// facts_as_of. So facts_as_of has as_of as well, and all its times count only while that is the row's.
// givenAsOf returns the time of the file's fact. isNewer says whether that replaces the stored one.
const (
	// guard: games: times that an older build left do not count | = games.as_of -> IS NOT NULL
	storedAsOf = `coalesce(CASE WHEN (games.facts_as_of->>'as_of')::timestamptz = games.as_of
		THEN (games.facts_as_of->>'{fact}')::timestamptz END, games.as_of)`
	givenAsOf = `(excluded.facts_as_of->>'{fact}')::timestamptz`
	// guard: games: older facts change nothing | <= ` + givenAsOf + ` -> IS NOT NULL
	isNewer = `(excluded.{fact} IS NOT NULL AND (games.{fact} IS NULL OR ` + storedAsOf + ` <= ` + givenAsOf + `))`
)

var sqlSetGames = `
	WITH done AS (
		INSERT INTO {schema}.games (game_pk, ` + ofEach(", ", `{fact}`) + `, as_of, source, facts_as_of)
		SELECT pk, ` + ofEach(", ", `{fact}`) + `, as_of, $10,
			jsonb_strip_nulls(jsonb_build_object('as_of', as_of, ` + ofEach(", ",
	`'{fact}', CASE WHEN {fact} IS NOT NULL THEN coalesce((times->>'{fact}')::timestamptz, as_of) END`) + `))
		FROM (SELECT pk, nullif(day, '')::date AS game_date, nullif(place, '') AS venue, nullif(home, '') AS home_team,
				nullif(away, '') AS away_team, home_team_id, away_team_id, to_timestamp(starts / 1000.0) AS starts_at,
				to_timestamp(made / 1000.0) AS as_of, nullif(said, '') AS status, times::jsonb AS times
			FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $11::text[], $12::text[])
				AS f(pk, day, place, home, away, home_team_id, away_team_id, starts, made, said, times)) given
		ORDER BY pk -- two loads lock in one order
		ON CONFLICT (game_pk) DO UPDATE SET
			` + ofEach(", ", `{fact} = CASE WHEN `+isNewer+` THEN excluded.{fact} ELSE games.{fact} END`) + `,
			facts_as_of = jsonb_strip_nulls(jsonb_build_object('as_of', greatest(games.as_of, excluded.as_of), ` + ofEach(", ",
	`'{fact}', CASE WHEN `+isNewer+` THEN `+givenAsOf+` WHEN games.{fact} IS NOT NULL THEN `+storedAsOf+` END`) + `)),
			as_of = greatest(games.as_of, excluded.as_of),
			source = CASE WHEN games.as_of <= excluded.as_of THEN excluded.source ELSE games.source END,
			updated_at = CASE WHEN ` + ofEach(" OR ", isNewer+` AND games.{fact} IS DISTINCT FROM excluded.{fact}`) + `
				THEN now() ELSE games.updated_at END
		WHERE games.as_of <= excluded.as_of OR ` + ofEach(" OR ", isNewer) + `
		RETURNING updated_at = now() AS changed)
	SELECT count(*) FILTER (WHERE changed), count(*) FROM done`

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
		err = row.Scan(pg.Text(&g.GamePK), pg.Date(&g.GameDate), pg.Text(&g.Venue), pg.Text(&g.HomeTeam),
			pg.Text(&g.AwayTeam), pg.Integer(&g.HomeTeamID), pg.Integer(&g.AwayTeamID), pg.MaybeTime(&g.StartsAt),
			pg.Time(&g.AsOf), pg.Text(&g.Status), &g.IsDue)
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
