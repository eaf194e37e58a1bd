package demo

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// books compares the records that were sent with what the servers have in the end.
type books struct {
	sent     simulate.Tally
	expected expected // computed from the records that were sent

	rows        int64 // in Postgres
	unnamed     int64 // rows without a batter
	deadLetters int64 // in their topic

	batters []schemas.PlayerState // in Redis
	pitches int64                 // of the batters in Redis
	differ  int64                 // batters for whom Redis and Postgres differ
}

// readBooks reads the servers. The caller must first wait until every record is processed.
func (o *observer) readBooks(ctx context.Context, ledger *ledger) (b books, err error) {
	b.sent, b.expected = ledger.counts()
	b.deadLetters, _ = o.deadLetters.counted()
	const rows = "SELECT count(*), count(*) FILTER (WHERE batter_id IS NULL) FROM pitches"
	if err := o.postgres.QueryRow(ctx, rows).Scan(&b.rows, &b.unnamed); err != nil {
		return b, fmt.Errorf("Postgres: %w", err)
	}
	want, err := o.battersInPostgres(ctx)
	if err != nil {
		return b, err
	}
	if b.batters, err = o.batters(ctx, ledger.batterIDs()); err != nil {
		return b, err
	}
	for _, v := range b.batters {
		s := v.Stats
		b.pitches += s.Pitches
		if want[v.PlayerID] != (figures{s.Pitches, s.SwingCount, s.WhiffCount, s.HardHitCount,
			s.MaxExitVelocityMPH, s.MaxBatSpeedMPH, s.AvgAttackAngleDeg}) {
			b.differ++
		}
		delete(want, v.PlayerID)
	}
	b.differ += int64(len(want)) // batters that Redis does not have
	return b, nil
}

// figures are the aggregates of a batter that are compared.
type figures struct {
	pitches, swings, whiffs, hardHits int64
	maxEV, maxBatSpeed, attackAngle   schemas.Opt[float64]
}

// battersInPostgres returns the aggregates of all batters by their id.
func (o *observer) battersInPostgres(ctx context.Context) (map[int64]figures, error) {
	rows, err := o.postgres.Query(ctx, `
		SELECT batter_id, pitches, swing_count, whiff_count, hard_hit_count, max_exit_velocity_mph, max_bat_speed_mph, avg_attack_angle_deg
		FROM batter_stats`)
	if err != nil {
		return nil, fmt.Errorf("Postgres: %w", err)
	}
	batters := map[int64]figures{}
	var id int64
	var f figures
	var maxEV, maxBatSpeed, attack *float64
	columns := []any{&id, &f.pitches, &f.swings, &f.whiffs, &f.hardHits, &maxEV, &maxBatSpeed, &attack}
	_, err = pgx.ForEachRow(rows, columns, func() error {
		f.maxEV, f.maxBatSpeed = schemas.FromPointer(maxEV), schemas.FromPointer(maxBatSpeed)
		f.attackAngle = schemas.FromPointer(attack)
		batters[id] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("Postgres: %w", err)
	}
	return batters, nil
}

// rowsBalance reports whether Postgres has one row for each pitch that was sent and not deleted.
func (b books) rowsBalance() bool { return b.rows == b.expected.current }

// deadLettersBalance reports whether there is one dead letter for each broken record.
func (b books) deadLettersBalance() bool {
	return b.deadLetters == b.sent.Records[simulate.KindPoison]
}

// redisBalances reports whether Redis has the batters of Postgres, and whether they add up to its rows.
func (b books) redisBalances() bool { return b.differ == 0 && b.pitches == b.rows-b.unnamed }

// balance reports whether every record that was sent is accounted for, and whether the ledger counted as many
// pitches as the simulator.
func (b books) balance() bool {
	return b.sent.Records[simulate.KindPitch] == b.expected.current+b.expected.deleted &&
		b.rowsBalance() && b.deadLettersBalance() && b.redisBalances()
}

// write prints the books as equations: on the left what was found, on the right what it must be.
func (b books) write(w io.Writer) {
	sent := b.sent.Records
	count := func(k simulate.Kind) string { return terminal.Count(sent[k]) }
	pitches := terminal.Counted(b.expected.current+b.expected.deleted, "pitch", "pitches")
	fmt.Fprintf(w, "sent      %s = %s + %s sent twice + %s\n", terminal.Counted(b.sent.Total(), "record"),
		pitches, count(simulate.KindDuplicate), terminal.Counted(sent[simulate.KindCorrection], "correction"))
	fmt.Fprintf(w, "          + %s + %s + %s broken\n", terminal.Counted(sent[simulate.KindDelete], "delete"),
		terminal.Counted(sent[simulate.KindIdentify], "late name"), count(simulate.KindPoison))
	fmt.Fprintf(w, "Postgres  %s = %s - %s deleted  %s\n", terminal.Counted(b.rows, "row"), pitches,
		terminal.Count(b.expected.deleted), mark(b.rowsBalance()))
	fmt.Fprintf(w, "Redis     %s of %s = %s - %s without a batter  %s\n",
		terminal.Counted(b.pitches, "pitch", "pitches"), terminal.Counted(int64(len(b.batters)), "batter"),
		terminal.Counted(b.rows, "row"), terminal.Count(b.unnamed), mark(b.redisBalances()))
	fmt.Fprintf(w, "letters   %s = %s broken  %s\n", terminal.Count(b.deadLetters), count(simulate.KindPoison),
		mark(b.deadLettersBalance()))
	switch {
	case b.balance():
		fmt.Fprintln(w, "the books balance")
	case b.differ > 0:
		fmt.Fprintf(w, "THE BOOKS DO NOT BALANCE: Redis and Postgres differ in %s\n",
			terminal.Counted(b.differ, "batter"))
	default:
		fmt.Fprintln(w, "THE BOOKS DO NOT BALANCE")
	}
}

// mark returns the sign at the end of an equation.
func mark(ok bool) string {
	if ok {
		return "✓"
	}
	return "✗"
}
