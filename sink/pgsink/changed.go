package pgsink

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Changed answers which of these pitches another processor has changed since they were published, and how each stands
// now: whoever publishes last must publish what stands.
func (s *Sink) Changed(ctx context.Context, published []schemas.Published) ([]schemas.Published, error) {
	if len(published) == 0 {
		return nil, nil
	}
	var now []schemas.Published
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sqlChangedRows, versionArrays(published)...)
		if err != nil {
			return err
		}
		if now, err = pgx.CollectRows(rows, scanVersions); err != nil || len(now) == 0 {
			return err
		}
		return standing(ctx, tx, now)
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: changed rows: %w", pg.HideSecret(err))
	}
	return now, nil
}

// standing fills in the rows of the pitches that stand.
func standing(ctx context.Context, tx pgx.Tx, pitches []schemas.Published) error {
	ids, at := make([][16]byte, len(pitches)), make(map[schemas.PitchID]int, len(pitches))
	for i, p := range pitches {
		ids[i], at[p.PitchID] = p.PitchID, i
	}
	rows, err := tx.Query(ctx, sqlStandingRows, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := pg.ScanRow(rows)
		if err != nil {
			return err
		}
		pitches[at[r.PitchID]].Row = r
	}
	return rows.Err()
}

func scanVersions(row pgx.CollectableRow) (p schemas.Published, err error) {
	var id [16]byte
	var measured, identified pg.RegisterVersion
	if err := row.Scan(append(append([]any{&id}, measured.Into()...), identified.Into()...)...); err != nil {
		return p, err
	}
	p.PitchID, p.Version, p.Identified = id, measured.Version().Value, identified.Version()
	return p, nil
}

func versionArrays(published []schemas.Published) []any {
	n := len(published)
	ids := make([][16]byte, n)
	revision, ts, offset, partition := make([]int64, n), make([]int64, n), make([]int64, n), make([]int32, n)
	iRevision, iTS, iOffset, iPartition := make([]*int64, n), make([]*int64, n), make([]*int64, n), make([]*int32, n)
	for i := range published {
		p := &published[i]
		ids[i] = p.PitchID
		revision[i], ts[i], offset[i], partition[i] = p.Version.Revision, p.Version.TimestampMS, p.Version.Offset, p.Version.Partition
		if v := &p.Identified.Value; p.Identified.Present {
			iRevision[i], iTS[i], iOffset[i], iPartition[i] = &v.Revision, &v.TimestampMS, &v.Offset, &v.Partition
		}
	}
	return []any{ids, revision, ts, offset, partition, iRevision, iTS, iOffset, iPartition}
}
