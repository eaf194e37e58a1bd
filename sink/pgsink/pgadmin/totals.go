package pgadmin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var (
	sqlComputedTotals = statement("computed_totals")
	sqlStoredTotals   = statement("stored_totals")
)

// TotalBatters answers every batter that has totals or a row, sorted: the ones to be compared.
func (a *Admin) TotalBatters(ctx context.Context) ([]int64, error) {
	rows, err := a.pool.Query(ctx, `
		SELECT batter_id FROM batter_totals
		UNION SELECT batter_id FROM batter_game_totals
		UNION SELECT batter_id FROM pitch_registers WHERE batter_id IS NOT NULL
		ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("postgres: batters: %w", pg.HideSecret(err))
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("postgres: batters: %w", pg.HideSecret(err))
	}
	return ids, nil
}

// TotalsReport says what a comparison of totals found.
type TotalsReport struct {
	Rows, Totals schemas.Sums // what the rows add up to, and what the totals of the batters say
	Differences  []schemas.Difference
	Broken       []schemas.BatterGame // the batter-games that RepairTotals is to compute anew
	Batters      []int64              // the batters that it is to fold anew
}

// CompareTotals compares the stored totals of some batters, and of them in every game, with what their rows add up to,
// as of one moment, so that writers beside it make no difference. Sums of measures may differ in their last bits: their
// order is not fixed. A difference without a game is one of the batter over all games, or (Key "no game") of his rows
// without a game.
func (a *Admin) CompareTotals(ctx context.Context, ids []int64) (rep TotalsReport, err error) {
	var computed, stored map[totalsKey]totals
	err = pgx.BeginTxFunc(ctx, a.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		// The groups are joined with each other, some thousands at a time, which the planner takes for a few.
		if _, err = tx.Exec(ctx, `SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'`); err != nil {
			return err
		}
		if computed, err = readTotals(ctx, tx, sqlComputedTotals, ids); err == nil {
			stored, err = readTotals(ctx, tx, sqlStoredTotals, ids)
		}
		return err
	})
	if err != nil {
		return rep, fmt.Errorf("postgres: totals: %w", pg.HideSecret(err))
	}
	keys := maps.Clone(stored)
	maps.Copy(keys, computed)
	batters := map[int64]bool{}
	for _, key := range slices.SortedFunc(maps.Keys(keys), totalsKey.compare) {
		want, is := computed[key], stored[key]
		if !key.game.Present {
			addSums(&rep.Rows, want)
			addSums(&rep.Totals, is)
		}
		d := compareTotals(key, want, is, stored[totalsKey{batter: key.batter}])
		if d == nil {
			continue
		}
		rep.Differences = append(rep.Differences, *d)
		batters[key.batter] = true
		if key.game.Present {
			rep.Broken = append(rep.Broken, schemas.BatterGame{BatterID: key.batter, GamePK: key.game.Value})
		}
	}
	rep.Batters = slices.Sorted(maps.Keys(batters))
	return rep, nil
}

// totalsKey is a batter in a game, "" for rows without one; without game: over all of them.
type totalsKey struct {
	batter int64
	game   schemas.Opt[string]
}

func (k totalsKey) compare(o totalsKey) int {
	present := func(g schemas.Opt[string]) int {
		if g.Present {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(k.batter, o.batter), cmp.Compare(present(k.game), present(o.game)), strings.Compare(k.game.Value, o.game.Value))
}

// totals are one line of either statement: column → value.
type totals map[string]any

func readTotals(ctx context.Context, tx pgx.Tx, sql string, ids []int64) (map[totalsKey]totals, error) {
	rows, err := tx.Query(ctx, sql, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[totalsKey]totals{}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		key := totalsKey{batter: values[0].(int64)}
		if game, ok := values[1].(string); ok {
			key.game = schemas.Some(game)
		}
		line := make(totals, len(values))
		for i, column := range rows.FieldDescriptions()[2:] {
			line[column.Name] = values[i+2]
		}
		found[key] = line
	}
	return found, rows.Err()
}

func addSums(s *schemas.Sums, line totals) {
	n := func(column string) int64 { v, _ := line[column].(int64); return v }
	if n("pitches") > 0 {
		s.Add(&schemas.Stats{Pitches: n("pitches"), SwingCount: n("swing_count"), WhiffCount: n("whiff_count"), ContactCount: n("contact_count"), HardHitCount: n("hard_hit_count")})
	}
}

// compareTotals gives what differs of one line, nil for nothing. Totals of a group without rows may be missing.
func compareTotals(key totalsKey, want, is, batter totals) *schemas.Difference {
	d := schemas.Difference{Kind: schemas.DiffersContent, BatterID: &key.batter, GamePK: key.game.Value}
	if key.game.Present && key.game.Value == "" {
		d.Key = "no game"
	}
	switch {
	case is == nil:
		d.Kind = schemas.DiffersMissing
		return &d
	case want == nil && is["pitches"] != int64(0):
		d.Kind = schemas.DiffersExtra
		return &d
	}
	for _, column := range slices.Sorted(maps.Keys(is)) {
		if column == "seq" {
			if seq, most := is["seq"].(int64), batter["seq"]; most != nil && seq > most.(int64) {
				d.Fields = append(d.Fields, schemas.FieldDifference{Name: column, Want: fmt.Sprintf("at most %v", most), Got: fmt.Sprint(seq)})
			}
		} else if !sameTotal(column, want[column], is[column]) {
			d.Fields = append(d.Fields, schemas.FieldDifference{Name: column, Want: shownTotal(want[column]), Got: shownTotal(is[column])})
		}
	}
	if len(d.Fields) == 0 {
		return nil
	}
	return &d
}

// sumTolerance is how far two sums of the same numbers in another order may be apart, relatively: far above what some
// 100,000 additions lose, far below what a measure has.
const sumTolerance = 1e-9

func sameTotal(column string, want, is any) bool {
	if want == nil { // no rows: nothing, by whatever name
		v := reflect.ValueOf(is)
		return is == nil || v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
	}
	if a, ok := want.(float64); ok && strings.HasSuffix(column, "_sum") {
		b, _ := is.(float64)
		return math.Abs(a-b) <= sumTolerance*max(1, math.Abs(a))
	}
	if a, ok := want.(time.Time); ok {
		b, _ := is.(time.Time)
		return a.Equal(b)
	}
	return reflect.DeepEqual(want, is)
}

func shownTotal(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case [16]byte:
		return schemas.PitchID(v).String()
	case time.Time:
		return schemas.TimeMSOf(v).String()
	}
	return fmt.Sprint(v)
}
