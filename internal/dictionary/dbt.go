package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// warehouseTables are what analysts read of the schema, and what they should know of each.
var warehouseTables = []struct {
	name, meaning string
	key           []string
	columns       []schemas.Column
}{
	{"pitches", "The pitches that stand, a row each: the facts of the star", []string{"pitch_id"}, schemas.StoredColumns},
	{"dim_player", "Players, a version for each time that one batted for another team", []string{"player_key"}, schemas.DimPlayerColumns},
	{"dim_game", "Games", []string{"game_pk"}, schemas.DimGameColumns},
	{"dim_pitch_type", "Types of pitches", []string{"pitch_type"}, schemas.DimPitchTypeColumns},
}

// dbtSources is a dbt source of the schema, with every column, its type and what is tested of it.
func dbtSources() []byte {
	var b strings.Builder
	b.WriteString(`# Made from the tables of columns by go run ./internal/dictionary: do not edit.
version: 2
sources:
  - name: pitchstream
    schema: pitchstream
    loader: pitchstream
    loaded_at_field: processed_at
    tables:
`)
	for _, t := range warehouseTables {
		fmt.Fprintf(&b, "      - name: %s\n        description: %s\n", t.name, strconv.Quote(t.meaning))
		if t.name == "pitches" {
			b.WriteString("        freshness: {warn_after: {count: 36, period: hour}}\n")
		} else {
			b.WriteString("        loaded_at_field: null\n")
		}
		b.WriteString("        columns:\n")
		for _, c := range t.columns {
			fmt.Fprintf(&b, "          - name: %s\n            data_type: %s\n            description: %s\n", c.Name, c.SQL, strconv.Quote(c.Comment()))
			var tests []string
			if len(t.key) == 1 && t.key[0] == c.Name {
				tests = append(tests, "unique")
			}
			if strings.HasPrefix(c.Missing, "never") {
				tests = append(tests, "not_null")
			}
			if len(tests) > 0 {
				fmt.Fprintf(&b, "            tests: [%s]\n", strings.Join(tests, ", "))
			}
		}
	}
	return []byte(b.String())
}

// warehousePageTables are the tables of docs/WAREHOUSE.md by the name in their marker.
func warehousePageTables() map[string]string {
	tables := map[string]string{}
	for _, t := range warehouseTables[1:] {
		tables[t.name] = columnTable(t.columns)
	}
	return tables
}
