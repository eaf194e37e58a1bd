package pgread

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Pitches returns the row of each pitch in the order of the ids, nil where none is current. It says whether
// the swing was a sword among those that its batter has now.
func (r *Reader) Pitches(ctx context.Context, ids []schemas.PitchID) ([]*schemas.StoredPitch, error) {
	var rows []schemas.StoredPitch
	b := byKey()
	queue(b, &rows, scanPitch, `
		SELECT `+pg.RowColumns+`, CASE WHEN is_cut_short IS NOT NULL THEN
			coalesce((SELECT true FROM {schema}.swords s WHERE s.pitch_id = p.pitch_id LIMIT 1), false) END
		FROM {schema}.pitches p WHERE pitch_id = ANY($1::uuid[])`, ids)
	if err := r.db.Run(ctx, b); err != nil {
		return nil, pg.Wrap("pitches", err)
	}
	found := map[schemas.PitchID]*schemas.StoredPitch{}
	for i := range rows {
		found[rows[i].Row.PitchID] = &rows[i]
	}
	return schemas.Map(ids, func(id schemas.PitchID) *schemas.StoredPitch { return found[id] }), nil
}

// Pitch is Pitches for one.
func (r *Reader) Pitch(ctx context.Context, id schemas.PitchID) (*schemas.StoredPitch, error) {
	found, err := r.Pitches(ctx, []schemas.PitchID{id})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func scanPitch(row pgx.CollectableRow) (p schemas.StoredPitch, err error) {
	var isSword *bool
	p.Row, err = pg.ScanRowWith(row, &isSword)
	p.IsSword = schemas.FromPointer(isSword)
	return p, err
}

// PlayerPitches returns a player's rows, the newest first, from behind the cursor on; nil: from the newest.
func (r *Reader) PlayerPitches(
	ctx context.Context, key schemas.PlayerKey, after *schemas.PitchCursor, limit int,
) ([]schemas.StoredRow, error) {
	return r.pitchesBehind(ctx, ofSide(key.Side, `{side}_id = $1`), key.PlayerID, after, limit)
}

// BatterSwings returns a batter's swings, the newest first, from behind the cursor on; nil: from the newest.
func (r *Reader) BatterSwings(
	ctx context.Context, id int64, after *schemas.PitchCursor, limit int,
) ([]schemas.StoredRow, error) {
	return r.pitchesBehind(ctx, `batter_id = $1 AND is_swing`, id, after, limit)
}

// FindPitches returns the rows that the filter chooses, the newest first, from behind the cursor on; nil:
// from the newest.
func (r *Reader) FindPitches(
	ctx context.Context, f schemas.PitchFilter, after *schemas.PitchCursor, limit int,
) (found []schemas.StoredRow, err error) {
	where, args := filterPitches(f, after)
	args = append(args, limit)
	b := &pgx.Batch{}
	// A value that no row has, as a misspelled type, would else be looked for in the whole table.
	b.Queue(`SELECT set_config('enable_seqscan', 'off', true)`)
	b.Queue(`SELECT `+pg.RowColumns+` FROM {schema}.pitches `+where+
		` ORDER BY event_time DESC, pitch_id DESC LIMIT $`+strconv.Itoa(len(args)), args...).
		Query(func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectRows(rows, pg.ScanRow)
			return err
		})
	return found, pg.Wrap("pitches", r.db.Run(ctx, b))
}

// filterPitches returns the condition of a filter, and its arguments.
func filterPitches(f schemas.PitchFilter, after *schemas.PitchCursor) (where string, args []any) {
	var all []string
	add := func(isPresent bool, condition string, values ...any) {
		if !isPresent {
			return
		}
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		all = append(all, condition)
	}
	add(f.BatterID.Present, `batter_id = ?`, f.BatterID.Value)
	add(f.PitcherID.Present, `pitcher_id = ?`, f.PitcherID.Value)
	add(f.GamePK != "", `game_pk = ?`, string(f.GamePK))
	add(f.PitchType != "", `pitch_type = ?`, string(f.PitchType))
	add(f.Result != "", `pitch_result = ?`, string(f.Result))
	// The words are those of the partial indexes, which a parameter would not be seen to imply.
	add(f.IsSwing.Present && f.IsSwing.Value, `is_swing`)
	add(f.IsSwing.Present && !f.IsSwing.Value, `NOT is_swing`)
	add(f.IsChase.Present && f.IsChase.Value, `is_chase`)
	add(f.IsChase.Present && !f.IsChase.Value, `NOT is_chase`)
	add(f.Since.Present, `event_time >= ?`, f.Since.Value.Time())
	add(f.Until.Present, `event_time < ?`, f.Until.Value.Time())
	if after != nil {
		// guard: api: a page begins behind the cursor
		add(true, `(event_time, pitch_id) < (?, ?)`, after.EventTime.Time(), [16]byte(after.PitchID))
	}
	if len(all) == 0 {
		return "", nil
	}
	return `WHERE ` + strings.Join(all, ` AND `), args
}

