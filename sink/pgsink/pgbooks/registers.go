package pgbooks

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var (
	sqlRegisters   = statement("registers") + `WHERE pitch_id > $1::uuid ORDER BY pitch_id LIMIT $2`
	sqlRegistersOf = statement("registers") + `WHERE pitch_id = ANY ($1::uuid[]) ORDER BY pitch_id`
)

// Registers answers both registers of the next limit pitches after a pitch, sorted by pitch; of none at the end. Each
// call is of a moment of its own. The first call names the zero pitch, which none has.
func (b *Books) Registers(ctx context.Context, after schemas.PitchID, limit int) ([]schemas.StoredRegisters, error) {
	return registers(ctx, b.pool, sqlRegisters, [16]byte(after), limit)
}

// RegistersOf answers both registers of some pitches, sorted by pitch; one that was never seen is left out.
func (b *Books) RegistersOf(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRegisters, error) {
	raw := make([][16]byte, len(ids))
	for i, id := range ids {
		raw[i] = id
	}
	return registers(ctx, b.pool, sqlRegistersOf, raw)
}

func registers(ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) ([]schemas.StoredRegisters, error) {
	rows, err := pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: registers: %w", pg.HideSecret(err))
	}
	out, err := pgx.CollectRows(rows, scanRegisters)
	if err != nil {
		return nil, fmt.Errorf("postgres: registers: %w", pg.HideSecret(err))
	}
	return out, nil
}

func scanRegisters(rows pgx.CollectableRow) (r schemas.StoredRegisters, err error) {
	var (
		id                                   [16]byte
		measured, identified                 pg.RegisterVersion
		topic                                *string
		eventTime                            *time.Time
		deleted                              bool
		core                                 *int32
		row                                  schemas.Row
		columns                              pg.ScannedRow
		namedBatter, namedPitcher, namedTeam *int64
	)
	into := append([]any{&id}, measured.Into()...)
	into = append(append(into, &topic, &eventTime, &deleted, &core), columns.Into(&row)...)
	into = append(append(into, identified.Into()...), &namedBatter, &namedPitcher, &namedTeam)
	if err := rows.Scan(into...); err != nil {
		return r, err
	}
	r.PitchID = id
	if v := identified.Version(); v.Present {
		r.Identified = &schemas.Change{Op: schemas.OpIdentify, PitchID: id, Version: v.Value, IDs: pg.Identifiers(namedBatter, namedPitcher, namedTeam)}
	}
	v := measured.Version()
	if !v.Present {
		return r, nil
	}
	r.Measured = &schemas.Change{Op: schemas.OpUpsert, PitchID: id, Version: v.Value, Origin: schemas.Coordinates{
		Topic: string(pg.TextOf(topic)), Partition: v.Value.Partition, Offset: v.Value.Offset, TimestampMS: v.Value.TimestampMS,
	}}
	r.CoreVersion = schemas.FromPointer(core).Value
	if eventTime != nil {
		r.Measured.EventTime = schemas.TimeMSOf(*eventTime)
	}
	if deleted {
		r.Measured.Op = schemas.OpDelete
		return r, nil
	}
	row.PitchID = id
	columns.Fill(&row)
	r.Measured.Row = &row
	return r, nil
}
