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

// size returns the bytes of a record.
func size(r *schemas.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
