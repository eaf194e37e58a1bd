package pgbooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Models keeps the versions of models and their states.
type Models struct{ db *pg.DB }

// NewModels makes Models over a pool that its caller closes.
func NewModels(db *pg.DB) Models { return Models{db} }

const modelColumns = `name, version, kind, state, sha256, octet_length(content), trained, figures, added_by, added_at`

func scanModel(row pgx.CollectableRow) (m schemas.ModelEntry, err error) {
	err = row.Scan(&m.Name, &m.Version, &m.Kind, &m.State, &m.SHA256, &m.Bytes, &m.Trained, &m.Figures,
		&m.AddedBy, pg.Time(&m.AddedAt))
	return m, err
}

// List returns all versions, sorted by name and version.
func (m Models) List(ctx context.Context) ([]schemas.ModelEntry, error) {
	all, err := pg.Collect(ctx, m.db, scanModel, `SELECT `+modelColumns+` FROM {schema}.models ORDER BY name, version`)
	return all, pg.Wrap("models", err)
}

// Content returns the file of a version, nil if there is no such version.
func (m Models) Content(ctx context.Context, name string, version int32) (content []byte, err error) {
	err = pg.ScanOne(ctx, m.db, []any{&content},
		`SELECT content FROM {schema}.models WHERE name = $1 AND version = $2`, name, version)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return content, pg.Wrap("models", err)
}

// Changes returns the changes of a model's states, the oldest first.
func (m Models) Changes(ctx context.Context, name string) ([]schemas.ModelChange, error) {
	all, err := pg.Collect(ctx, m.db, func(row pgx.CollectableRow) (c schemas.ModelChange, err error) {
		err = row.Scan(&c.Version, &c.State, &c.By, pg.Time(&c.At))
		return c, err
	}, `SELECT version, state, changed_by, changed_at FROM {schema}.model_changes WHERE name = $1 ORDER BY id`, name)
	return all, pg.Wrap("models", err)
}

// Add stores a model file as the next version of its model, as a candidate. A file that the model has already
// is not stored again: Add returns its version, and false.
func (m Models) Add(
	ctx context.Context, e schemas.ModelEntry, content []byte,
) (version int32, isNew bool, err error) {
	sum := sha256.Sum256(content)
	e.SHA256 = hex.EncodeToString(sum[:])
	err = m.change(ctx, func(tx *pg.Tx) error {
		err := pg.ScanOne(ctx, tx, []any{&version},
			`SELECT version FROM {schema}.models WHERE name = $1 AND sha256 = $2`, e.Name, e.SHA256)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		isNew = true
		err = pg.ScanOne(ctx, tx, []any{&version}, `
			INSERT INTO {schema}.models (name, version, kind, sha256, content, trained, figures, added_by)
			SELECT $1, 1 + coalesce(max(version), 0), $2, $3, $4, $5, $6, $7 FROM {schema}.models WHERE name = $1
			RETURNING version`, e.Name, e.Kind, e.SHA256, content, []byte(e.Trained), []byte(e.Figures), e.AddedBy)
		if err != nil {
			return err
		}
		return note(ctx, tx, e.Name, version, schemas.ModelCandidate, e.AddedBy)
	})
	return version, isNew, pg.Wrap("models", err)
}

// A change that waited in vain for a batch to end lets the next ones pass, each time for longer.
const firstPause, lastPause = 200 * time.Millisecond, 5 * time.Second

// change runs f in one transaction, which excludes all other changes of models. It runs f again where
// batches held it up, because those that come later wait behind it.
func (m Models) change(ctx context.Context, f func(*pg.Tx) error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := m.db.InTx(ctx, func(tx *pg.Tx) error {
			if err := tx.Lock(ctx, pg.LockKey(m.db.Config.Schema, "models")); err != nil {
				return err
			}
			return f(tx)
		})
		// OwnModels ends with lock_not_available, or with a deadlock beside the end of a scoring.
		if !pg.HasCode(err, "55P03") && !pg.IsContended(err) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// Errors of a change of states.
var (
	ErrNoModel    = errors.New("there is no such version: `pitchstream model ls` lists them")
	ErrNoPrevious = errors.New("no version was live before")
	ErrManyModels = fmt.Errorf("%d versions score already, and no more may: retire one", schemas.MaxLiveModels)
)

// SetState gives a version a state. The version that was live before is retired by one that becomes live.
// SetState returns that one, 0 if there was none. A state that the version has already is no change.
func (m Models) SetState(
	ctx context.Context, name string, version int32, state, by string,
) (was int32, err error) {
	err = m.change(ctx, func(tx *pg.Tx) error {
		was, err = setState(ctx, tx, name, version, state, by)
		return err
	})
	return was, pg.Wrap("models", err)
}

// Rollback makes the version live that was live before the current one, and retires that. After a retire of
// the live version, it is the one before the retired. It returns both. A second rollback changes back. check
// may refuse the file that would score.
func (m Models) Rollback(
	ctx context.Context, name, by string, check func(content []byte) error,
) (now, was int32, err error) {
	err = m.change(ctx, func(tx *pg.Tx) error {
		// guard: models: a rollback passes over the version that was live last | version <> -> 0 <>
		err := pg.ScanOne(ctx, tx, []any{&now}, `SELECT version FROM {schema}.model_changes WHERE name = $1 AND state = 'live' AND version <> (
				SELECT version FROM {schema}.model_changes WHERE name = $1 AND state = 'live' ORDER BY id DESC LIMIT 1)
			ORDER BY id DESC LIMIT 1`, name)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNoPrevious
		}
		if err != nil {
			return err
		}
		var content []byte
		if err := pg.ScanOne(ctx, tx, []any{&content},
			`SELECT content FROM {schema}.models WHERE name = $1 AND version = $2`, name, now); err != nil {
			return err
		}
		if err := check(content); err != nil {
			return fmt.Errorf("%s %d: %w", name, now, err)
		}
		was, err = setState(ctx, tx, name, now, schemas.ModelLive, by)
		return err
	})
	return now, was, pg.Wrap("models", err)
}

