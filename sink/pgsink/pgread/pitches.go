package pgread

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Pitch reads one row; nil where none stands.
func (r *Reader) Pitch(ctx context.Context, id schemas.PitchID) (*schemas.StoredRow, error) {
	rows, err := r.rows(ctx, `SELECT `+pg.RowColumns+` FROM pitches WHERE pitch_id = $1`, [16]byte(id))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// BatterPitches reads a batter's rows, the newest first, from after the cursor on; nil: from the newest.
func (r *Reader) BatterPitches(ctx context.Context, id int64, after *schemas.PitchCursor, limit int) ([]schemas.StoredRow, error) {
	const order = ` ORDER BY event_time DESC, pitch_id DESC LIMIT $2`
	if after == nil {
		return r.rows(ctx, `SELECT `+pg.RowColumns+` FROM pitches WHERE batter_id = $1`+order, id, limit)
	}
	return r.rows(ctx, `SELECT `+pg.RowColumns+` FROM pitches WHERE batter_id = $1 AND (event_time, pitch_id) < ($3, $4)`+order,
		id, limit, after.EventTime.Time(), [16]byte(after.PitchID))
}

// GamePitches reads the newest rows of a game, the newest first.
func (r *Reader) GamePitches(ctx context.Context, gamePK string, limit int) ([]schemas.StoredRow, error) {
	return r.rows(ctx, `SELECT `+pg.RowColumns+` FROM pitches WHERE game_pk = $1 ORDER BY event_time DESC, pitch_id DESC LIMIT $2`, gamePK, limit)
}

// Swings reads the newest swings of each of the batters, the newest first of each.
func (r *Reader) Swings(ctx context.Context, ids []int64, limit int) ([]schemas.StoredRow, error) {
	return r.rows(ctx, `
		SELECT s.* FROM unnest($1::bigint[]) WITH ORDINALITY AS asked(id, place) CROSS JOIN LATERAL (
			SELECT `+pg.RowColumns+` FROM pitches WHERE batter_id = asked.id AND is_swing ORDER BY event_time DESC, pitch_id DESC LIMIT $2
		) s ORDER BY asked.place, s.event_time DESC, s.pitch_id DESC`, ids, limit)
}

func (r *Reader) rows(ctx context.Context, sql string, args ...any) ([]schemas.StoredRow, error) {
	rows, err := r.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: pitches: %w", pg.HideSecret(err))
	}
	defer rows.Close()
	var out []schemas.StoredRow
	for rows.Next() {
		row, err := pg.ScanRow(rows)
		if err != nil {
			return nil, fmt.Errorf("postgres: pitches: %w", err)
		}
		out = append(out, *row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("postgres: pitches: %w", pg.HideSecret(err))
	}
	return out, nil
}

// pitchesOfAGame is how many of the newest pitches are looked at for each game that is asked for: more than a long game
// has.
const pitchesOfAGame = 500

const gameColumns = `game_pk, max(game_date)::text, max(venue), count(*), min(event_time), max(event_time), max(processed_at)`

// Games reads the games of the newest pitches, the one with the newest pitch first.
func (r *Reader) Games(ctx context.Context, limit int) ([]schemas.PlayedGame, error) {
	return r.games(ctx, `
		WITH newest AS (SELECT game_pk, event_time FROM pitches ORDER BY event_time DESC LIMIT $2),
		     recent AS (SELECT game_pk FROM newest WHERE game_pk IS NOT NULL GROUP BY game_pk ORDER BY max(event_time) DESC, game_pk LIMIT $1)
		SELECT g.* FROM recent CROSS JOIN LATERAL (SELECT `+gameColumns+` FROM pitches p WHERE p.game_pk = recent.game_pk GROUP BY game_pk) g
		ORDER BY 6 DESC, 1`, limit, limit*pitchesOfAGame)
}

// Game reads one game; nil where no row of it stands.
func (r *Reader) Game(ctx context.Context, gamePK string) (*schemas.PlayedGame, error) {
	games, err := r.games(ctx, `SELECT `+gameColumns+` FROM pitches WHERE game_pk = $1 GROUP BY game_pk`, gamePK)
	if err != nil || len(games) == 0 {
		return nil, err
	}
	return &games[0], nil
}

func (r *Reader) games(ctx context.Context, sql string, args ...any) ([]schemas.PlayedGame, error) {
	rows, err := r.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: games: %w", pg.HideSecret(err))
	}
	games, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (g schemas.PlayedGame, err error) {
		var date, venue *string
		var first, last, updated time.Time
		err = row.Scan(&g.GamePK, &date, &venue, &g.Pitches, &first, &last, &updated)
		g.GameDate, g.Venue = pg.TextOf(date), pg.TextOf(venue)
		g.First, g.Last, g.UpdatedAt = schemas.TimeMSOf(first), schemas.TimeMSOf(last), schemas.TimeMSOf(updated)
		return g, err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: games: %w", pg.HideSecret(err))
	}
	return games, nil
}

// Players reads all names. version names the list that the caller has; where it still is the present one,
// players is nil.
func (r *Reader) Players(ctx context.Context, version string) (players []schemas.Player, now string, err error) {
	if err := r.pool.QueryRow(ctx, `SELECT count(*) || '/' || coalesce(max(updated_at)::text, '') FROM players`).Scan(&now); err != nil {
		return nil, version, fmt.Errorf("postgres: players: %w", pg.HideSecret(err))
	}
	if now == version {
		return nil, now, nil
	}
	rows, err := r.pool.Query(ctx, `SELECT id, name, coalesce(team, '') FROM players`)
	if err == nil {
		players, err = pgx.CollectRows(rows, pgx.RowToStructByPos[schemas.Player])
	}
	if err != nil {
		return nil, version, fmt.Errorf("postgres: players: %w", pg.HideSecret(err))
	}
	return players, now, nil
}
