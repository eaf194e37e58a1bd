// Package fileoutput writes what an analyst opens: the rows of pitches as Parquet, CSV or JSON Lines, a line a batter, the
// records that are no rows, and a report that adds up. Every format is made from one table of columns, so that they
// cannot differ; the files of a run appear together, at its end (Folder).
//
//	records ─▶ Spool ─▶ the rows that stand ─▶ Writer     rows.parquet, rows.csv or rows.jsonl
//	                                        ├▶ Batters    batters.csv
//	                                        └▶ Survey     report.json
//	        └▶ Rejects                                    rejected.jsonl
package fileoutput

import (
	"fmt"
	"io"

	"github.com/pitchstream/pitchstream/schemas"
)

// Row is one line of the table of rows: what the core computed, and where it comes from.
type Row struct {
	schemas.Row
	EventTime schemas.Opt[schemas.TimeMS] // missing where nobody named it: files have no timestamps of their own
	Source    string                      // the file, as it was named, in UTF-8
	Record    int64                       // number of the record in that file, from 1
}

// Writer writes the table of rows.
type Writer interface {
	// Write adds a row. It keeps no reference to it.
	Write(*Row) error
	// Close writes what is still held. Without it the file is not whole. It does not close what lies below.
	Close() error
}

// Format is a form of the table of rows.
type Format string

// The formats. Each is also the ending of the file's name.
const (
	Parquet Format = "parquet"
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
)

// Formats are all formats, the one for most people first.
var Formats = []Format{Parquet, CSV, JSONL}

// FileName is the name of the table of rows in that format.
func (f Format) FileName() string { return "rows." + string(f) }

// NewWriter begins a table of rows. coreVersion is the version of the core that computes them; a Parquet file carries it.
func NewWriter(f Format, w io.Writer, coreVersion int32) (Writer, error) {
	switch f {
	case Parquet:
		return newParquetWriter(w, coreVersion), nil
	case CSV:
		return newCSVWriter(w), nil
	case JSONL:
		return newJSONLWriter(w), nil
	}
	return nil, fmt.Errorf("format %q: want one of %q", f, Formats)
}
