package pgread

import (
	"embed"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

//go:embed sql/*.sql
var files embed.FS

var statement = pg.Statements(files)

// sqlSplits has a hole for each choice of a query, and columns that read the groups' sums as those of games
// are read.
var sqlSplits = statement("splits")

// totalsOf are the sums of the groups, with the names that pg.SumColumns has.
var totalsOf = map[schemas.Side]string{
	schemas.Batter: pg.FillAggregates(pg.WriteLists(`, totals (n, pitches, {totals: @}, {slow: @}, {maxima: @}, {last: @}, {types: @}, {spread: @}) AS (
    SELECT page.n, {sums of batters}
    FROM page {joins of batters}
)`)),
	schemas.Pitcher: pg.WriteLists(`, totals (n, {type columns: @}, {type ends: @}, {last: @}) AS (
    SELECT a.n, {type columns: a.@}, {type ends: a.@}, l.pitch_id, l.event_time, l.revision, l.record_ts_ms,
           l.source_offset, l.source_partition, l.pitch_result, l.pitch_action, l.exit_velocity_mph
    FROM a JOIN l USING (n)
)`),
}

// splitKeys are the keys of groups; "" where a row has none. They are compared byte by byte.
var splitKeys = map[schemas.SplitBy]string{
	schemas.SplitAll:       `''`,
	schemas.SplitSeason:    `to_char(r.game_date, 'YYYY')`,
	schemas.SplitMonth:     `to_char(r.game_date, 'YYYY-MM')`,
	schemas.SplitDate:      `to_char(r.game_date, 'YYYY-MM-DD')`,
	schemas.SplitGame:      `r.game_pk`,
	schemas.SplitPitchType: `r.pitch_type`,
	schemas.SplitCount:     `r.balls || '-' || r.strikes`,
	schemas.SplitHand:      `r.{other}`,
}

func scanSplit(side schemas.Side, rows pgx.Rows) (split schemas.Split, isTooMuch bool, err error) {
	sums := pg.NewSums(side)
	head := []any{pg.Text(&split.Key), pg.Time(&split.Newest), pg.Time(&split.ProcessedAt), &isTooMuch}
	err = rows.Scan(sums.Into(head...)...)
	var group schemas.GameStats
	if err == nil {
		sums.Fill(&group)
	}
	split.Stats, split.Pitching = group.Stats, group.Pitching
	return split, isTooMuch, err
}

// splitStatement returns the statement of a query, and its arguments.
func splitStatement(q schemas.SplitQuery) (sql string, args []any) {
	args = []any{q.PlayerID, schemas.MaxSplitPitches + 1, q.Limit}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	side := q.Side.String() + "s"
	holes := map[string]string{
		"{rows of side}": "{rows of " + side + "}", "{aggregates of side}": "{aggregates of " + side + "}",
		"{totals}": totalsOf[q.Side], "{columns}": pg.SumColumns(q.Side), "{most}": "$2",
		"{bound}": strconv.Itoa(schemas.MaxSplitPitches), "{read}": "chosen", "{since the last}": "",
		"{chosen}": "SELECT * FROM his",
		"{key}":    `coalesce(` + splitKeys[q.By] + `, '') COLLATE "C"`,
	}
	if q.By == schemas.SplitGame {
		holes["{columns}"] = pg.GameSumColumns(q.Side)
	}
	var inTime string
	if q.Since.Present {
		inTime += " AND r.event_time >= " + arg(q.Since.Value.Time())
	}
	if q.Until.Present {
		inTime += " AND r.event_time < " + arg(q.Until.Value.Time())
	}
	holes["{in time}"] = inTime
	if q.Last > 0 {
		fillLast(holes, q.LastOf, arg(q.Last), inTime)
	}
	fillOrder(holes, q, arg)
	var pairs []string
	for hole, text := range holes {
		pairs = append(pairs, hole, text)
	}
	sql = pg.FillAggregates(strings.NewReplacer(pairs...).Replace(sqlSplits))
	other := "pitcher_hand"
	if q.Side == schemas.Pitcher {
		other = "batter_side"
	}
	return strings.NewReplacer("{side}", q.Side.String(), "{other}", other).Replace(sql), args
}

// fillLast chooses the last n pitches, those since the n-th last swing, or those of the last n games.
func fillLast(holes map[string]string, of schemas.SplitLast, n, inTime string) {
	switch of {
	case schemas.LastSwingsOf:
		holes["{since the last}"] = ` AND r.event_time >= coalesce((SELECT r.event_time FROM {schema}.pitches r
			WHERE r.{side}_id = $1 AND r.is_swing` + inTime + ` ORDER BY r.event_time DESC OFFSET ` + n + `::bigint - 1 LIMIT 1), '-infinity')`
		// Several pitches may have the time of that swing. A pitch is chosen if fewer than n swings are newer.
		holes["{chosen}"] = `SELECT * FROM (SELECT his.*, count(*) FILTER (WHERE is_swing) OVER newer AS swings FROM his
			WINDOW newer AS (ORDER BY event_time DESC, pitch_id DESC ROWS UNBOUNDED PRECEDING)) AS counted
		WHERE swings - CASE WHEN is_swing THEN 1 ELSE 0 END < ` + n
	case schemas.LastGamesOf:
		// Rows that were not read may be of these games, too.
		holes["{read}"] = "his"
		holes["{chosen}"] = `SELECT * FROM his WHERE game_pk IN (SELECT game_pk FROM his WHERE game_pk IS NOT NULL
			GROUP BY game_pk ORDER BY max(event_time) DESC, game_pk COLLATE "C" DESC LIMIT ` + n + `)`
	default:
		holes["{most}"] = `least($2, ` + n + `::bigint)`
	}
}

// fillOrder orders the groups, and begins the page behind a group.
func fillOrder(holes map[string]string, q schemas.SplitQuery, arg func(any) string) {
	order, behind := `key`, `key > `
	switch q.By {
	case schemas.SplitSeason, schemas.SplitMonth, schemas.SplitDate:
		order, behind = `key DESC`, `key < `
	case schemas.SplitGame:
		order, behind = `newest DESC, key DESC`, `(newest, key) < `
	}
	holes["{order}"], holes["{behind}"] = order, "true"
	if q.After == nil {
		return
	}
	key := arg(string(q.After.Key)) + `::text COLLATE "C"`
	if q.By == schemas.SplitGame {
		key = `(` + arg(q.After.Newest.Time()) + `::timestamptz, ` + key + `)`
	}
	// guard: api: a page of splits begins behind the cursor
	holes["{behind}"] = behind + key
}
