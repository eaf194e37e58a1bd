// Package fileoutput writes tables for analysts: the rows of pitches as Parquet, CSV or JSON Lines, and a
// line per batter and per pitcher. It also writes the rejected records and the figures of a report. All
// formats are written from one list of columns, so that they cannot differ. The files of a run appear
// together, at its end (Folder).
//
//	records ─▶ Spool ─▶ the current rows ────▶ Writer     rows.parquet, rows.csv or rows.jsonl
//	                                        ├▶ Batters    batters.csv
//	                                        ├▶ Pitchers   pitchers.csv
//	                                        └▶ Survey     report.json
//	        └▶ Rejects                                    rejected.jsonl
package fileoutput

import (
	"fmt"
	"io"

	"github.com/pitchstream/pitchstream/schemas"
)

// Row is one line of the table of rows: the result of the core, and the place of its record.
type Row struct {
	schemas.Row
	EventTime schemas.Opt[schemas.TimeMS] // missing unless the identifiers give it
	Source    string                      // the file, as the user named it, in UTF-8
	Record    int64                       // number of the record in that file, from 1

	Provenance *schemas.Provenance // of a stored row; nil for one of a file
}

// Writer writes a table of rows.
type Writer interface {
	// Write adds a row. It keeps no reference to it.
	Write(*Row) error
	// Close writes the buffered rows. Without it the file is incomplete. It does not close the underlying
	// writer.
	Close() error
}

// Format is a file format of the table of rows.
type Format string

// The formats. Each is also the extension of the file's name.
const (
	Parquet Format = "parquet"
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
	// GuardedCSV is CSV for spreadsheets: an apostrophe before each text that they would run as a formula. It
	// is no name of a file; FileName gives that of CSV.
	GuardedCSV Format = "guarded csv"
)

// Formats are all formats, the most useful first.
var Formats = []Format{Parquet, CSV, JSONL}

// FileName returns the name of the table of rows in that format.
func (f Format) FileName() string {
	if f == GuardedCSV {
		f = CSV
	}
	return "rows." + string(f)
}

// NewWriter begins a table of rows. A Parquet file records coreVersion, the version of the core that computed
// them.
func NewWriter(f Format, w io.Writer, coreVersion int32) (Writer, error) {
	switch f {
	case Parquet:
		return newParquetWriter(w, columns, coreVersion), nil
	case CSV:
		return newTextWriter(w, headerOf(Columns), appendCSVRow), nil
	case GuardedCSV:
		return newTextWriter(w, headerOf(Columns), appendGuardedRow), nil
	case JSONL:
		return newTextWriter(w, "", appendJSONRow), nil
	}
	return nil, fmt.Errorf("format %q: want one of %q", f, Formats)
}

// NewStoredWriter begins a Parquet table of stored rows: the columns of the core, then the provenance.
func NewStoredWriter(w io.Writer, coreVersion int32) Writer {
	return newParquetWriter(w, storedColumns, coreVersion)
}
