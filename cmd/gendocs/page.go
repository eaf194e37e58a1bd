package main

import (
	"fmt"
	"strings"

	"github.com/pitchstream/pitchstream/internal/fileoutput"
	"github.com/pitchstream/pitchstream/schemas"
)

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