// GamePitches returns the rows of a game, the newest first, from behind the cursor on; nil: from the newest.
func (r *Reader) GamePitches(
	ctx context.Context, gamePK string, after *schemas.PitchCursor, limit int,
) ([]schemas.StoredRow, error) {
	return r.pitchesBehind(ctx, `game_pk = $1`, gamePK, after, limit)
}

// pitchesBehind returns the newest rows of which a condition on $1 holds, from behind the cursor on.
func (r *Reader) pitchesBehind(
	ctx context.Context, condition string, arg any, after *schemas.PitchCursor, limit int,
) ([]schemas.StoredRow, error) {
	if after == nil {
		return r.rows(ctx, `WHERE `+condition+newestFirst, arg, limit)
	}
	return r.rows(ctx, `WHERE `+condition+` AND (event_time, pitch_id) < ($3, $4)`+newestFirst,
		arg, limit, after.EventTime.Time(), [16]byte(after.PitchID))
}

const newestFirst = ` ORDER BY event_time DESC, pitch_id DESC LIMIT $2`

func sqlRows(where string) string {
	return `SELECT ` + pg.RowColumns + ` FROM {schema}.pitches ` + where
}

func (r *Reader) rows(ctx context.Context, where string, args ...any) ([]schemas.StoredRow, error) {
	return collect(ctx, r, "pitches", pg.ScanRow, sqlRows(where), args...)
}

// Swings returns the newest swings of each of the batters, the newest first of each.
func (r *Reader) Swings(ctx context.Context, ids []int64, limit int) ([]schemas.StoredRow, error) {
	return collect(ctx, r, "pitches", pg.ScanRow, `
		SELECT s.* FROM unnest($1::bigint[]) WITH ORDINALITY AS asked(id, place) CROSS JOIN LATERAL (
			SELECT `+pg.RowColumns+` FROM {schema}.pitches WHERE batter_id = asked.id AND is_swing ORDER BY event_time DESC, pitch_id DESC LIMIT $2
		) s ORDER BY asked.place, s.event_time DESC, s.pitch_id DESC`, ids, limit)
}

// Splits returns a page of the groups of a player's pitches, each with the aggregates of its rows: those that
// the player would have if there were no others. In a game these are the aggregates of the game.
func (r *Reader) Splits(ctx context.Context, q schemas.SplitQuery) (found schemas.Splits, err error) {
	sql, args := splitStatement(q)
	b := &pgx.Batch{}
	// Never the whole table. And no nested loops, which the planner chooses because it expects few rows.
	b.Queue(`SELECT set_config('enable_seqscan', 'off', true), set_config('enable_nestloop', 'off', true)`)
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		return pg.Each(rows, func() error {
			split, isTooMuch, err := scanSplit(q.Side, rows)
			found.IsTooMuch = found.IsTooMuch || isTooMuch
			found.Groups = append(found.Groups, split)
			return err
		})
	})
	err = pg.Wrap("splits of a player", r.db.Run(ctx, b))
	// guard: api: splits of too many pitches are no answer
	if found.IsTooMuch {
		found.Groups = nil
	}
	return found, err
}

// gameColumns are the columns of a game, of its pitches p and the facts f that were loaded of it. Its date
// and venue are those of its facts, else of most of its pitches.
// guard: warehouse: a game is what most of its pitches say | mode() WITHIN GROUP (ORDER BY p.venue) -> max(p.venue)
// guard: games: what a file says of a game counts | coalesce(max(f.game_date), mode() WITHIN GROUP (ORDER BY p.game_date)) -> mode() WITHIN GROUP (ORDER BY p.game_date)
const gameColumns = `p.game_pk, coalesce(max(f.game_date), mode() WITHIN GROUP (ORDER BY p.game_date)),
	coalesce(max(f.venue), mode() WITHIN GROUP (ORDER BY p.venue)), max(f.home_team), max(f.away_team), max(f.starts_at),
	count(*), min(event_time), max(event_time) AS last, max(processed_at),
	coalesce((SELECT max(event_time) FROM {schema}.pitches WHERE event_time <= now() + interval '1 hour'), max(event_time))`

