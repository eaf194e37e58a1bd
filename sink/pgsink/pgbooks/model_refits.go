package pgbooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// ErrLiveChanged reports that another version became live while a candidate was compared with the one before.
var ErrLiveChanged = errors.New("another version became live meanwhile: refit it again")

// ErrDecided reports that somebody has retired a candidate while it was compared.
var ErrDecided = errors.New("it was retired meanwhile, and stays so")

const refitColumns = `name, version, coalesce(live, 0), result, checks, refit_by, refit_at`

func scanRefit(row pgx.CollectableRow) (r schemas.ModelRefit, err error) {
	var checks []byte
	err = row.Scan(&r.Model, &r.Version, &r.Live, &r.Result, &checks, &r.By, pg.Time(&r.At))
	if err == nil {
		err = json.Unmarshal(checks, &r.Checks)
	}
	return r, err
}

// NoteRefit keeps the result of a refit, and promotes its version where the result is RefitPromoted, both in
// one transaction. It returns ErrLiveChanged if r.Live is not the live version any more, and ErrDecided if
// the version is retired.
func (m Models) NoteRefit(ctx context.Context, r schemas.ModelRefit) error {
	checks, err := json.Marshal(r.Checks)
	if err != nil {
		return err
	}
	err = m.change(ctx, func(tx *pg.Tx) error {
		var live int32
		err := pg.ScanOne(ctx, tx, []any{&live},
			`SELECT coalesce(max(version), 0) FROM {schema}.models WHERE name = $1 AND state = 'live'`, r.Model)
		if err != nil {
			return err
		}
		// guard: refit: what was not compared is not replaced | live != r.Live -> false
		if live != r.Live {
			return fmt.Errorf("%s: %w", r.Model, ErrLiveChanged)
		}
		if r.Result == schemas.RefitPromoted {
			isRetired := false
			if err := pg.ScanOne(ctx, tx, []any{&isRetired}, `SELECT state = 'retired' FROM {schema}.models
				WHERE name = $1 AND version = $2`, r.Model, r.Version); err != nil {
				return err
			}
			// guard: refit: what a person has retired meanwhile is not promoted
			if isRetired {
				return fmt.Errorf("%s %d: %w", r.Model, r.Version, ErrDecided)
			}
			if _, err := setState(ctx, tx, r.Model, r.Version, schemas.ModelLive, r.By); err != nil {
				return err
			}
		}
		_, err = pg.Exec(ctx, tx, `
			INSERT INTO {schema}.model_refits (name, version, live, result, checks, refit_by)
			VALUES ($1, $2, nullif($3, 0), $4, $5, $6)`, r.Model, r.Version, r.Live, r.Result, checks, r.By)
		return err
	})
	return pg.Wrap("models", err)
}

// PruneCandidates deletes the candidates that refits of a model have left, but for the newest keep ones, and
// returns the versions. It keeps one at least, and the greatest number, because no number is given twice. A
// version that was live or a shadow ever, or that no refit trained, is never deleted.
func (m Models) PruneCandidates(ctx context.Context, name string, keep int) (pruned []int32, err error) {
	err = m.change(ctx, func(tx *pg.Tx) error {
		pruned, err = pg.Collect(ctx, tx, func(row pgx.CollectableRow) (version int32, err error) {
			err = row.Scan(&version)
			return version, err
		}, `SELECT version FROM {schema}.prune_model_candidates($1, $2) AS version ORDER BY 1`, name, keep)
		return err
	})
	return pruned, pg.Wrap("models", err)
}

// Refits returns the newest refits of a version, at most 20, the newest first.
func (m Models) Refits(ctx context.Context, name string, version int32) ([]schemas.ModelRefit, error) {
	all, err := pg.Collect(ctx, m.db, scanRefit, `SELECT `+refitColumns+` FROM {schema}.model_refits
		WHERE name = $1 AND version = $2 ORDER BY id DESC LIMIT 20`, name, version)
	return all, pg.Wrap("models", err)
}

// RefitState is the newest refit of a model.
type RefitState struct {
	Model  string
	At     schemas.TimeMS
	IsHeld bool // it left a candidate beyond a limit, and nobody has promoted or retired it since
}

// RefitStates returns the newest refit of each model, of the first 100 by name.
func (m Models) RefitStates(ctx context.Context) ([]RefitState, error) {
	all, err := pg.Collect(ctx, m.db, func(row pgx.CollectableRow) (s RefitState, err error) {
		err = row.Scan(&s.Model, pg.Time(&s.At), &s.IsHeld)
		return s, err
	}, `SELECT DISTINCT ON (r.name) r.name, r.refit_at, r.result = 'held' AND m.state IN ('candidate', 'shadow')
		FROM {schema}.model_refits r JOIN {schema}.models m ON m.name = r.name AND m.version = r.version
		ORDER BY r.name, r.id DESC LIMIT 100`)
	return all, pg.Wrap("models", err)
}
