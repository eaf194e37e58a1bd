package main

import (
	"fmt"
	"strings"

	"github.com/pitchstream/pitchstream/internal/tables"
	"github.com/pitchstream/pitchstream/schemas"
)

// A table stands on the page between these lines, by its name.
const (
	beginMarker = "<!-- generated: %s (go run ./internal/dictionary) -->\n"
	endMarker   = "<!-- end of generated -->\n"
)

// pageTables are the tables of docs/DATA.md by the name in their marker.
func pageTables() map[string]string {
	return map[string]string{
		"row":        columnTable(schemas.RowColumns),
		"provenance": columnTable(schemas.ProvenanceColumns),
		"files":      columnTable(tables.Columns[len(schemas.RowColumns):]),
		"aggregates": columnTable(schemas.StatsColumns),
		"issues":     issueTable(),
	}
}

// fillPage puts every table in its place. A table without a place on the page, or with two, is an error.
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

// columnTable is one line a column. The unit stands with the range, so that a line stays readable.
func columnTable(columns []schemas.Column) string {
	var b strings.Builder
	b.WriteString("| column | type | range and unit | what it is | where it comes from | missing |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, c := range columns {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n",
			c.Name, cell(c.SQL), cell(strings.TrimSpace(c.Range+" "+c.Unit)), cell(c.Meaning), cell(c.Source), cell(c.Missing))
	}
	return b.String()
}

// cell is text as a cell of a table shows it, unchanged.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "*", `\*`, "<", `\<`).Replace(s) }
