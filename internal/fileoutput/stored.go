package fileoutput

import (
	"io"

	"github.com/pitchstream/pitchstream/schemas"
)

// StoredWriter writes stored rows as Parquet: the columns of the core, and then those of the provenance.
type StoredWriter struct{ p *parquetWriter }

// NewStoredWriter begins a table.
func NewStoredWriter(w io.Writer, coreVersion int32) *StoredWriter {
	return &StoredWriter{newParquetWriter(w, storedColumns, coreVersion)}
}

// Write adds a row. It keeps no reference to it.
func (s *StoredWriter) Write(r *schemas.StoredRow) error {
	core := Row{Row: r.Row}
	return s.p.write(func(i int) cell {
		if i < len(schemas.RowColumns) {
			return storedColumns[i].of(&core)
		}
		return provenanceCells[i-len(schemas.RowColumns)](&r.Provenance)
	})
}

// Close writes the buffered rows. It does not close the underlying writer.
func (s *StoredWriter) Close() error { return s.p.Close() }

var storedColumns = func() (all []column) {
	for i, c := range schemas.StoredColumns {
		col := column{Column: c, kind: kinds[c.SQL]}
		if i < len(schemas.RowColumns) {
			col.of = cells[c.Name]
		}
		all = append(all, col)
	}
	return all
}()

// provenanceCells have the order of schemas.ProvenanceColumns.
var provenanceCells = []func(*schemas.Provenance) cell{
	func(p *schemas.Provenance) cell { return count(int64(p.EventTime)) },
	func(p *schemas.Provenance) cell { return count(p.Revision) },
	func(p *schemas.Provenance) cell { return count(p.RecordTSMS) },
	func(p *schemas.Provenance) cell { return cell{present: true, s: p.SourceTopic} },
	func(p *schemas.Provenance) cell { return count(int64(p.SourcePartition)) },
	func(p *schemas.Provenance) cell { return count(p.SourceOffset) },
	func(p *schemas.Provenance) cell { return count(int64(p.CoreVersion)) },
	func(p *schemas.Provenance) cell { return cell{present: true, s: p.Build} },
	func(p *schemas.Provenance) cell { return count(int64(p.ProcessedAt)) },
}