// Games returns the games that q asks for.
func (r *Reader) Games(ctx context.Context, q schemas.GameQuery) ([]schemas.PlayedGame, error) {
	chosen, err := r.chooseGames(ctx, q)
	if err != nil {
		return nil, err
	}
	games, err := r.countGames(ctx, chosen)
	if q.Date != "" { // a game's date is known when it has been counted
		games = slices.DeleteFunc(games, func(g schemas.PlayedGame) bool { return g.GameDate != q.Date })
	}
	return games[:min(len(games), q.Limit)], err
}

// chooseGames returns the games of a page, and those that may be of a date.
func (r *Reader) chooseGames(ctx context.Context, q schemas.GameQuery) (games []string, err error) {
	choose := func(named string, args ...any) ([]string, error) {
		sql, args := gamesStatement(named, q, args...)
		return collect(ctx, r, "games", pgx.RowTo[string], sql, args...)
	}
	if q.Date != "" {
		return choose(sqlNamedByDate, string(q.Date), schemas.MaxGamesOfADate)
	}
	newest := pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	if q.After != nil {
		newest = pgtype.Timestamptz{Time: q.After.Newest.Time(), Valid: true}
	}
	games, err = choose(sqlNamedByNewest, newest, q.Limit*pitchesOfAGame)
	// guard: api: games behind many pitches of another one are found | len(games) == q.Limit -> true
	if err != nil || len(games) == q.Limit {
		return games, err
	}
	return choose(sqlNamedAll)
}

// pitchesOfAGame is how many of the newest pitches Games looks at for each game of a page. A long game has
// fewer. Where these have too few games, because one has more or pitches have none, Games looks at all games.
const pitchesOfAGame = 500

// The ways to find the games that a page is chosen from: those of the newest pitches up to a time, all, and
// those of a date. An index leads to each game.
const (
	sqlNamedByNewest = `SELECT DISTINCT game_pk FROM {schema}.pitches WHERE game_pk IS NOT NULL AND event_time <= $1 AND event_time >=
		coalesce((SELECT event_time FROM {schema}.pitches WHERE event_time <= $1 ORDER BY event_time DESC OFFSET $2 LIMIT 1), '-infinity')`
	sqlNamedAll = `SELECT game_pk FROM (WITH RECURSIVE next AS (
			(SELECT game_pk FROM {schema}.pitches WHERE game_pk IS NOT NULL ORDER BY game_pk LIMIT 1)
			UNION ALL SELECT (SELECT p.game_pk FROM {schema}.pitches p WHERE p.game_pk > next.game_pk ORDER BY p.game_pk LIMIT 1)
			FROM next WHERE next.game_pk IS NOT NULL) SELECT game_pk FROM next WHERE game_pk IS NOT NULL) every`
	// History that is loaded may have another time than its date: quality has found out about it.
	sqlNamedByDate = `SELECT game_pk FROM (
			SELECT game_pk FROM {schema}.pitches WHERE game_date = $1::text::date AND game_pk IS NOT NULL
				AND event_time >= $1::text::date - interval '2 days' AND event_time < $1::text::date + interval '3 days'
			UNION SELECT game_pk FROM {schema}.quality WHERE day = $1::text::date AND pitches > 0
			UNION SELECT game_pk FROM {schema}.games WHERE game_date = $1::text::date) dated LIMIT $2`
)

// gamesStatement returns the statement for a page of the games that named finds with args; with a date, for
// all of them. Games are ordered by their newest pitch, which an index knows.
func gamesStatement(named string, q schemas.GameQuery, args ...any) (string, []any) {
	add := func(arg any) string {
		args = append(args, arg)
		return "$" + strconv.Itoa(len(args))
	}
	sql := `WITH named AS MATERIALIZED (` + named + `),
		placed AS (SELECT game_pk, (SELECT max(event_time) FROM {schema}.pitches p WHERE p.game_pk = named.game_pk) AS last FROM named)
		SELECT game_pk FROM placed WHERE last IS NOT NULL`
	if q.After != nil {
		// guard: api: a page of all games begins behind the cursor
		sql += ` AND (last, game_pk COLLATE "C") < (` + add(q.After.Newest.Time()) + `, ` + add(string(q.After.Key)) + `)`
	}
	if q.Date == "" {
		sql += ` ORDER BY last DESC, game_pk COLLATE "C" DESC LIMIT ` + add(q.Limit)
	}
	return sql, args
}

