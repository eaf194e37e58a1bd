package consumer

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

const (
	// keptPollBytes bounds what a poll keeps of packed records: those of a batch too large to unpack whole.
	// Large ones are cut, because their bytes are only valid while they are decoded. Accepted records, where
	// the store may refuse them, have as much for themselves.
	keptPollBytes = 16 << 20
	// keptLeastBytes is what each packed record keeps of its value, its key and each header beyond that, so
	// that its dead letter shows how it begins.
	keptLeastBytes = 256
	// keptWholeBytes is the largest value of a rejected record that is kept whole, within keptPollBytes. Real
	// records are smaller, and their dead letters are to have them byte for byte.
	keptWholeBytes = 1 << 20
)

// decode transforms every record, on several goroutines, and returns the results in their order. There may be
// more results than records, because one placeholder stands for all packed records of a batch. An error is a
// batch that cannot be unpacked again, or that ctx has ended while the schema registry did not answer. An
// accepted record of a packed batch has its bytes only if keepsBytes, because nothing else needs them.
func decode(ctx context.Context, cfg *Config, records []*kgo.Record, keepsBytes bool) ([]Decoded, error) {
	defer cfg.observeStep("decode", cfg.Now())
	workers := cfg.Workers
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	// No locks: Map passes packed records one after the other.
	left := struct{ rejected, accepted int }{keptPollBytes, keptPollBytes}
	limit := cmp.Or(cfg.Limits.MaxRecordBytes, features.DefaultMaxRecordBytes)
	t := transformer{cfg: cfg}
	decoded, err := kafkaread.Map(records, limit, workers, func(rec schemas.Record, isPacked bool) Decoded {
		d := Decoded{Record: rec, Bytes: int(rec.Size())}
		// guard: replay: of packed records only those that were asked for are replayed | isPacked && cfg.Replay.leavesOut(rec) -> false
		if isPacked && cfg.Replay.leavesOut(rec) {
			return Decoded{isLeftOut: true}
		}
		d.Change, d.Rejection = t.transform(ctx, rec)
		switch {
		case !isPacked:
		case d.Rejection != nil:
			most := kafkaread.KeptBytes
			// guard: bytes: the dead letter of a packed record is whole | len(rec.Value) <= keptWholeBytes -> false
			if len(rec.Value) <= keptWholeBytes {
				most = keptWholeBytes
			}
			d.Record = kept(rec, most, &left.rejected)
		// guard: bytes: a packed record keeps bytes only while it may become a dead letter | keepsBytes -> true
		case keepsBytes:
			// guard: bytes: accepted records take no room from dead letters | &left.accepted -> &left.rejected
			d.Record = kept(rec, kafkaread.KeptBytes, &left.accepted)
		default:
			d.Record = schemas.Record{Coordinates: rec.Coordinates}
		}
		return d
	})
	decoded = slices.DeleteFunc(decoded, func(d Decoded) bool { return d.isLeftOut })
	return decoded, cmp.Or(err, t.failed.get())
}

// kept returns what a poll keeps of a packed record: up to most bytes of the value. It takes that from left,
// and shares nothing with rec.
func kept(rec schemas.Record, most int, left *int) schemas.Record {
	// guard: bytes: what is kept of the headers of a poll is bounded | *left <= 0 -> false
	if *left <= 0 {
		kafkaread.CutFields(&rec, keptLeastBytes)
	}
	keep := max(keptLeastBytes, min(*left, most))
	// guard: bytes: what is kept of large records is bounded | keep -> max(keep, len(rec.Value))
	rec = kafkaread.Cut(rec, keep)
	*left -= size(&rec)
	return rec
}

// transformer transforms the records of one poll.
type transformer struct {
	cfg    *Config
	failed firstError
	// waiting is held by the one goroutine that asks a registry that does not answer, so that it is asked, and
	// the log written, once for all of them.
	waiting sync.Mutex
}

// transform returns the change or the rejection of a record. If ctx ends before the schema registry answers,
// it notes that in failed, and its results must not be used.
func (t *transformer) transform(
	ctx context.Context, rec schemas.Record,
) (schemas.Change, *features.Rejection) {
	if t.cfg.Transform == nil {
		return features.Transform(rec, t.cfg.Limits)
	}
	if t.failed.get() != nil {
		return schemas.Change{}, nil
	}
	change, rejection, err := t.cfg.Transform(ctx, rec, t.cfg.Limits)
	if err == nil {
		return change, rejection
	}
	type result struct {
		change    schemas.Change
		rejection *features.Rejection
	}
	t.waiting.Lock()
	defer t.waiting.Unlock()
	// guard: registry: a registry that is down makes no dead letter | instead r := result{rejection: &features.Rejection{Message: err.Error()}}
	r, err := retry(ctx, t.cfg, "schema-registry", func() (r result, err error) {
		r.change, r.rejection, err = t.cfg.Transform(ctx, rec, t.cfg.Limits)
		return r, err
	})
	t.failed.keep(err)
	return r.change, r.rejection
}

// size returns the bytes of a record that are in memory: of one that was cut, less than Record.Size.
func size(r *schemas.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += r.Headers[i].HeldBytes()
	}
	return n
}
