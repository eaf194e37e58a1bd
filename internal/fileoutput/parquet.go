package fileoutput

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

const (
	rowGroupRows = 1 << 16   // about 8 MB, which are held in memory
	pageBytes    = 128 << 10 // of one column, before compression
	batchRows    = 64        // written at a time, because single rows cost the library more
)

// parquetWriter writes Parquet with zstd, in row groups of rowGroupRows. The key-value metadata of the file
// describes each column under column:NAME, and holds the version of the core under core_version.
type parquetWriter struct {
	w       *parquet.GenericWriter[any]
	columns []column
	batch   []parquet.Row // up to batchRows; memory beyond its length is used again
}

func newParquetWriter(w io.Writer, columns []column, coreVersion int32) *parquetWriter {
	options := []parquet.WriterOption{
		parquetSchema(columns),
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault, Concurrency: 1}),
		parquet.MaxRowsPerRowGroup(rowGroupRows),
		parquet.PageBufferSize(pageBytes),
		parquet.KeyValueMetadata("core_version", strconv.Itoa(int(coreVersion))),
	}
	for _, c := range columns {
		options = append(options, parquet.KeyValueMetadata("column:"+c.Name, c.Comment()))
	}
	// fastparquet fails over pages of version 2 with lists of which none is empty.
	// guard: files: lists are read by fastparquet
	options = append(options, parquet.DataPageVersion(1))
	rows := parquet.NewGenericWriter[any](w, options...)
	return &parquetWriter{rows, columns, make([]parquet.Row, 0, batchRows)}
}

func (p *parquetWriter) Write(r *Row) error {
	n := len(p.batch)
	p.batch = p.batch[:n+1]
	row := p.batch[n][:0]
	for i := range p.columns {
		row = p.columns[i].appendParquet(row, i, p.columns[i].of(r))
	}
	if p.batch[n] = row; n+1 < batchRows {
		return nil
	}
	return p.flush()
}

func (p *parquetWriter) flush() error {
	_, err := p.w.WriteRows(p.batch)
	p.batch = p.batch[:0]
	return err
}

func (p *parquetWriter) Close() error { return errors.Join(p.flush(), p.w.Close()) }

// ordered is a group whose fields keep the order of the table, because parquet.Group sorts them by name.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

func (o ordered) Fields() []parquet.Field { return o.fields }

func parquetSchema(columns []column) *parquet.Schema {
	all := ordered{Group: parquet.Group{}}
	for _, c := range columns {
		node := c.parquetNode()
		all.Group[c.Name] = node
		all.fields = append(all.fields, parquet.Group{c.Name: node}.Fields()...)
	}
	return parquet.NewSchema("pitches", all)
}

func (c *column) parquetNode() parquet.Node {
	node := parquetNodes[c.kind]
	if c.kind != floatKind && c.kind != boolKind && c.kind != timeKind && !c.unique() {
		node = parquet.Encoded(node, &parquet.RLEDictionary) // few different values
	} else {
		// guard: files: Parquet has encodings that every reader knows | Plain -> DeltaLengthByteArray
		node = parquet.Encoded(node, &parquet.Plain)
	}
	if c.kind == listKind {
		return parquet.List(node)
	}
	if c.optional() {
		return parquet.Optional(node)
	}
	return node
}

var parquetNodes = map[kind]parquet.Node{
	textKind: parquet.String(), listKind: parquet.String(), dateKind: parquet.Date(),
	int16Kind: parquet.Int(16), int32Kind: parquet.Int(32), int64Kind: parquet.Int(64),
	floatKind: parquet.Leaf(parquet.DoubleType), boolKind: parquet.Leaf(parquet.BooleanType),
	timeKind: parquet.Timestamp(parquet.Millisecond), // of UTC
}

// optional reports whether values of the column can be missing.
func (c *column) optional() bool { return !strings.HasPrefix(c.Missing, "never") }

// unique reports whether hardly any two rows have the same value in the column.
func (c *column) unique() bool {
	return c.Name == "pitch_id" || c.Name == "record" || c.Name == "source_offset" || c.Name == "record_ts_ms"
}

// appendParquet appends the value of the column at index i, of a list one value per element.
func (c *column) appendParquet(row parquet.Row, i int, v cell) parquet.Row {
	if c.kind == listKind {
		if len(v.list) == 0 {
			return append(row, parquet.NullValue().Level(0, 0, i))
		}
		for n, s := range v.list {
			row = append(row, parquet.ByteArrayValue([]byte(s)).Level(min(n, 1), 1, i))
		}
		return row
	}
	if !v.present {
		return append(row, parquet.NullValue().Level(0, 0, i))
	}
	return append(row, c.kind.parquetValue(v).Level(0, int(one(c.optional())), i))
}

func (k kind) parquetValue(v cell) parquet.Value {
	switch k {
	case dateKind:
		return parquet.Int32Value(days(v.s))
	case int16Kind, int32Kind:
		return parquet.Int32Value(int32(v.n))
	case int64Kind, timeKind:
		return parquet.Int64Value(v.n)
	case floatKind:
		return parquet.DoubleValue(v.f)
	case boolKind:
		return parquet.BooleanValue(v.n != 0)
	}
	return parquet.ByteArrayValue([]byte(v.s))
}

// days returns a date as days since 1970-01-01. It panics if the date is malformed, which the core does not
// allow.
func days(date string) int32 {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(fmt.Sprintf("a malformed date of the core: %v", err))
	}
	return int32(t.Unix() / (24 * 60 * 60))
}
