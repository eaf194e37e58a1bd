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

// The statements by side.
var (
	sqlComputedTotals = [...]string{statement("computed_totals"), statement("computed_pitcher_totals")}
	sqlStoredTotals   = [...]string{statement("stored_totals"), statement("stored_pitcher_totals")}
)

// TotalPlayers returns every player of a side that has totals or a row, sorted, for CompareTotals.
func (a *Admin) TotalPlayers(ctx context.Context, side schemas.Side) ([]int64, error) {
	ids, err := pg.Collect(ctx, a.db, pgx.RowTo[int64], strings.ReplaceAll(`
		SELECT {side}_id FROM {schema}.{side}_totals
		UNION SELECT {side}_id FROM {schema}.{side}_game_totals
		UNION SELECT {side}_id FROM {schema}.pitches WHERE {side}_id IS NOT NULL
		ORDER BY 1`, "{side}", side.String()))
	return ids, pg.Wrap(side.String()+"s", err)
}

// TotalsReport is the result of CompareTotals.
type TotalsReport struct {
	Rows, Totals schemas.Sums // of the rows, and of the totals of the players
	Differences  []schemas.Difference
	Broken       []schemas.PlayerGame // the players' games that RepairTotals should compute again
	Players      []int64              // the players that RepairTotals should fold again
}

// CompareTotals compares the stored totals of some players, overall and in each game, with the sums of their
// rows. It reads both at one moment, so that concurrent writers make no difference. Sums of measures may
// differ in their last bits, because their order is not fixed. A difference without a game is one of the
// player over all games, or (Key "no game") one of the player's rows without a game.
func (a *Admin) CompareTotals(
	ctx context.Context, side schemas.Side, ids []int64,
) (rep TotalsReport, err error) {
	var computed, stored map[totalsKey]totals
	err = a.db.InSnapshot(ctx, func(tx *pg.Tx) (err error) {
		// The planner expects a few groups where thousands are joined, so it would choose nested loops.
		if err = tx.Script(ctx, `SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'`); err != nil {
			return err
		}
		if computed, err = readTotals(ctx, tx, side, sqlComputedTotals[side], ids); err == nil {
			stored, err = readTotals(ctx, tx, side, sqlStoredTotals[side], ids)
		}
		return err
	})
	if err != nil {
		return rep, pg.Wrap("totals", err)
	}
	keys := maps.Clone(stored)
	maps.Copy(keys, computed)
	players := map[int64]bool{}
	for _, key := range slices.SortedFunc(maps.Keys(keys), totalsKey.compare) {
		want, is := computed[key], stored[key]
		if !key.game.Present {
			addSums(&rep.Rows, want)
			addSums(&rep.Totals, is)
		}
		d := compareTotals(key, want, is, stored[totalsKey{side: side, player: key.player}])
		if d == nil {
			continue
		}
		rep.Differences = append(rep.Differences, *d)
		players[key.player] = true
		if key.game.Present {
			broken := schemas.PlayerGame{Side: side, PlayerID: key.player, GamePK: key.game.Value}
			rep.Broken = append(rep.Broken, broken)
		}
	}
	rep.Players = slices.Sorted(maps.Keys(players))
	return rep, nil
}

// totalsKey is a player in a game, which is "" for rows without one. If game is missing, it is the player
// over all games.
type totalsKey struct {
	side   schemas.Side
	player int64
	game   schemas.Opt[string]
}

// compare sorts by player, a player's total before the games.
func (k totalsKey) compare(o totalsKey) int {
	byGame := strings.Compare(k.game.Value, o.game.Value)
	if k.game.Present != o.game.Present {
		byGame = 1
		if o.game.Present {
			byGame = -1
		}
	}
	return cmp.Or(cmp.Compare(k.player, o.player), byGame)
}

// totals is one row of either statement: column → value.
type totals map[string]any

func readTotals(
	ctx context.Context, tx *pg.Tx, side schemas.Side, sql string, ids []int64,
) (map[totalsKey]totals, error) {
	rows, err := pg.Collect(ctx, tx, pgx.RowToMap, sql, ids)
	found := make(map[totalsKey]totals, len(rows))
	for _, row := range rows {
		id := side.String() + "_id"
		key := totalsKey{side: side, player: row[id].(int64)}
		if game, ok := row["game_key"].(string); ok {
			key.game = schemas.Some(game)
		}
		delete(row, id)
		delete(row, "game_key")
		found[key] = row
	}
	return found, err
}

func addSums(s *schemas.Sums, line totals) {
	n := func(column string) (sum int64) {
		if sum, ok := line[column].(int64); ok {
			return sum
		}
		types, _ := line[typesOf[column]].([]any) // of a pitcher
		for _, v := range types {
			count, _ := v.(int64)
			sum += count
		}
		return sum
	}
	if n("pitches") > 0 {
		s.Add(&schemas.Stats{Pitches: n("pitches"), SwingCount: n("swing_count"), WhiffCount: n("whiff_count"),
			ContactCount: n("contact_count"), HardHitCount: n("hard_hit_count")})
	}
}

// typesOf are the arrays of a pitcher's totals by the columns of a batter's.
var typesOf = map[string]string{"swing_count": "type_swings", "whiff_count": "type_whiffs",
	"contact_count": "type_contacts", "hard_hit_count": "type_hard_hits"}

// compareTotals returns the difference of one group, nil if there is none. Totals of a group without rows may
// be missing.
func compareTotals(key totalsKey, want, is, overall totals) *schemas.Difference {
	d := schemas.Difference{Kind: schemas.DiffersContent, GamePK: key.game.Value}
	d.Name(key.side, key.player)
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
		if column == "seq" { // a game has that of its player at its last change
			most, ok := overall["seq"].(int64)
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
	if a, ok := want.([]any); ok && strings.HasSuffix(column, "_sums") {
		b, _ := is.([]any)
		return slices.EqualFunc(a, b, func(a, b any) bool {
			return a == b || a != nil && b != nil && sameTotal("_sum", a, b)
		})
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
