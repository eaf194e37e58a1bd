package pgread

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// sqlAdvice reads the newest $1 rows by an index, and of these the ones that a recommendation can use. A
// called strike is one as pitcher_stats counts it.
const sqlAdvice = `
	SELECT coalesce(batter_id, 0), coalesce(pitcher_id, 0), pitch_type, balls, strikes, in_zone,
		CASE WHEN is_whiff OR (pitch_result = 'Strike' AND pitch_action = 'Called') THEN 1
			WHEN exit_velocity_mph >= 95 THEN 2 ELSE 0 END, event_time, processed_at
	FROM (
		SELECT * FROM {schema}.pitches {where} ORDER BY event_time DESC LIMIT $1) AS newest
	WHERE pitch_type IS NOT NULL AND balls IS NOT NULL AND strikes IS NOT NULL
		AND pitch_result IS DISTINCT FROM 'Pickoff'`

// Advice reads what recommendations are made of.
type Advice struct{ db *pg.DB }

// NewAdvice reads over the connections of a Reader, which stays open meanwhile.
func NewAdvice(r *Reader) Advice { return Advice{r.db} }

// AdvicePitches returns a player's pitches of a known type and count, among his newest limit ones.
func (r Advice) AdvicePitches(
	ctx context.Context, key schemas.PlayerKey, limit int,
) ([]schemas.AdvicePitch, error) {
	return r.advice(ctx, ofSide(key.Side, `WHERE {side}_id = $2`), limit, key.PlayerID)
}

// LeagueAdvicePitches returns those of all players, among the newest limit ones.
func (r Advice) LeagueAdvicePitches(ctx context.Context, limit int) ([]schemas.AdvicePitch, error) {
	return r.advice(ctx, "", limit)
}

func (r Advice) advice(
	ctx context.Context, where string, args ...any,
) (found []schemas.AdvicePitch, err error) {
	words := map[string]string{} // one copy of each type, of which there are few
	scan := func(row pgx.CollectableRow) (p schemas.AdvicePitch, err error) {
		var inZone *bool
		err = row.Scan(&p.BatterID, &p.PitcherID, &p.PitchType, &p.Balls, &p.Strikes, &inZone, (*int8)(&p.Outcome),
			pg.Time(&p.EventTime), pg.Time(&p.ProcessedAt))
		p.InZone = schemas.FromPointer(inZone)
		if word, ok := words[p.PitchType]; ok {
			p.PitchType = word
		} else if len(words) < mostWords {
			words[p.PitchType] = p.PitchType
		}
		return p, err
	}
	b := &pgx.Batch{}
	b.Queue(`SELECT set_config('enable_seqscan', 'off', true)`) // never the whole table
	b.Queue(strings.Replace(sqlAdvice, "{where}", where, 1), args...).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, scan)
		return err
	})
	return found, pg.Wrap("pitches for a recommendation", r.db.Run(ctx, b))
}

// mostWords bounds the copies of types.
const mostWords = 1000
