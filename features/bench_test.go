package features

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// benchSets are what the core is measured on; real records where they are.
var benchSets = map[string]func(testing.TB) []schemas.Record{
	"swing": one(asPython, swingAndMiss), "swing-compact": one(asCompact, swingAndMiss), "take": one(asPython, take), "real": realRecords,
}

// one is a set of a single record.
func one(s style, pitch func(*rand.Rand) obj) func(testing.TB) []schemas.Record {
	return func(testing.TB) []schemas.Record { return []schemas.Record{benchRecord(s.bytes(pitch(seeded(1))))} }
}

// realRecords are the twelve recorded pitches, in the order of their files' names.
func realRecords(t testing.TB) (records []schemas.Record) {
	files := realFiles(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		records = append(records, benchRecord(files[name]))
	}
	return records
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
	for _, name := range slices.Sorted(maps.Keys(benchSets)) {
		b.Run(name, func(b *testing.B) {
			records := benchSets[name](b)
			var bytes int64
			for _, rec := range records {
				bytes += int64(len(rec.Value))
			}
			b.SetBytes(bytes)
			b.ReportAllocs()
			for b.Loop() {
				for _, rec := range records {
					do(rec)
				}
			}
			b.ReportMetric(float64(len(records)), "records/op")
		})
	}
}
