package kafkaread

import (
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Map returns f of each record, in their order. It calls f on up to workers goroutines, one of which is the
// caller's, so that a single record waits for no other goroutine. Packed records follow, one at a time: their
// bytes are valid only within f, and their values are cut to limit (see Load). There may be more results than
// records, because several packed records share a placeholder.
func Map[T any](
	records []*kgo.Record, limit, workers int, f func(rec schemas.Record, isPacked bool) T,
) ([]T, error) {
	out := make([]T, len(records))
	const chunk = 8
	next := make(chan int, (len(records)+chunk-1)/chunk)
	for i := 0; i < len(records); i += chunk {
		next <- i
	}
	close(next)
	work := func() {
		for from := range next {
			for i := from; i < min(from+chunk, len(records)); i++ {
				if !IsPacked(records[i]) {
					out[i] = f(Record(records[i]), false)
				}
			}
		}
	}
	var others sync.WaitGroup
	for range min(workers, cap(next)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	if !slices.ContainsFunc(records, IsPacked) {
		return out, nil
	}
	var all []T
	for i, r := range records {
		if !IsPacked(r) {
			all = append(all, out[i])
			continue
		}
		if err := Load(r, limit, func(rec schemas.Record) { all = append(all, f(rec, true)) }); err != nil {
			return nil, err
		}
	}
	return all, nil
}
