package pgsink

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var sqlChangedRows = statement("changed_rows")

// Changed returns the current state of those pitches that another processor has changed since they were
// published. The caller must publish them again, because the last message about a pitch must be its current
// row.
func (s *Sink) Changed(ctx context.Context, published []schemas.Published) ([]schemas.Published, error) {
	if len(published) == 0 {
		return nil, nil
	}
	args := []any{pg.Column(published, func(p schemas.Published) [16]byte { return p.PitchID })}
	measured := func(p schemas.Published) *schemas.Version { return &p.Version }
	identified := func(p schemas.Published) *schemas.Version { return value(&p.Identified) }
	args = append(args, versionArrays(published, measured)...)
	args = append(args, versionArrays(published, identified)...)
	var now []schemas.Published
	err := s.db.InSnapshot(ctx, func(tx *pg.Tx) (err error) {
		if now, err = pg.Collect(ctx, tx, scanVersions, sqlChangedRows, args...); err != nil || len(now) == 0 {
			return err
		}
		rows, err := pg.Collect(ctx, tx, pg.ScanRow, sqlCurrentRows,
			pg.Column(now, func(p schemas.Published) [16]byte { return p.PitchID }))
		current := map[schemas.PitchID]*schemas.StoredRow{}
		for i := range rows {
			current[rows[i].PitchID] = &rows[i]
		}
		for i := range now {
			now[i].Row = current[now[i].PitchID]
		}
		return err
	})
	return now, pg.Wrap("changed rows", err)
}

func scanVersions(row pgx.CollectableRow) (p schemas.Published, err error) {
	var measured, identified pg.VersionRow
	into := append([]any{(*[16]byte)(&p.PitchID)}, measured.Into()...)
	err = row.Scan(append(into, identified.Into()...)...)
	p.Version = measured.Version().Value
	p.Identified = identified.Version()
	return p, err
}
