package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// demoBooks hold what was sent against what is there in the end.
type demoBooks struct {
	sent     simulate.Tally
	expected demoExpected

	rows    int64 // in Postgres, of which
	unnamed int64 // have no batter (yet)
	letters int64 // in the dead-letter topic

	views   []schemas.BatterState // in Redis
	pitches int64                 // theirs
	differ  int64                 // batters whom Redis and Postgres have differently
}

// books are for when all is through.
func (w *demoWatch) books(ctx context.Context, ledger *demoLedger) (b demoBooks, err error) {
	b.sent, b.expected = ledger.counts()
	b.letters, _ = w.letters.counted()
	const rows = "SELECT count(*), count(*) FILTER (WHERE batter_id IS NULL) FROM pitches"
	if err := w.postgres.QueryRow(ctx, rows).Scan(&b.rows, &b.unnamed); err != nil {
		return b, fmt.Errorf("Postgres: %w", err)
	}
	truth, err := w.battersInPostgres(ctx)
	if err != nil {
		return b, err
	}
	if b.views, err = w.batters(ctx, ledger.batterIDs()); err != nil {
		return b, err
	}
	for _, v := range b.views {
		b.pitches += v.Stats.Pitches
		if truth[v.BatterID] != demoFiguresOf(v.Stats) {
			b.differ++
		}
		delete(truth, v.BatterID)
	}
	b.differ += int64(len(truth)) // those that Redis has not
	return b, nil
}

// demoFigures are what is compared of a batter.
type demoFigures struct {
	pitches, swings, whiffs, hardHits int64
	maxEV, maxBatSpeed, attack        schemas.Opt[float64]
}

func demoFiguresOf(s schemas.Stats) demoFigures {
	return demoFigures{s.Pitches, s.SwingCount, s.WhiffCount, s.HardHitCount, s.MaxExitVelocityMPH, s.MaxBatSpeedMPH, s.AvgAttackAngleDeg}
}

func (w *demoWatch) battersInPostgres(ctx context.Context) (map[int64]demoFigures, error) {
	rows, err := w.postgres.Query(ctx, `
		SELECT batter_id, pitches, swing_count, whiff_count, hard_hit_count, max_exit_velocity_mph, max_bat_speed_mph, avg_attack_angle_deg
		FROM batter_stats`)
	if err != nil {
		return nil, fmt.Errorf("Postgres: %w", err)
	}
	truth := map[int64]demoFigures{}
	var id int64
	var f demoFigures
	var maxEV, maxBatSpeed, attack *float64
	_, err = pgx.ForEachRow(rows, []any{&id, &f.pitches, &f.swings, &f.whiffs, &f.hardHits, &maxEV, &maxBatSpeed, &attack}, func() error {
		f.maxEV, f.maxBatSpeed, f.attack = schemas.FromPointer(maxEV), schemas.FromPointer(maxBatSpeed), schemas.FromPointer(attack)
		truth[id] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("Postgres: %w", err)
	}
	return truth, nil
}

func (b demoBooks) rowsBalance() bool    { return b.rows == b.expected.standing }
func (b demoBooks) lettersBalance() bool { return b.letters == b.sent.Records[simulate.KindPoison] }
func (b demoBooks) redisBalances() bool  { return b.differ == 0 && b.pitches == b.rows-b.unnamed }

// sentBalances says that the ledger counted pitches as the simulator counted records.
func (b demoBooks) sentBalances() bool {
	return b.sent.Records[simulate.KindPitch] == b.expected.standing+b.expected.gone
}

// balance says that every record that was sent is accounted for.
func (b demoBooks) balance() bool {
	return b.sentBalances() && b.rowsBalance() && b.lettersBalance() && b.redisBalances()
}

// write tells them, as equations: left what was found in the end, right what it should come to.
func (b demoBooks) write(w io.Writer) {
	sent, e := b.sent.Records, b.expected
	fmt.Fprintf(w, "sent      %s = %s + %s sent twice + %s\n", terminal.Counted(b.sent.Total(), "record"),
		terminal.Counted(e.standing+e.gone, "pitch", "pitches"), terminal.Count(sent[simulate.KindDuplicate]),
		terminal.Counted(sent[simulate.KindCorrection], "correction"))
	fmt.Fprintf(w, "          + %s + %s + %s broken\n", terminal.Counted(sent[simulate.KindDelete], "delete"),
		terminal.Counted(sent[simulate.KindIdentify], "late name"), terminal.Count(sent[simulate.KindPoison]))
	fmt.Fprintf(w, "Postgres  %s = %s - %s deleted  %s\n", terminal.Counted(b.rows, "row"),
		terminal.Counted(e.standing+e.gone, "pitch", "pitches"), terminal.Count(e.gone), demoMark(b.rowsBalance()))
	fmt.Fprintf(w, "Redis     %s of %s = %s - %s without a batter  %s\n", terminal.Counted(b.pitches, "pitch", "pitches"),
		terminal.Counted(int64(len(b.views)), "batter"), terminal.Counted(b.rows, "row"), terminal.Count(b.unnamed), demoMark(b.redisBalances()))
	fmt.Fprintf(w, "letters   %s = %s broken  %s\n", terminal.Count(b.letters), terminal.Count(sent[simulate.KindPoison]), demoMark(b.lettersBalance()))
	fmt.Fprintln(w, b.verdict())
}

func (b demoBooks) verdict() string {
	switch {
	case b.balance():
		return "the books balance"
	case b.differ > 0:
		return fmt.Sprintf("THE BOOKS DO NOT BALANCE: Redis and Postgres differ in %s", terminal.Counted(b.differ, "batter"))
	}
	return "THE BOOKS DO NOT BALANCE"
}

func demoMark(ok bool) string {
	if ok {
		return "✓"
	}
	return "✗"
}
