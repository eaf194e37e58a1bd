package pgbooks

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var (
	sqlQualityTouched   = statement("quality_touched")
	sqlQualityDifferent = statement("quality_different")
)

// QualityUnit is what facts are computed of in one go: a game, or the rows without a game of one day.
type QualityUnit struct {
	Game string // "": rows without a game
	Day  string // YYYY-MM-DD, of rows without a game; else ""
}

// qualityMargin is how far the clocks of those who write rows may be apart.
const qualityMargin = 2 * time.Minute

// QualityTouched answers what was written since the watermark and is not computed yet, the longest ago first. With whole
// it answers what differs in its number of rows too: that reads every row.
func (b *Books) QualityTouched(ctx context.Context, whole bool) (units []QualityUnit, err error) {
	var since time.Time
	err = b.pool.QueryRow(ctx, `SELECT coalesce((SELECT at FROM quality_state WHERE name = 'touched'), '1970-01-01Z')`).Scan(&since)
	if err != nil {
		return nil, fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
	}
	known := map[QualityUnit]bool{}
	ask := func(sql string, args ...any) error {
		rows, err := b.pool.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		var game string
		var day *string
		_, err = pgx.ForEachRow(rows, []any{&game, &day}, func() error {
			if u := (QualityUnit{game, string(pg.TextOf(day))}); !known[u] {
				known[u] = true
				units = append(units, u)
			}
			return nil
		})
		return err
	}
	err = ask(sqlQualityTouched, since.Add(-qualityMargin))
	if err == nil && whole {
		err = ask(sqlQualityDifferent)
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
	}
	return units, nil
}

// QualityDone moves the watermark: all that was written before is computed.
func (b *Books) QualityDone(ctx context.Context, at time.Time) error {
	_, err := b.pool.Exec(ctx, `INSERT INTO quality_state (name, at) VALUES ('touched', $1) ON CONFLICT (name) DO UPDATE SET at = greatest(quality_state.at, excluded.at)`, at)
	if err != nil {
		return fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
	}
	return nil
}

// QualityRows answers the rows that stand of a unit.
func (b *Books) QualityRows(ctx context.Context, u QualityUnit) ([]schemas.StoredRow, error) {
	sql, args := `SELECT `+pg.RowColumns+` FROM pitches WHERE game_pk = $1`, []any{u.Game}
	if u.Game == "" {
		sql = `SELECT ` + pg.RowColumns + ` FROM pitches WHERE game_pk IS NULL AND event_time >= $1::date - 2 AND event_time < $1::date + 3
			AND coalesce(game_date, (event_time AT TIME ZONE 'UTC')::date) = $1::date`
		args = []any{u.Day}
	}
	rows, err := b.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
	}
	defer rows.Close()
	var out []schemas.StoredRow
	for rows.Next() {
		r, err := pg.ScanRow(rows)
		if err != nil {
			return nil, fmt.Errorf("postgres: quality: %w", err)
		}
		out = append(out, *r)
	}
	return out, rows.Err()
}

