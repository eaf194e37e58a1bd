package pgread

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// sqlDriftPitches read a player's newest $2 rows by an index, and of these the ones that a search for drift
// uses: those of the 60 days before his newest one. A row of the future, by a wrong year, is none of them.
var sqlDriftPitches = map[schemas.Side]string{
	schemas.Batter: `
		SELECT event_time, pitch_id, processed_at, coalesce(game_pk, ''), '', contact_bat_speed_mph, contact_attack_angle_deg
		FROM (SELECT *, max(event_time) FILTER (WHERE event_time <= now() + interval '1 hour') OVER () AS newest FROM (
			SELECT * FROM {schema}.pitches WHERE batter_id = $1 ORDER BY event_time DESC LIMIT $2) AS his) AS his
		WHERE is_swing AND contact_confidence = 'reliable' AND contact_bat_speed_mph >= 50
			AND event_time > newest - interval '60 days' AND event_time <= now() + interval '1 hour'`,
	schemas.Pitcher: `
		SELECT event_time, pitch_id, processed_at, coalesce(game_pk, ''), pitch_type, release_speed_mph, NULL::float8
		FROM (SELECT *, max(event_time) FILTER (WHERE event_time <= now() + interval '1 hour') OVER () AS newest FROM (
			SELECT * FROM {schema}.pitches WHERE pitcher_id = $1 ORDER BY event_time DESC LIMIT $2) AS his) AS his
		WHERE pitch_type IS NOT NULL AND release_speed_mph IS NOT NULL AND event_time > newest - interval '60 days' AND event_time <= now() + interval '1 hour'`,
}

// DriftPitches returns what a search for drift reads of a player's newest limit rows, with so many values.
func (r Advice) DriftPitches(
	ctx context.Context, key schemas.PlayerKey, values, limit int,
) ([]schemas.DriftPitch, error) {
	found, err := pg.Collect(ctx, r.db, func(row pgx.CollectableRow) (p schemas.DriftPitch, err error) {
		var two [2]schemas.Opt[float64]
		err = row.Scan(pg.Time(&p.EventTime), (*[16]byte)(&p.PitchID), pg.Time(&p.ProcessedAt), &p.GamePK,
			&p.PitchType, pg.Float(&two[0]), pg.Float(&two[1]))
		p.Values = slices.Clone(two[:values])
		return p, err
	}, sqlDriftPitches[key.Side], key.PlayerID, limit)
	return found, pg.Wrap("pitches for drift", err)
}
