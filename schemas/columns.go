package schemas

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Column describes one column for people. The database's comments, the data dictionary, the published JSON
// Schema, the API's document and the file writers are made from it.
type Column struct {
	Name    string
	SQL     string // the type in Postgres
	Unit    string // "" for a column without a unit
	Range   string // inclusive; "" if any value of the type is allowed
	Source  string // a path in the record, a header, or the rule by which the value is computed
	Meaning string // one sentence without a full stop
	Missing string // when the column holds nothing; "never" if it always holds a value
}

// ColumnName returns the name of a column, for Map.
func ColumnName(c Column) string { return c.Name }

// Limits reads Range as it is written, as −45–45 or 0 and more; nil: there is none on that side.
func (c Column) Limits() (least, most *float64) {
	number := func(text string) *float64 {
		if n, err := strconv.ParseFloat(strings.Replace(text, "−", "-", 1), 64); err == nil {
			return &n
		}
		return nil
	}
	if from, ok := strings.CutSuffix(c.Range, " and more"); ok {
		return number(from), nil
	}
	from, to, _ := strings.Cut(c.Range, "–")
	return number(from), number(to)
}

// Comment returns the line that the database shows for the column: meaning, unit, range, and when it is
// missing.
func (c Column) Comment() string {
	var b strings.Builder
	b.WriteString(c.Meaning)
	if c.Unit != "" {
		fmt.Fprintf(&b, "; unit: %s", c.Unit)
	}
	if c.Range != "" {
		fmt.Fprintf(&b, "; range: %s", c.Range)
	}
	fmt.Fprintf(&b, "; missing: %s", c.Missing)
	return b.String()
}

// The columns of every table and view, in their order. They are read from columns.txt, one line a column,
// because the texts would be hidden among the punctuation of Go.
var (
	// RowColumns are those that the core computes: the fields of Row.
	RowColumns = columnsOf("row")
	// ProvenanceColumns name the record that won and the build that wrote the row: the fields of Provenance.
	ProvenanceColumns = columnsOf("provenance")
	// StoredColumns are those of the table pitches and of the rows topic.
	StoredColumns = slices.Concat(RowColumns, ProvenanceColumns)
	// StatsColumns are the aggregates of a batter, or of a batter in a game: the fields of Stats.
	StatsColumns = columnsOf("stats")
	// PitcherStatsColumns are the aggregates of a pitcher, or of a pitcher in a game: the fields of
	// PitcherStats.
	PitcherStatsColumns = columnsOf("pitcher_stats")
	// PitchTypeColumns are the members of a pitch type in by_pitch_type of a pitcher: the fields of
	// PitchTypeStats.
	PitchTypeColumns = columnsOf("pitch_type")

	// DimPlayerColumns are those of the view dim_player: one version of a player for each time that the player
	// batted for another team.
	DimPlayerColumns = columnsOf("dim_player")
	// DimGameColumns are those of the view dim_game.
	DimGameColumns = columnsOf("dim_game")
	// DimPitchTypeColumns are those of the view dim_pitch_type.
	DimPitchTypeColumns = columnsOf("dim_pitch_type")
)

//go:embed columns.txt
var columnsText string

// columnsOf returns the columns of one section of columns.txt. It panics if there is none or if a line is
// malformed, because the file is part of the binary: the first test would fail.
func columnsOf(section string) (columns []Column) {
	_, text, found := strings.Cut(columnsText, "\n["+section+"]\n")
	text, _, _ = strings.Cut(text, "\n\n")
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		if found = found && len(f) == 7; !found {
			break
		}
		columns = append(columns, Column{f[0], f[1], f[2], f[3], f[4], f[5], f[6]})
	}
	if !found {
		panic("columns.txt: section " + section + " is missing or malformed")
	}
	return columns
}

// IsNullable reports whether the column may be missing.
func (c Column) IsNullable() bool { return !strings.HasPrefix(c.Missing, "never") }