// SaveQuality writes the facts of a unit, computed from rows that were read no earlier than at, and empties those that
// no rows stand for any more. Only who holds the lock "quality" may call it.
func (b *Books) SaveQuality(ctx context.Context, u QualityUnit, at time.Time, facts []schemas.QualityFacts) error {
	batch := &pgx.Batch{}
	days, venues := make([]string, len(facts)), make([]string, len(facts))
	for i, f := range facts {
		days[i], venues[i] = f.Day, string(f.Venue)
		body, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("quality of game %s: %w", u.Game, err)
		}
		batch.Queue(`INSERT INTO quality_games (game_key, day, venue, computed_at, pitches, facts) VALUES ($1, $2::text::date, $3, $4, $5, $6)
			ON CONFLICT (game_key, day, venue) DO UPDATE SET computed_at = excluded.computed_at, pitches = excluded.pitches, facts = excluded.facts
			-- guard: quality: older facts do not replace newer ones | WHERE quality_games.computed_at <= excluded.computed_at -> WHERE true
			WHERE quality_games.computed_at <= excluded.computed_at`,
			u.Game, f.Day, string(f.Venue), at, f.Pitches, body)
	}
	// guard: quality: facts that no rows stand for are emptied | pitches = 0, facts = '{}', ->
	batch.Queue(`UPDATE quality_games SET pitches = 0, facts = '{}', computed_at = $4
		WHERE game_key = $1 AND ($5 = '' OR day::text = $5) AND (day::text, venue) NOT IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
		u.Game, days, venues, at, u.Day)
	err := pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
	if err != nil {
		return fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
	}
	return nil
}

// QualityDay answers the newest day of a game; "": no row of it stands.
func (b *Books) QualityDay(ctx context.Context, game string) (day string, err error) {
	err = b.pool.QueryRow(ctx, `SELECT coalesce(max(day)::text, '') FROM quality_games WHERE game_key = $1 AND pitches > 0`, game).Scan(&day)
	if err != nil {
		return "", fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
	}
	return day, nil
}

// PlayerIDs answers all players; none: no list was loaded.
func (b *Books) PlayerIDs(ctx context.Context) (map[int64]bool, error) {
	rows, err := b.pool.Query(ctx, `SELECT id FROM players`)
	if err != nil {
		return nil, fmt.Errorf("postgres: players: %w", pg.HideSecret(err))
	}
	ids := map[int64]bool{}
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { ids[id] = true; return nil }); err != nil {
		return nil, fmt.Errorf("postgres: players: %w", pg.HideSecret(err))
	}
	return ids, nil
}

// QualityFacts answers the stored facts of so many days up to a day (YYYY-MM-DD); "": up to the newest that has any.
func (b *Books) QualityFacts(ctx context.Context, last string, days int) ([]schemas.QualityFacts, error) {
	return qualityFacts(ctx, b.pool, last, days)
}

func qualityFacts(ctx context.Context, pool *pgxpool.Pool, last string, days int) (facts []schemas.QualityFacts, err error) {
	rows, err := pool.Query(ctx, `
		WITH newest AS (SELECT coalesce(nullif($1, '')::date, (SELECT max(day) FROM quality_games WHERE pitches > 0)) AS day)
		SELECT facts FROM quality_games, newest
		WHERE quality_games.day BETWEEN newest.day - $2::int AND newest.day
			AND (pitches > 0 OR facts #> '{shares,deleted_pitches}' IS NOT NULL) ORDER BY quality_games.day, game_key, venue`, last, days)
	if err != nil {
		return nil, fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		var f schemas.QualityFacts
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
		}
		if err := json.Unmarshal(body, &f); err != nil {
			return nil, fmt.Errorf("postgres: quality: %w", err)
		}
		facts = append(facts, f)
	}
	return facts, rows.Err()
}

const sqlQualityArrivals = `
	SELECT day::text, venue, sum(repeats), sum(conflicting), sum(deleted)
	FROM (
		SELECT coalesce(game_date, (event_time AT TIME ZONE 'UTC')::date) AS day, coalesce(venue, '') AS venue,
		       coalesce(repeats, 0) AS repeats, (coalesce(conflicts, 0) > 0)::int AS conflicting, 0 AS deleted
		FROM pitch_registers WHERE standing AND (repeats > 0 OR conflicts > 0) AND `
const (
	sqlOfGame  = `game_pk = $1 AND $2 = ''`
	sqlOfNone  = `$1 = '' AND game_pk IS NULL AND event_time >= $2::text::date - 2 AND event_time < $2::text::date + 3`
	sqlDeleted = `
		UNION ALL
		SELECT gone_day, coalesce(gone_venue, ''), 0, 0, 1
		FROM pitch_registers WHERE gone_day IS NOT NULL AND coalesce(gone_game_pk, '') = $1
	) arrived
	WHERE $2 = '' OR day = nullif($2, '')::date
	GROUP BY 1, 2`
)

// QualityArrivals answers what the rows of a unit do not show: records that came again, that differ, and deletes.
func (b *Books) QualityArrivals(ctx context.Context, u QualityUnit) (out []schemas.QualityArrivals, err error) {
	of := sqlOfGame
	if u.Game == "" {
		of = sqlOfNone
	}
	rows, err := b.pool.Query(ctx, sqlQualityArrivals+of+sqlDeleted, u.Game, u.Day)
	if err != nil {
		return nil, fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
	}
	var a schemas.QualityArrivals
	_, err = pgx.ForEachRow(rows, []any{&a.Day, &a.Venue, &a.Repeats, &a.Conflicting, &a.Deleted}, func() error {
		out = append(out, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: quality: %w", pg.HideSecret(err))
	}
	return out, nil
}
