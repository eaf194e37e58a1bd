package pgsink

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
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
func (s *Sink) QualityTouched(ctx context.Context, whole bool) (units []QualityUnit, err error) {
	var since time.Time
	err = s.pool.QueryRow(ctx, `SELECT coalesce((SELECT at FROM quality_state WHERE name = 'touched'), '1970-01-01Z')`).Scan(&since)
	if err != nil {
		return nil, fmt.Errorf("postgres: quality: %w", hideSecret(err))
	}
	known := map[QualityUnit]bool{}
	ask := func(sql string, args ...any) error {
		rows, err := s.pool.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		var game string
		var day *string
		_, err = pgx.ForEachRow(rows, []any{&game, &day}, func() error {
			if u := (QualityUnit{game, string(textOf(day))}); !known[u] {
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
		return nil, fmt.Errorf("postgres: quality: %w", hideSecret(err))
	}
	return units, nil
}

// QualityDone moves the watermark: all that was written before is computed.
func (s *Sink) QualityDone(ctx context.Context, at time.Time) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO quality_state (name, at) VALUES ('touched', $1) ON CONFLICT (name) DO UPDATE SET at = greatest(quality_state.at, excluded.at)`, at)
	if err != nil {
		return fmt.Errorf("postgres: quality: %w", hideSecret(err))
	}
	return nil
}

// QualityRows answers the rows that stand of a unit.
func (s *Sink) QualityRows(ctx context.Context, u QualityUnit) ([]schemas.StoredRow, error) {
	sql, args := `SELECT `+rowColumns+` FROM pitches WHERE game_pk = $1`, []any{u.Game}
	if u.Game == "" {
		sql = `SELECT ` + rowColumns + ` FROM pitches WHERE game_pk IS NULL AND event_time >= $1::date - 2 AND event_time < $1::date + 3
			AND coalesce(game_date, (event_time AT TIME ZONE 'UTC')::date) = $1::date`
		args = []any{u.Day}
	}
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: quality: %w", hideSecret(err))
	}
	defer rows.Close()
	var out []schemas.StoredRow
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, fmt.Errorf("postgres: quality: %w", err)
		}
		out = append(out, *r)
	}
	return out, rows.Err()
}

// SaveQuality writes the facts of a unit, computed from rows that were read no earlier than at, and empties those that
// no rows stand for any more. Only who holds the lock "quality" may call it.
func (s *Sink) SaveQuality(ctx context.Context, u QualityUnit, at time.Time, facts []schemas.QualityFacts) error {
	b := &pgx.Batch{}
	days, venues := make([]string, len(facts)), make([]string, len(facts))
	for i, f := range facts {
		days[i], venues[i] = f.Day, string(f.Venue)
		body, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("quality of game %s: %w", u.Game, err)
		}
		b.Queue(`INSERT INTO quality_games (game_key, day, venue, computed_at, pitches, facts) VALUES ($1, $2::text::date, $3, $4, $5, $6)
			ON CONFLICT (game_key, day, venue) DO UPDATE SET computed_at = excluded.computed_at, pitches = excluded.pitches, facts = excluded.facts
			-- guard: quality: older facts do not replace newer ones | WHERE quality_games.computed_at <= excluded.computed_at -> WHERE true
			WHERE quality_games.computed_at <= excluded.computed_at`,
			u.Game, f.Day, string(f.Venue), at, f.Pitches, body)
	}
	// guard: quality: facts that no rows stand for are emptied | pitches = 0, facts = '{}', ->
	b.Queue(`UPDATE quality_games SET pitches = 0, facts = '{}', computed_at = $4
		WHERE game_key = $1 AND ($5 = '' OR day::text = $5) AND (day::text, venue) NOT IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
		u.Game, days, venues, at, u.Day)
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() })
	if err != nil {
		return fmt.Errorf("postgres: quality: %w", hideSecret(err))
	}
	return nil
}

// QualityDay answers the newest day of a game; "": no row of it stands.
func (s *Sink) QualityDay(ctx context.Context, game string) (day string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(day)::text, '') FROM quality_games WHERE game_key = $1 AND pitches > 0`, game).Scan(&day)
	if err != nil {
		return "", fmt.Errorf("postgres: quality: %w", hideSecret(err))
	}
	return day, nil
}

// PlayerIDs answers all players; none: no list was loaded.
func (s *Sink) PlayerIDs(ctx context.Context) (map[int64]bool, error) {
	rows, err := s.pool.Query(ctx, `SELECT id FROM players`)
	if err != nil {
		return nil, fmt.Errorf("postgres: players: %w", hideSecret(err))
	}
	ids := map[int64]bool{}
	var id int64
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { ids[id] = true; return nil }); err != nil {
		return nil, fmt.Errorf("postgres: players: %w", hideSecret(err))
	}
	return ids, nil
}

// QualityFacts answers the stored facts of so many days up to a day (YYYY-MM-DD); "": up to the newest that has any.
func (s *Sink) QualityFacts(ctx context.Context, last string, days int) ([]schemas.QualityFacts, error) {
	return qualityFacts(ctx, s.pool, last, days)
}

// QualityFacts answers the stored facts of so many days up to a day (YYYY-MM-DD); "": up to the newest that has any.
func (r *Reader) QualityFacts(ctx context.Context, last string, days int) ([]schemas.QualityFacts, error) {
	return qualityFacts(ctx, r.pool, last, days)
}

func qualityFacts(ctx context.Context, pool *pgxpool.Pool, last string, days int) (facts []schemas.QualityFacts, err error) {
	rows, err := pool.Query(ctx, `
		WITH newest AS (SELECT coalesce(nullif($1, '')::date, (SELECT max(day) FROM quality_games WHERE pitches > 0)) AS day)
		SELECT facts FROM quality_games, newest
		WHERE quality_games.day BETWEEN newest.day - $2::int AND newest.day
			AND (pitches > 0 OR facts #> '{shares,deleted_pitches}' IS NOT NULL) ORDER BY quality_games.day, game_key, venue`, last, days)
	if err != nil {
		return nil, fmt.Errorf("postgres: quality: %w", hideSecret(err))
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		var f schemas.QualityFacts
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("postgres: quality: %w", hideSecret(err))
		}
		if err := json.Unmarshal(body, &f); err != nil {
			return nil, fmt.Errorf("postgres: quality: %w", err)
		}
		facts = append(facts, f)
	}
	return facts, rows.Err()
}