// countGames returns those of the games that have a current row, the one with the newest pitch first.
func (r *Reader) countGames(ctx context.Context, games []string) ([]schemas.PlayedGame, error) {
	return collect(ctx, r, "games", scanGame, sqlGames, games)
}

const sqlGames = `
		SELECT g.* FROM unnest($1::text[]) AS named(game_pk) CROSS JOIN LATERAL (SELECT ` + gameColumns + ` FROM {schema}.pitches p
			LEFT JOIN {schema}.games f ON f.game_pk = p.game_pk WHERE p.game_pk = named.game_pk GROUP BY p.game_pk) g
		ORDER BY g.last DESC, g.game_pk COLLATE "C" DESC`

// Game returns a game, all of it as of one moment: at most so many of its batters, as many of its pitchers,
// and so many of its newest pitches. It returns nil if no row of the game is current.
func (r *Reader) Game(
	ctx context.Context, gamePK string, players, pitches int,
) (*schemas.WholeGame, error) {
	var games []schemas.PlayedGame
	var whole schemas.WholeGame
	b := &pgx.Batch{}
	queue(b, &games, scanGame, sqlGames, []string{gamePK})
	for _, side := range schemas.Sides {
		queue(b, whole.PlayersOf(side), scanState(side), ofSide(side, `
			SELECT game_pk, {stats columns} FROM {schema}.{side}_game_stats WHERE game_pk = $1 ORDER BY {side}_id LIMIT $2`), gamePK, players)
	}
	queue(b, &whole.Pitches, pg.ScanRow, sqlRows(`WHERE game_pk = $1`+newestFirst), gamePK, pitches)
	if err := r.db.RunInSnapshot(ctx, b); err != nil || len(games) == 0 {
		return nil, pg.Wrap("games", err)
	}
	whole.Game = games[0]
	return &whole, nil
}

// queue reads the rows of a statement into found.
func queue[T any](b *pgx.Batch, found *[]T, scan pgx.RowToFunc[T], sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*found, err = pgx.CollectRows(rows, scan)
		return err
	})
}

// GameVersions returns a text for each of the games, in their order, that is another one after each change of
// its rows; "" where it has none. It is made of the transactions that wrote the rows, because no clock
// decides which of those was last.
func (r *Reader) GameVersions(ctx context.Context, games []string) ([]string, error) {
	return collect(ctx, r, "versions of games", pgx.RowTo[string], `
		SELECT coalesce(v.version, '') FROM unnest($1::text[]) WITH ORDINALITY AS asked(game, place) CROSS JOIN LATERAL (
			SELECT count(*) || '/' || sum(xmin::text::bigint) AS version FROM {schema}.pitch_registers WHERE standing AND game_pk = asked.game
		) v ORDER BY asked.place`, games)
}

func scanGame(row pgx.CollectableRow) (g schemas.PlayedGame, err error) {
	err = row.Scan(&g.GamePK, pg.Date(&g.GameDate), pg.Text(&g.Venue), pg.Text(&g.HomeTeam),
		pg.Text(&g.AwayTeam), pg.MaybeTime(&g.StartsAt), &g.Pitches,
		pg.Time(&g.First), pg.Time(&g.Last), pg.Time(&g.UpdatedAt), pg.Time(&g.StreamLast))
	return g, err
}

// Players returns all players and the version of the list. players is nil if version is still the current
// one. The version is made of the transactions that wrote the players, because one that began earlier may
// commit later.
func (r *Reader) Players(
	ctx context.Context, version string,
) (players []schemas.Player, now string, err error) {
	// guard: pgread: players of a load that commits late are seen | sum(xmin::text::bigint) -> max(updated_at)
	const sql = `SELECT count(*) || '/' || coalesce(sum(xmin::text::bigint)::text, '') FROM {schema}.players`
	err = pg.ScanOne(ctx, r.db, []any{&now}, sql)
	if err != nil || now == version {
		return nil, version, pg.Wrap("players", err)
	}
	players, err = collect(ctx, r, "players", pgx.RowToStructByPos[schemas.Player],
		`SELECT id, name, coalesce(team, '') FROM {schema}.players`)
	if err != nil {
		return nil, version, err
	}
	return players, now, nil
}
