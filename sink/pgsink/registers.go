package pgsink

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"pitchstream/schemas"
)

var (
	sqlRegisters   = statement("registers")
	sqlRegistersOf = statement("registers_of")
)

// Registers answers both registers of the next limit pitches after a pitch, sorted by pitch; of none at the end. Each
// call is of a moment of its own. The first call names the zero pitch, which none has.
func (s *Sink) Registers(ctx context.Context, after schemas.PitchID, limit int) ([]schemas.StoredRegisters, error) {
	return s.registers(ctx, sqlRegisters, [16]byte(after), limit)
}

// RegistersOf answers both registers of some pitches, sorted by pitch; one that was never seen is left out.
func (s *Sink) RegistersOf(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRegisters, error) {
	raw := make([][16]byte, len(ids))
	for i, id := range ids {
		raw[i] = id
	}
	return s.registers(ctx, sqlRegistersOf, raw)
}

func (s *Sink) registers(ctx context.Context, sql string, args ...any) ([]schemas.StoredRegisters, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: registers: %w", hideSecret(err))
	}
	out, err := pgx.CollectRows(rows, scanRegisters)
	if err != nil {
		return nil, fmt.Errorf("postgres: registers: %w", hideSecret(err))
	}
	return out, nil
}

func scanRegisters(rows pgx.CollectableRow) (r schemas.StoredRegisters, err error) {
	var (
		id                                        [16]byte
		measured, identified                      registerVersion
		topic                                     *string
		eventTime                                 *time.Time
		deleted                                   bool
		core                                      *int32
		row                                       schemas.Row
		game, date, venue                         *string
		batter, pitcher, team                     *int64
		inning, balls, strikes, outs              *int16
		pitchType, result, action                 *string
		swingConfidence, speedConfidence          *string
		speed, spin, exit, hitSpin, launch, spray *float64
		attack, batSpeed                          *float64
		namedBatter, namedPitcher, namedTeam      *int64
	)
	into := append([]any{&id}, measured.into()...)
	into = append(into, &topic, &eventTime, &deleted, &core, &game, &date, &venue, &batter, &pitcher, &team,
		&inning, &balls, &strikes, &outs, &pitchType, &result, &action, &speed, &spin, &exit, &hitSpin, &launch, &spray,
		&row.IsSwing, &row.IsContact, &row.IsWhiff, &swingConfidence, &attack, &batSpeed, &speedConfidence,
		&row.BatSamples, &row.BallSamples, &row.DuplicateSamples, &row.Issues)
	into = append(append(into, identified.into()...), &namedBatter, &namedPitcher, &namedTeam)
	if err := rows.Scan(into...); err != nil {
		return r, err
	}
	r.PitchID = id
	if v := identified.version(); v.Present {
		r.Identified = &schemas.Change{Op: schemas.OpIdentify, PitchID: id, Version: v.Value, IDs: identifiers(namedBatter, namedPitcher, namedTeam)}
	}
	v := measured.version()
	if !v.Present {
		return r, nil
	}
	r.Measured = &schemas.Change{Op: schemas.OpUpsert, PitchID: id, Version: v.Value, Origin: schemas.Coordinates{
		Topic: string(textOf(topic)), Partition: v.Value.Partition, Offset: v.Value.Offset, TimestampMS: v.Value.TimestampMS,
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
	row.GamePK, row.GameDate, row.Venue = textOf(game), textOf(date), textOf(venue)
	row.PitchType, row.PitchResult, row.PitchAction = textOf(pitchType), textOf(result), textOf(action)
	row.SwingConfidence, row.SpeedConfidence = textOf(swingConfidence), textOf(speedConfidence)
	ids := identifiers(batter, pitcher, team)
	row.BatterID, row.PitcherID, row.TeamID = ids.BatterID, ids.PitcherID, ids.TeamID
	row.Inning, row.Balls, row.Strikes, row.Outs = schemas.FromPointer(inning), schemas.FromPointer(balls), schemas.FromPointer(strikes), schemas.FromPointer(outs)
	row.PitchSpeedMPH, row.SpinRateRPM = schemas.FromPointer(speed), schemas.FromPointer(spin)
	row.ExitVelocityMPH, row.HitSpinRPM = schemas.FromPointer(exit), schemas.FromPointer(hitSpin)
	row.LaunchAngleDeg, row.SprayAngleDeg = schemas.FromPointer(launch), schemas.FromPointer(spray)
	row.AttackAngleDeg, row.BatSpeedMPH = schemas.FromPointer(attack), schemas.FromPointer(batSpeed)
	r.Measured.Row = &row
	return r, nil
}
