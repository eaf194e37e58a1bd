package features

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"pitchstream/schemas"
)

func benchRecords(b *testing.B) map[string][]schemas.Record {
	one := func(value []byte) []schemas.Record { return []schemas.Record{benchRecord(value)} }
	sets := map[string][]schemas.Record{
		"swing": one(asPython.bytes(swingAndMiss(seeded(1)))), "swing-compact": one(asCompact.bytes(swingAndMiss(seeded(1)))),
		"take": one(asPython.bytes(take(seeded(1)))),
	}
	var real []schemas.Record
	records := realFiles()
	for _, name := range slices.Sorted(maps.Keys(records)) {
		real = append(real, benchRecord(records[name]))
	}
	if real != nil {
		sets["real"] = real
	}
	return sets
}

func benchRecord(value []byte) schemas.Record {
	return schemas.Record{Value: value, Key: []byte("745612"), Headers: []schemas.Header{
		{Key: "batter_id", Value: []byte("665742")}, {Key: "pitcher_id", Value: []byte("605483")},
		{Key: "game_date", Value: []byte("2024-09-28")}, {Key: "venue", Value: []byte("Citizens Bank Park")},
	}}
}

// BenchmarkTransform is the whole core; one operation is every record of the set once.
func BenchmarkTransform(b *testing.B) {
	benchEach(b, func(rec schemas.Record) {
		if _, rej := Transform(rec, Limits{}); rej != nil {
			b.Fatal(rej)
		}
	})
}

// BenchmarkValid is what the standard library takes to say that the bytes are JSON.
func BenchmarkValid(b *testing.B) {
	benchEach(b, func(rec schemas.Record) {
		if !json.Valid(rec.Value) {
			b.Fatal("not JSON")
		}
	})
}

func benchEach(b *testing.B, do func(schemas.Record)) {
	sets := benchRecords(b)
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		b.Run(name, func(b *testing.B) {
			var bytes int64
			for _, rec := range sets[name] {
				bytes += int64(len(rec.Value))
			}
			b.SetBytes(bytes)
			b.ReportAllocs()
			for b.Loop() {
				for _, rec := range sets[name] {
					do(rec)
				}
			}
			b.ReportMetric(float64(len(sets[name])), "records/op")
		})
	}
}
