package pg

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// ScoreColumns are the columns of the view pitch_scores, in the order of ScanScore.
const ScoreColumns = "pitch_id, model, version, label, value, margin, p_value, shift"

// PitchScore is a score of a pitch.
type PitchScore struct {
	PitchID schemas.PitchID
	schemas.Score
}

// ScanScore reads a score.
func ScanScore(row pgx.CollectableRow) (s PitchScore, err error) {
	err = row.Scan((*[16]byte)(&s.PitchID), &s.Model, &s.Version, Text(&s.Label),
		Float(&s.Value), Float(&s.Margin), Float(&s.PValue), Float(&s.Shift))
	return s, err
}

// ByPitch returns the scores by pitch, in their order.
func ByPitch(scores []PitchScore) map[schemas.PitchID][]schemas.Score {
	found := map[schemas.PitchID][]schemas.Score{}
	for _, s := range scores {
		found[s.PitchID] = append(found[s.PitchID], s.Score)
	}
	return found
}

// The last pitch of a player is shown with its scores, as pitch_scores has them. So their change is a change
// of the player and of the game, and raises both sequence numbers. Two locks keep them in step:
//
//   - A transaction that scores pitches again locks their players, and asks only then whose last pitches they
//     are. One that makes such a pitch the last one meanwhile, because a later one was deleted, has read the
//     old score, and a number that is raised after it.
//   - Writers of rows and of scores share the lock of ShareModels. A change that gives a model its first live
//     version, or ends its last one, waits for them. So no last pitch is written with scores that are not
//     shown any more when the transaction commits.

// ShareModels queues the lock of a transaction that writes rows or scores. While it is held, each model that
// has a live version keeps one, and the others get none.
func ShareModels(b *pgx.Batch, db *DB) {
	b.Queue(`SELECT pg_advisory_xact_lock_shared($1)`, modelsKey(db))
}

// OwnModels waits for those who share the models, two seconds at the most, and then holds them off. Its
// error has the code 55P03 if it waited in vain.
func OwnModels(ctx context.Context, tx *Tx) error {
	b := &pgx.Batch{}
	b.Queue(`SELECT set_config('lock_timeout', '2s', true)`)
	b.Queue(`SELECT pg_advisory_xact_lock($1)`, modelsKey(tx.db))
	b.Queue(`SELECT set_config('lock_timeout', '0', true)`)
	return tx.Run(ctx, b)
}

func modelsKey(db *DB) int64 { return LockKey(db.Config.Schema, "scores") }

// QueueLastScores reads the scores of pitches into found, which sql, a query of last_pitch_id, returns.
func QueueLastScores(b *pgx.Batch, found map[schemas.PitchID][]schemas.Score, sql string, args ...any) {
	// The array makes each pitch be looked up, whatever the planner expects. The condition on models costs
	// nothing for each pitch where none is live.
	b.Queue(`SELECT `+ScoreColumns+` FROM {schema}.pitch_scores WHERE pitch_id = ANY (ARRAY(`+sql+`))
		AND (SELECT EXISTS (SELECT FROM {schema}.models WHERE state = 'live'))`, args...).
		Query(func(rows pgx.Rows) error {
			scores, err := pgx.CollectRows(rows, ScanScore)
			for _, s := range scores {
				found[s.PitchID] = append(found[s.PitchID], s.Score)
			}
			return err
		})
}

// RaisePlayers queues new sequence numbers for those players of a side who have games among the given ones,
// and for these games. games is a query of {side}_id and game_key. The sequence numbers follow the clock, as
// in sql/lock_players.sql. The games keep the time at which their rows were computed.
func RaisePlayers(b *pgx.Batch, side schemas.Side, games string, args ...any) {
	sql := strings.ReplaceAll(raisePlayers, "{games}", games)
	b.Queue(strings.ReplaceAll(sql, "{side}", side.String()), args...)
}

const raisePlayers = `
	WITH games AS MATERIALIZED ({games}), players AS (
		UPDATE {schema}.{side}_totals AS p SET prev_seq = p.seq, updated_at = date_trunc('milliseconds', clock_timestamp()),
			seq = greatest(p.seq + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
		WHERE p.{side}_id IN (SELECT {side}_id FROM games)
		RETURNING p.{side}_id, p.seq
	)
	UPDATE {schema}.{side}_game_totals AS g SET seq = p.seq FROM players AS p JOIN games AS changed USING ({side}_id)
	WHERE g.{side}_id = changed.{side}_id AND g.game_key = changed.game_key`

// NoteRescored queues the sign for processors that players were raised, and that nobody sends their states to
// Redis.
func NoteRescored(b *pgx.Batch) {
	b.Queue(`UPDATE {schema}.model_generation
		SET rescored = greatest(rescored + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint)`)
}
