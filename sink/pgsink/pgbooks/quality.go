package pgbooks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var (
	sqlQualityTouched   = statement("quality_touched")
	sqlQualityDifferent = statement("quality_different")
	sqlQualityArrivals  = statement("quality_arrivals")
)

// Quality keeps the facts about the quality of the data.
type Quality struct{ db *pg.DB }

// NewQuality makes Quality over a pool that its caller closes.
func NewQuality(db *pg.DB) Quality { return Quality{db} }

// QualityUnit is what facts are computed for at once: a game, or the rows of one day that have no game.
type QualityUnit struct {
	Game string // "": rows without a game
	Day  string // YYYY-MM-DD if Game is "", else ""
}

// clockMargin bounds the difference between the clocks of two writers.
const clockMargin = 2 * time.Minute

// Touched returns the units that were written since the watermark and are not computed yet, the oldest write
// first. With all it adds the units whose number of rows differs, for which it reads every row.
func (b Quality) Touched(ctx context.Context, all bool) ([]QualityUnit, error) {
	var since time.Time
	err := pg.ScanOne(ctx, b.db, []any{&since},
		`SELECT coalesce((SELECT at FROM {schema}.quality_state WHERE name = 'touched'), '1970-01-01Z')`)
	if err != nil {
		return nil, pg.Wrap("quality", err)
	}
	units, err := pg.Collect(ctx, b.db, scanUnit, sqlQualityTouched, since.Add(-clockMargin))
	if err != nil || !all {
		return units, pg.Wrap("quality", err)
	}
	different, err := pg.Collect(ctx, b.db, scanUnit, sqlQualityDifferent)
	for _, u := range different {
		if !slices.Contains(units, u) {
			units = append(units, u)
		}
	}
	return units, pg.Wrap("quality", err)
}

func scanUnit(row pgx.CollectableRow) (u QualityUnit, err error) {
	err = row.Scan(&u.Game, pg.Date((*schemas.Text)(&u.Day)))
	return u, err
}

// Done moves the watermark: everything written before at is computed.
func (b Quality) Done(ctx context.Context, at time.Time) error {
	_, err := pg.Exec(ctx, b.db, `INSERT INTO {schema}.quality_state (name, at) VALUES ('touched', $1)
		ON CONFLICT (name) DO UPDATE SET at = greatest(quality_state.at, excluded.at)`, at)
	return pg.Wrap("quality", err)
}

// Rows returns the current rows of a unit. Those without a date have that of their game, where a file has
// said it.
func (b Quality) Rows(ctx context.Context, u QualityUnit) ([]schemas.StoredRow, error) {
	where, arg := `game_pk = $1`, u.Game
	if u.Game == "" {
		where, arg = `game_pk IS NULL AND coalesce(game_date, (event_time AT TIME ZONE 'UTC')::date) = $1::text::date`, u.Day
	}
	rows, err := pg.Collect(ctx, b.db, pg.ScanRow, `SELECT `+pg.RowColumns+` FROM {schema}.pitches WHERE `+where, arg)
	if err != nil || u.Game == "" {
		return rows, pg.Wrap("quality", err)
	}
	date, err := Games(b).Date(ctx, u.Game)
	for i := range rows {
		// guard: games: pitches without a date are of their game's day | rows[i].GameDate == "" -> false
		if rows[i].GameDate == "" {
			rows[i].GameDate = date
		}
	}
	return rows, err
}

// Save writes the facts of a unit, computed from rows that were read at or after at. It empties stored facts
// of the unit that no row supports any more. Facts that were computed from later rows stay. The caller should
// hold the lock "quality", which spares two from computing the same.
func (b Quality) Save(ctx context.Context, u QualityUnit, at time.Time, facts []schemas.QualityFacts) error {
	batch := &pgx.Batch{}
	days, venues := make([]string, len(facts)), make([]string, len(facts))
	for i, f := range facts {
		days[i], venues[i] = f.Day, string(f.Venue)
		body, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("quality of game %s: %w", u.Game, err)
		}
		batch.Queue(`INSERT INTO {schema}.quality_games (game_key, day, venue, computed_at, pitches, facts) VALUES ($1, $2::text::date, $3, $4, $5, $6)
			ON CONFLICT (game_key, day, venue) DO UPDATE SET computed_at = excluded.computed_at, pitches = excluded.pitches, facts = excluded.facts
			-- guard: quality: older facts do not replace newer ones | WHERE quality_games.computed_at <= excluded.computed_at -> WHERE true
			WHERE quality_games.computed_at <= excluded.computed_at`,
			u.Game, f.Day, string(f.Venue), at, f.Pitches, body)
	}
	// guard: quality: facts without current rows are emptied | pitches = 0, facts = '{}', ->
	batch.Queue(`UPDATE {schema}.quality_games SET pitches = 0, facts = '{}', computed_at = $4
		WHERE game_key = $1 AND ($5 = '' OR day = nullif($5, '')::date) AND (day, venue) NOT IN (SELECT * FROM unnest($2::text[]::date[], $3::text[]))
			-- guard: quality: older facts do not empty newer ones | AND computed_at <= $4 ->
			AND computed_at <= $4`,
		u.Game, days, venues, at, u.Day)
	return pg.Wrap("quality", b.db.Run(ctx, batch))
}