func setState(
	ctx context.Context, tx *pg.Tx, name string, version int32, state, by string,
) (was int32, err error) {
	var before string
	err = pg.ScanOne(ctx, tx, []any{&before},
		`SELECT state FROM {schema}.models WHERE name = $1 AND version = $2 FOR UPDATE`, name, version)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, fmt.Errorf("%s %d: %w", name, version, ErrNoModel)
	case err != nil || before == state:
		return 0, err
	}
	if state == schemas.ModelLive {
		err = pg.ScanOne(ctx, tx, []any{&was}, `
			UPDATE {schema}.models SET state = 'retired' WHERE name = $1 AND state = 'live' RETURNING version`, name)
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		} else if err == nil {
			err = note(ctx, tx, name, was, schemas.ModelRetired, by)
		}
		if err != nil {
			return 0, err
		}
	}
	if _, err = pg.Exec(ctx, tx, `UPDATE {schema}.models SET state = $3 WHERE name = $1 AND version = $2`,
		name, version, state); err != nil {
		return 0, err
	}
	scoring := 0
	if err = pg.ScanOne(ctx, tx, []any{&scoring},
		`SELECT count(*) FROM {schema}.models WHERE state IN ('live', 'shadow')`); err != nil {
		return 0, err
	}
	if scoring > schemas.MaxLiveModels {
		return 0, ErrManyModels
	}
	// guard: models: processors see that another version scores | instead
	if _, err = pg.Exec(ctx, tx, sqlNextGeneration); err != nil {
		return 0, err
	}
	isShown := state == schemas.ModelLive
	wasShown := before == schemas.ModelLive || was > 0
	// guard: scores: last pitches follow a model that gets or loses its live version | isShown != wasShown -> false
	if isShown != wasShown {
		if err = raisePlayersOf(ctx, tx, name); err != nil {
			return 0, err
		}
	}
	return was, note(ctx, tx, name, version, state, by)
}

// raisePlayersOf gives new sequence numbers to all players and games whose last pitches have scores of a
// model, because these are shown from now on, or are not any more. No batch is written meanwhile.
func raisePlayersOf(ctx context.Context, tx *pg.Tx, model string) error {
	// guard: scores: a model that is not shown any more waits for the batches that show it | instead
	err := pg.OwnModels(ctx, tx)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	b.Queue(`SELECT set_config('enable_seqscan', 'on', true)`) // a model may have scored all pitches
	for _, side := range schemas.Sides {
		pg.RaisePlayers(b, side, `SELECT g.{side}_id, g.game_key FROM {schema}.score_registers AS s
			JOIN {schema}.{side}_game_totals AS g ON g.last_pitch_id = s.pitch_id WHERE s.model = $1 AND s.is_current`, model)
	}
	pg.NoteRescored(b)
	return tx.Run(ctx, b)
}

// sqlNextGeneration follows the clock, because a Postgres that came back older would give a number a second
// time. A processor would then score with the versions that had it before.
//
// guard: models: no generation comes twice | greatest(generation + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint) -> generation + 1
const sqlNextGeneration = `UPDATE {schema}.model_generation
	SET generation = greatest(generation + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint)`

func note(ctx context.Context, tx *pg.Tx, name string, version int32, state, by string) error {
	_, err := pg.Exec(ctx, tx,
		`INSERT INTO {schema}.model_changes (name, version, state, changed_by) VALUES ($1, $2, $3, $4)`,
		name, version, state, by)
	return err
}

// TrainingRows returns the current rows that were thrown from one time to before another, sorted by pitch, at
// most limit of them: the newest.
func (m Models) TrainingRows(
	ctx context.Context, from, to schemas.TimeMS, limit int,
) ([]schemas.StoredRow, error) {
	rows, err := pg.Collect(ctx, m.db, pg.ScanRow, `SELECT `+pg.RowColumns+` FROM {schema}.pitches
		WHERE event_time >= $1 AND event_time < $2 ORDER BY event_time DESC, pitch_id LIMIT $3`, from.Time(), to.Time(), limit)
	return rows, pg.Wrap("rows", err)
}

// AllScores returns the scores of all pitches by live versions. It holds them all in memory, which suits
// tests and small schemas.
func (m Models) AllScores(ctx context.Context) (map[schemas.PitchID][]schemas.Score, error) {
	scores, err := pg.Collect(ctx, m.db, pg.ScanScore,
		`SELECT `+pg.ScoreColumns+` FROM {schema}.pitch_scores ORDER BY 1, 2`)
	return pg.ByPitch(scores), pg.Wrap("scores", err)
}
