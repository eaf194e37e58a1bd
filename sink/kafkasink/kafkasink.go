// Package kafkasink makes the records that go to Kafka: dead letters with the original record unchanged, and
// current rows. It creates and checks topics, and has the Producer that sends records of files and
// simulations.
package kafkasink

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Encoder makes the records to produce. It holds names only, and is safe for concurrent use.
type Encoder struct {
	RowsTopic string // "": no rows are published
	DeadTopic string
	Group     string // the consumer group that rejects
	Build     string // the build that rejects
}

// Row returns the record of a current row, keyed by the pitch id, or a tombstone if the pitch was deleted. It
// returns nil if no rows are published. The headers are the version of the row, because several processors
// write the topic: a reader that finds a lower version after a higher one keeps the higher one.
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
