package consumer

import (
	"cmp"
	"runtime"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

const (
	// keptPollBytes bounds what a poll keeps of records that are not unpacked whole, for their dead letters.
	keptPollBytes = 16 << 20
	// keptLeastBytes is kept of the value of such a record in any case.
	keptLeastBytes = 256
)

// decode runs the core on every record, spread over the cores. There may be more results than records, as
// kafkaread.Map says.
func decode(cfg *Config, records []*kgo.Record) ([]Decoded, error) {
	defer cfg.observeStep("decode", cfg.Now())
	workers := cfg.Workers
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	left := keptPollBytes
	limit := cmp.Or(cfg.Limits.MaxRecordBytes, features.DefaultMaxRecordBytes)
	return kafkaread.Map(records, limit, workers, func(rec schemas.Record, isPacked bool) Decoded {
		d := Decoded{Record: rec, Bytes: int(rec.Size())}
		d.Change, d.Rejection = features.Transform(rec, cfg.Limits)
		if isPacked {
			// guard: bytes: what is kept of large records is bounded | max(keptLeastBytes, min(left, kafkaread.KeptBytes)) -> limit
			d.Record = kafkaread.Cut(rec, max(keptLeastBytes, min(left, kafkaread.KeptBytes)))
			left -= size(&d.Record)
		}
		return d
	})
}

// recycleBytes gives the bytes of a poll back to the client, which unpacks the next fetch into them. Decoded
// rows share nothing with them, and a rejected record gets a copy for its dead letter. When many are
// rejected, copying costs more than it saves: the poll keeps its bytes then.
func recycleBytes(decoded []Decoded, records []*kgo.Record) {
	all, rejected := 0, 0
	for i := range decoded {
		n := size(&decoded[i].Record)
		all += n
		if decoded[i].Rejection != nil {
			rejected += n
		}
	}
	if rejected > all/4 {
		return
	}
	for i := range decoded {
		d := &decoded[i]
		if d.Rejection != nil {
			// guard: what was rejected keeps its bytes when the poll's are let go
			d.Record = kafkaread.Clone(d.Record)
		} else {
			d.Record = schemas.Record{Coordinates: d.Record.Coordinates}
		}
	}
	for _, r := range records {
		r.Recycle()
	}
}

// size returns the bytes of a record.
func size(r *schemas.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
