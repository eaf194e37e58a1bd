package pg

import (
	"embed"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// One piece of SQL for each side computes the aggregates of groups of pitches. Batches compute games with it,
// and readers the splits of a player, so that both always agree.
//
// A statement has a table r of rows ({rows of batters}), each with the number n of its group. The hole
// {aggregates of batters} then makes the tables that {sums of batters} and {joins of batters} name. Those of
// pitchers are alike.

//go:embed sql/*.sql
var files embed.FS

var fragment = Statements(files)

// FillAggregates fills the holes for the aggregates of groups in a statement.
func FillAggregates(sql string) string {
	for _, holes := range aggregateHoles {
		sql = holes.Replace(sql)
	}
	return sql
}

// aggregateHoles are filled one after the other, because a fragment has holes of its own.
var aggregateHoles = []*strings.Replacer{
	strings.NewReplacer(
		"{rows of batters}", fragment("rows_of_batters"), "{aggregates of batters}", fragment("group_batters"),
		"{sums of batters}", fragment("sums_of_batters"), "{joins of batters}", fragment("joins_of_batters"),
		"{rows of pitchers}", fragment("rows_of_pitchers"), "{aggregates of pitchers}", fragment("group_pitchers")),
	strings.NewReplacer(
		"{values at contact}", fragment("values_at_contact"),
		"{sums of candidates}", sumsOfSwings("candidate", "true"),
		"{sums of slow}", sumsOfSwings("slow", "NOT is_hard AND contact_speed < slowest"),
		"{bounded types of a}", BoundedTypes("unnest(a.type_names, a.type_pitches, a.type_swings, a.type_whiffs)"),
		"{bounded pitches of n}", BoundedPitches("n", "SELECT * FROM types_of_rows")),
	strings.NewReplacer(
		"{sums of pitches}", fragment("sums_of_pitches"), "{stats columns}", StatsColumns,
		"{pitcher columns}", SumColumns(schemas.Pitcher),
		"{pitcher game columns}", GameSumColumns(schemas.Pitcher)),
}

func sumsOfSwings(name, which string) string {
	return strings.NewReplacer("{name}", name, "{which}", which).Replace(fragment("sums_of_swings"))
}

// BoundedTypes returns a query of a batter's counts by pitch type, of few types, from the table types.
func BoundedTypes(types string) string {
	return strings.ReplaceAll(fragment("bounded_types"), "{types}", types)
}

// BoundedPitches returns a query of pitchers' sums by pitch type, of few types for each key, from the query
// types.
func BoundedPitches(key, types string) string {
	return strings.NewReplacer("{key}", key, "{types}", types).Replace(fragment("bounded_pitches"))
}