// Day returns the newest day of a game, "" if none of its rows is current.
func (b Quality) Day(ctx context.Context, game string) (day string, err error) {
	err = pg.ScanOne(ctx, b.db, []any{pg.Date((*schemas.Text)(&day))},
		`SELECT max(day) FROM {schema}.quality_games WHERE game_key = $1 AND pitches > 0`, game)
	return day, pg.Wrap("quality", err)
}

// QualityFacts returns the stored facts of the given number of days up to last (YYYY-MM-DD). "" stands for
// the newest day that has 20 pitches, or any if none has, and for those after it: quality.Judge decides which
// of them is a day of the stream. Facts of the last day's games at other days are returned too. There are at
// most 500 of each of the two.
func (b Quality) QualityFacts(ctx context.Context, last string, days int) ([]schemas.QualityFacts, error) {
	facts, err := pg.Collect(ctx, b.db, pgx.RowTo[schemas.QualityFacts], `
		WITH newest AS (SELECT coalesce(nullif($1, '')::date,
			(SELECT max(day) FROM (SELECT day FROM {schema}.quality_games GROUP BY day HAVING sum(pitches) >= 20) AS large),
			(SELECT max(day) FROM {schema}.quality_games WHERE pitches > 0)) AS day),
		found AS (
			SELECT quality_games.day, game_key, venue, facts FROM {schema}.quality_games, newest
			WHERE quality_games.day BETWEEN newest.day - $2::int AND newest.day
				AND (pitches > 0 OR facts #> '{shares,deleted_pitches}' IS NOT NULL)
			UNION ALL (SELECT quality_games.day, game_key, venue, facts FROM {schema}.quality_games, newest
			WHERE $1 = '' AND quality_games.day > newest.day AND pitches > 0 ORDER BY quality_games.day LIMIT 500)
			UNION ALL (SELECT quality_games.day, game_key, venue, facts FROM {schema}.quality_games, newest
			WHERE game_key IN (SELECT g.game_key FROM {schema}.quality_games AS g, newest WHERE g.day = newest.day AND g.game_key <> '')
				AND (quality_games.day < newest.day - $2::int OR $1 <> '' AND quality_games.day > newest.day) AND pitches > 0
			ORDER BY quality_games.day LIMIT 500))
		SELECT facts FROM found ORDER BY day, game_key, venue`, last, days)
	if err == nil {
		err = b.attachMembers(ctx, facts)
	}
	return facts, pg.Wrap("quality", err)
}

// Arrivals returns counts that the rows of a unit do not show: repeated records, conflicting ones, and
// deletes.
func (b Quality) Arrivals(ctx context.Context, u QualityUnit) ([]schemas.QualityArrivals, error) {
	of := `game_pk = $1 AND $2 = ''`
	if u.Game == "" {
		of = `$1 = '' AND game_pk IS NULL AND coalesce(game_date, (event_time AT TIME ZONE 'UTC')::date) = $2::text::date`
	}
	found, err := pg.Collect(ctx, b.db, func(row pgx.CollectableRow) (a schemas.QualityArrivals, err error) {
		err = row.Scan(pg.Date((*schemas.Text)(&a.Day)), &a.Venue, &a.Repeats, &a.Conflicting, &a.Deleted)
		return a, err
	},
		strings.ReplaceAll(sqlQualityArrivals, "{of the unit}", of), u.Game, u.Day)
	return found, pg.Wrap("quality", err)
}
