// Command gendocs writes every generated file: the tables of docs/DATA.md and docs/WAREHOUSE.md, the dbt
// source, the schemas of a row and the API's document. Run it from the project's root after a change of
// schemas/columns.txt or of the API:
//
//	go run ./cmd/gendocs
//
// On a page it replaces only the lines between a pair of marker comments and keeps the prose around them. A
// test of this package fails when a generated file is out of date.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pitchstream/pitchstream/api"
	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/schemas"
)

// generated maps the path of each file, from the root, to the function that makes its new content from the
// present one.
var generated = map[string]func(before []byte) ([]byte, error){
	"docs/DATA.md":                      fillTables(dataTables),
	"docs/WAREHOUSE.md":                 fillTables(warehouseTables),
	"docs/openapi.json":                 func([]byte) ([]byte, error) { return api.Document("1") },
	"docs/warehouse/models/sources.yml": func([]byte) ([]byte, error) { return dbtSources(), nil },
	"schemas/" + schemas.RowSchema:      storedRowSchema,
	"schemas/" + schemas.RowAvroSchema: func([]byte) ([]byte, error) {
		return rowAvro(schemas.StoredColumns)
	},
	"schemas/" + schemas.RowProtobufSchema: func(before []byte) ([]byte, error) {
		return rowProtobuf(schemas.StoredColumns, before)
	},
}

func storedRowSchema([]byte) ([]byte, error) { return rowSchema(schemas.StoredColumns) }

func fillTables(tables func() map[string]string) func(page []byte) ([]byte, error) {
	return func(page []byte) ([]byte, error) { return fillPage(page, tables()) }
}

func main() {
	for name := range generated {
		switch changed, err := rewrite(".", name); {
		case err != nil:
			fmt.Fprintln(os.Stderr, "gendocs:", err)
			os.Exit(1)
		case changed:
			fmt.Fprintln(os.Stderr, "gendocs: wrote", name)
		}
	}
}

// rewrite generates one file. It writes nothing when the file is up to date.
func rewrite(root, name string) (changed bool, err error) {
	path := filepath.Join(root, filepath.FromSlash(name))
	before, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return false, err
	}
	after, err := generated[name](before)
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if bytes.Equal(before, after) {
		return false, nil
	}
	return true, os.WriteFile(path, after, 0o644)
}

// The markers enclose a generated table on a page; the first one has the table's name.
const (
	beginMarker = "<!-- generated: %s (go run ./cmd/gendocs) -->\n"
	endMarker   = "<!-- end of generated -->\n"
)

// dataTables returns the tables of docs/DATA.md by their names.
func dataTables() map[string]string {
	return map[string]string{
		"row":        columnTable(schemas.RowColumns),
		"provenance": columnTable(schemas.ProvenanceColumns),
		"files":      columnTable(fileoutput.Columns[len(schemas.RowColumns):]),
		"aggregates": columnTable(schemas.StatsColumns),
		"pitchers":   columnTable(schemas.PitcherStatsColumns),
		"pitch type": columnTable(schemas.PitchTypeColumns),
		"issues":     issueTable(),
	}
}

// fillPage replaces the lines between each table's markers. A table whose markers are missing, or occur
// twice, is an error.
func fillPage(page []byte, tables map[string]string) ([]byte, error) {
	text := string(page)
	for name, table := range tables {
		begin := fmt.Sprintf(beginMarker, name)
		head, rest, ok := strings.Cut(text, begin)
		if !ok || strings.Contains(rest, begin) {
			return nil, fmt.Errorf("want the line %q once", strings.TrimSpace(begin))
		}
		_, tail, ok := strings.Cut(rest, endMarker)
		if !ok {
			return nil, fmt.Errorf("want the line %q after %q", strings.TrimSpace(endMarker), strings.TrimSpace(begin))
		}
		text = head + begin + table + endMarker + tail
	}
	return []byte(text), nil
}

// columnTable returns a Markdown table with one line for each column. Range and unit share a cell, because
// the table is wide already.
func columnTable(columns []schemas.Column) string {
	var b strings.Builder
	b.WriteString("| column | type | range and unit | what it is | where it comes from | missing |\n" +
		"| --- | --- | --- | --- | --- | --- |\n")
	for _, c := range columns {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", c.Name, cell(c.SQL),
			cell(strings.TrimSpace(c.Range+" "+c.Unit)), cell(c.Meaning), cell(c.Source), cell(c.Missing))
	}
	return b.String()
}

// cell escapes text so that Markdown shows it unchanged in a table's cell.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "*", `\*`, "<", `\<`).Replace(s) }
