//go:build unix

package features

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// decodingSets are what the decoders are compared on.
var decodingSets = map[string]func(testing.TB) []schemas.Record{"real": realRecords, "simulated": simulatedRecords}

func decodingRecords(t *testing.T) map[string][]schemas.Record {
	sets := map[string][]schemas.Record{}
	for _, name := range slices.Sorted(maps.Keys(decodingSets)) {
		t.Run("read "+name, func(t *testing.T) { sets[name] = decodingSets[name](t) })
	}
	return sets
}

// simulatedRecords are the first pitches of simulate --seed 1.
func simulatedRecords(t testing.TB) (records []schemas.Record) {
	s, err := simulate.New(simulate.Options{Seed: 1, Pitches: 60, FeedIDs: true})
	if err != nil {
		t.Fatal(err)
	}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		records = append(records, schemas.Record{Key: m.Key, Headers: m.Headers, Value: m.Value})
	}
	return records
}

// decoders under comparison: a name, and what makes a row of a record.
type decoding struct {
	name string
	row  func(schemas.Record) error
}

func decodings() []decoding {
	all := []decoding{{"pitchstream", func(rec schemas.Record) error {
		if _, rej := Transform(rec, Limits{}); rej != nil {
			return rej
		}
		return nil
	}}}
	for _, rival := range rivals {
		row := rival.open()
		all = append(all, decoding{rival.name, func(rec schemas.Record) error { _, err := row(rec); return err }})
	}
	return all
}

func rowsOf(b *testing.B, d decoding, records []schemas.Record) {
	for _, rec := range records {
		if err := d.row(rec); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecoding is from the bytes of a record to its row, by each decoder; one operation is every record
// of the set once. docs/PERFORMANCE.md says how to run it for the tables there.
func BenchmarkDecoding(b *testing.B) {
	eachDecodingSet(b, func(b *testing.B, records []schemas.Record, bytes int64) {
		for _, d := range decodings() {
			b.Run("by="+d.name, func(b *testing.B) {
				b.SetBytes(bytes)
				b.ReportAllocs()
				for b.Loop() {
					rowsOf(b, d, records)
				}
			})
		}
	})
}

// BenchmarkDecodingRatio runs the decoders in turn, and reports how many times the processor time of the core
// each takes, as the median of the turns. Other work on the machine slows all decoders of a turn alike.
func BenchmarkDecodingRatio(b *testing.B) {
	eachDecodingSet(b, func(b *testing.B, records []schemas.Record, _ int64) {
		all := decodings()
		ratios := make([][]float64, len(all))
		for b.Loop() {
			var ours time.Duration
			for i, d := range all {
				took := turn(b, d, records)
				if i == 0 {
					ours = took
				}
				ratios[i] = append(ratios[i], float64(took)/float64(ours))
			}
		}
		for i, d := range all[1:] {
			slices.Sort(ratios[i+1])
			b.ReportMetric(ratios[i+1][len(ratios[i+1])/2], fmt.Sprintf("x-%s", d.name))
		}
		b.ReportMetric(0, "ns/op")
	})
}

// turnRecords are so many that the garbage that a decoder makes is collected on its own time.
const turnRecords = 120

func turn(b *testing.B, d decoding, records []schemas.Record) time.Duration {
	runtime.GC()
	began := processorTime()
	for n := 0; n < turnRecords; n += len(records) {
		rowsOf(b, d, records)
	}
	return processorTime() - began
}

// processorTime is what this process has used so far, of all processors.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err) // only of wrong arguments
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func eachDecodingSet(b *testing.B, do func(*testing.B, []schemas.Record, int64)) {
	for _, name := range slices.Sorted(maps.Keys(decodingSets)) {
		b.Run("records="+name, func(b *testing.B) {
			records := decodingSets[name](b)
			var bytes int64
			for _, rec := range records {
				bytes += int64(len(rec.Value))
			}
			do(b, records, bytes)
		})
	}
}

// A record costs at most four allocations, whatever the number of its samples: real ones, and simulated ones.
func TestARecordCostsFourAllocations(t *testing.T) {
	for set, records := range decodingRecords(t) {
		for i, rec := range records {
			h, d := readHeaders(rec.Headers), new(decoder) // of our own: the pool drops some at will
			n := testing.AllocsPerRun(10, func() {
				if _, rej := measureWith(d, rec, &h, nil); rej != nil {
					t.Fatal(rej)
				}
				d.forget()
			})
			if n > 4 {
				t.Errorf("%s record %d (%d bytes): %.0f allocations, want at most 4", set, i, len(rec.Value), n)
			}
		}
	}
}
