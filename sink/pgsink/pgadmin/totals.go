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

// TotalBatters returns every batter that has totals or a row, sorted, for CompareTotals.
func (a *Admin) TotalBatters(ctx context.Context) ([]int64, error) {
	ids, err := pg.Collect(ctx, a.db, pgx.RowTo[int64], `
		SELECT batter_id FROM {schema}.batter_totals
		UNION SELECT batter_id FROM {schema}.batter_game_totals
		UNION SELECT batter_id FROM {schema}.pitch_registers WHERE batter_id IS NOT NULL
		ORDER BY 1`)
	return ids, pg.Wrap("batters", err)
}

// TotalsReport is the result of CompareTotals.
type TotalsReport struct {
	Rows, Totals schemas.Sums // of the rows, and of the totals of the batters
	Differences  []schemas.Difference
	Broken       []schemas.PlayerGame // the batter-games that RepairTotals should compute again
	Batters      []int64              // the batters that RepairTotals should fold again
}

// CompareTotals compares the stored totals of some batters, overall and in each game, with the sums of their
// rows. It reads both at one moment, so that concurrent writers make no difference. Sums of measures may
// differ in their last bits, because their order is not fixed. A difference without a game is one of the
// batter over all games, or (Key "no game") one of the batter's rows without a game.
func (a *Admin) CompareTotals(ctx context.Context, ids []int64) (rep TotalsReport, err error) {
	var computed, stored map[totalsKey]totals
	err = a.db.InSnapshot(ctx, func(tx *pg.Tx) (err error) {
		// The planner expects a few groups where thousands are joined, so it would choose nested loops.
		if err = tx.Script(ctx, `SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'`); err != nil {
			return err
		}
		if computed, err = readTotals(ctx, tx, sqlComputedTotals, ids); err == nil {
			stored, err = readTotals(ctx, tx, sqlStoredTotals, ids)
		}
		return err
	})
	if err != nil {
		return rep, pg.Wrap("totals", err)
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
			rep.Broken = append(rep.Broken, schemas.PlayerGame{PlayerID: key.batter, GamePK: key.game.Value})
		}
	}
	rep.Batters = slices.Sorted(maps.Keys(batters))
	return rep, nil
}

// totalsKey is a batter in a game, which is "" for rows without one. If game is missing, it is the batter
// over all games.
type totalsKey struct {
	batter int64
	game   schemas.Opt[string]
}

// compare sorts by batter, a batter's total before the games.
func (k totalsKey) compare(o totalsKey) int {
	byGame := strings.Compare(k.game.Value, o.game.Value)
	if k.game.Present != o.game.Present {
		byGame = 1
		if o.game.Present {
			byGame = -1
		}
	}
	return cmp.Or(cmp.Compare(k.batter, o.batter), byGame)
}

// totals is one row of either statement: column → value.
type totals map[string]any

func readTotals(ctx context.Context, tx *pg.Tx, sql string, ids []int64) (map[totalsKey]totals, error) {
	rows, err := pg.Collect(ctx, tx, pgx.RowToMap, sql, ids)
	found := make(map[totalsKey]totals, len(rows))
	for _, row := range rows {
		key := totalsKey{batter: row["batter_id"].(int64)}
		if game, ok := row["game_key"].(string); ok {
			key.game = schemas.Some(game)
		}
		delete(row, "batter_id")
		delete(row, "game_key")
		found[key] = row
	}
	return found, err
}

func addSums(s *schemas.Sums, line totals) {
	n := func(column string) int64 { v, _ := line[column].(int64); return v }
	if n("pitches") > 0 {
		s.Add(&schemas.Stats{Pitches: n("pitches"), SwingCount: n("swing_count"), WhiffCount: n("whiff_count"),
			ContactCount: n("contact_count"), HardHitCount: n("hard_hit_count")})
	}
}

// compareTotals returns the difference of one group, nil if there is none. Totals of a group without rows may
// be missing.
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
		differ := schemas.FieldDifference{Name: column, Want: shownTotal(want[column]), Got: shownTotal(is[column])}
		same := sameTotal(column, want[column], is[column])
		if column == "seq" { // a batter-game has that of the batter at its last change
			most, ok := batter["seq"].(int64)
			same = !ok || is["seq"].(int64) <= most
			differ.Want = fmt.Sprintf("at most %v", most)
		}
		if !same {
			d.Fields = append(d.Fields, differ)
		}
	}
	if len(d.Fields) == 0 {
		return nil
	}
	return &d
}

// sumTolerance is the relative difference allowed between two sums of the same numbers in different orders.
// It is far above the rounding error of 100,000 additions, and far below the precision of a measure.
const sumTolerance = 1e-9

func sameTotal(column string, want, is any) bool {
	if want == nil { // no rows: zero, NULL and an empty array are equal
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
