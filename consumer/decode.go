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
	// keptPollBytes bounds what a poll keeps of packed records: those of a batch too large to unpack whole.
	// Each is cut, because its bytes are only valid while it is decoded.
	keptPollBytes = 16 << 20
	// keptLeastBytes is what each packed record keeps of its value beyond that, so that its dead letter shows
	// how it begins.
	keptLeastBytes = 256
)

// decode transforms every record, on several goroutines, and returns the results in their order. There may be
// more results than records, because one placeholder stands for all packed records of a batch. An error is a
// batch that cannot be unpacked again.
func decode(cfg *Config, records []*kgo.Record) ([]Decoded, error) {
	defer cfg.observeStep("decode", cfg.Now())
	workers := cfg.Workers
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	left := keptPollBytes // no lock: Map passes packed records one after the other
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

// size returns the bytes of a record that are in memory: of one that was cut, less than Record.Size.
func size(r *schemas.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
