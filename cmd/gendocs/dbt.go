package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// warehouse lists the tables that analysts read, each with its description and its key.
var warehouse = []struct {
	name, meaning, key string
	columns            []schemas.Column
}{
	{"pitches", "The pitches that stand, a row each: the facts of the star", "pitch_id", schemas.StoredColumns},
	{"dim_player", "Players, a version for each time that one batted for another team", "player_key",
		schemas.DimPlayerColumns},
	{"dim_game", "Games", "game_pk", schemas.DimGameColumns},
	{"dim_pitch_type", "Types of pitches", "pitch_type", schemas.DimPitchTypeColumns},
}

// dbtSources returns a dbt source of the schema: every column with its type, its description and its tests.
func dbtSources() []byte {
	var b strings.Builder
	b.WriteString(`# Made from the tables of columns by go run ./cmd/gendocs: do not edit.
version: 2
sources:
  - name: pitchstream
    schema: pitchstream
    loader: pitchstream
    loaded_at_field: processed_at
    # On DuckDB the pitches are the files of pitchstream export. Postgres does not read this.
    meta:
      external_location: >-
        read_parquet('{{ env_var('PITCHSTREAM_LAKE', 'lake') }}/*/*.parquet', hive_partitioning = true, union_by_name = true)
    tables:
`)
	for _, t := range warehouse {
		fmt.Fprintf(&b, "      - name: %s\n        description: %s\n", t.name, strconv.Quote(t.meaning))
		if t.name == "pitches" {
			b.WriteString("        freshness: {warn_after: {count: 36, period: hour}}\n")
		} else {
			b.WriteString("        loaded_at_field: null\n" +
				"        config: {enabled: \"{{ target.type == 'postgres' }}\"}\n") // the files have pitches alone
		}
		b.WriteString("        columns:\n")
		for _, c := range t.columns {
			fmt.Fprintf(&b, "          - name: %s\n            data_type: %s\n            description: %s\n",
				c.Name, c.SQL, strconv.Quote(c.Comment()))
			var tests []string
			if t.key == c.Name {
				tests = append(tests, "unique")
			}
			if strings.HasPrefix(c.Missing, "never") {
				tests = append(tests, "not_null")
			}
			if len(tests) > 0 {
				fmt.Fprintf(&b, "            data_tests: [%s]\n", strings.Join(tests, ", "))
			}
		}
	}
	return []byte(b.String())
}

// warehouseTables returns the tables of docs/WAREHOUSE.md by their names: the dimensions, without the
// pitches.
func warehouseTables() map[string]string {
	tables := map[string]string{}
	for _, t := range warehouse[1:] {
		tables[t.name] = columnTable(t.columns)
	}
	return tables
}
