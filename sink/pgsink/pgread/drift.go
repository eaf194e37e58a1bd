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

// Mechanics reads what a search for drift of mechanics needs.
type Mechanics struct{ db *pg.DB }

// NewMechanics reads over the connections of a pool, which stays open meanwhile.
func NewMechanics(db *pg.DB) Mechanics { return Mechanics{db} }

// DriftPitches returns what a search for drift reads of a player's newest limit rows, with so many values.
func (r Mechanics) DriftPitches(
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

// sqlPlaying finds who plays now by the newest rows. The time at which a row was written tells a game that
// goes on from one that is over. The event time keeps a replay of old seasons out, and the rows few.
const sqlPlaying = `
	WITH newest AS (SELECT max(event_time) AS at FROM {schema}.pitches WHERE event_time <= now() + interval '1 hour'),
	recent AS (
		SELECT batter_id, pitcher_id, processed_at FROM {schema}.pitches, newest
		WHERE event_time > newest.at - interval '12 hours' AND event_time <= now() + interval '1 hour'
			-- guard: drift: who does not play any more is not alerted about | AND processed_at > now() - interval '30 minutes' ->
			AND processed_at > now() - interval '30 minutes')
	SELECT 0::smallint, batter_id, max(processed_at), count(*) FROM recent WHERE batter_id IS NOT NULL GROUP BY 2
	UNION ALL
	SELECT 1::smallint, pitcher_id, max(processed_at), count(*) FROM recent WHERE pitcher_id IS NOT NULL GROUP BY 2
	ORDER BY 3 DESC, 1, 2 LIMIT $1`

// Playing is a player with rows of the last half hour. Newest and Rows change when such a row is written,
// corrected or deleted.
type Playing struct {
	Key    schemas.PlayerKey
	Newest schemas.TimeMS // when the newest of these rows was written
	Rows   int64
}

// Playing returns who plays now, at most limit players, those with the newest rows first.
func (r Mechanics) Playing(ctx context.Context, limit int) ([]Playing, error) {
	found, err := pg.Collect(ctx, r.db, func(row pgx.CollectableRow) (p Playing, err error) {
		var side int16
		err = row.Scan(&side, &p.Key.PlayerID, pg.Time(&p.Newest), &p.Rows)
		p.Key.Side = schemas.Side(side)
		return p, err
	}, sqlPlaying, limit)
	return found, pg.Wrap("who plays now", err)
}

// Names returns the names of those of these players that the list of players has.
func (r Mechanics) Names(ctx context.Context, ids []int64) (map[int64]string, error) {
	names := map[int64]string{}
	_, err := pg.Collect(ctx, r.db, func(row pgx.CollectableRow) (struct{}, error) {
		var id int64
		var name string
		err := row.Scan(&id, &name)
		names[id] = name
		return struct{}{}, err
	}, `SELECT id, name FROM {schema}.players WHERE id = ANY ($1::bigint[])`, ids)
	return names, pg.Wrap("names of players", err)
}
