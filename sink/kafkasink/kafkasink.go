// Package kafkasink makes what goes back to Kafka: dead letters, whole and unchanged, and the rows that now
// stand; and it makes and checks the topics themselves.
package kafkasink

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Encoder makes the records to produce. It holds names only; it is safe for concurrent use.
type Encoder struct {
	RowsTopic string // "": no rows are published
	DeadTopic string
	Group     string // the consumer group that rejects
	Build     string // the build that rejects
}

// Row is the record of a pitch that now stands, keyed by its id; a tombstone where it was deleted. Its
// headers are the version of the row: the topic is written by several processors, and a reader that finds a
// lower version after a higher one keeps the higher one. nil where no rows are published.
func (e Encoder) Row(p schemas.Published) *kgo.Record {
	if e.RowsTopic == "" {
		return nil
	}
	r := &kgo.Record{Topic: e.RowsTopic, Key: []byte(p.PitchID.String()), Headers: []kgo.RecordHeader{
		{Key: "revision", Value: decimal(p.Version.Revision)},
		{Key: "record_ts_ms", Value: decimal(p.Version.TimestampMS)},
		{Key: "source_offset", Value: decimal(p.Version.Offset)},
		{Key: "source_partition", Value: decimal(int64(p.Version.Partition))},
	}}
	if p.Row != nil {
		r.Value = p.Row.AppendJSON(make([]byte, 0, 1024))
	}
	return r
}

func decimal(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
