package verify

import (
	"runtime"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// decoded is a record and what the core makes of it.
type decoded struct {
	partition int32
	offset    int64
	change    schemas.Change
	rejection *features.Rejection
}

// decodeAll runs the core on records, spread over the processors.
func decodeAll(records []*kgo.Record, limits features.Limits) []decoded {
	out := make([]decoded, len(records))
	var wg sync.WaitGroup
	workers := max(1, min(runtime.GOMAXPROCS(0), len(records)))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(records); i += workers {
				out[i] = decodeOne(records[i], limits)
			}
		})
	}
	wg.Wait()
	return out
}

func decodeOne(r *kgo.Record, limits features.Limits) decoded {
	d := decoded{partition: r.Partition, offset: r.Offset}
	d.change, d.rejection = features.Transform(kafkaread.Record(r), limits)
	return d
}
