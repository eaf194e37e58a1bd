package fileinput

import (
	"bytes"
	"strings"
	"testing"
)

// sampleRecord is a record like the sensors': n bat samples at 300 Hz make it about 330·n bytes.
func sampleRecord(eventID string, n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"units": {"length": "foot", "velocity": "mph"}, "summary_acts": {"pitch": {"eventId": "` + eventID + `", "type": {}}}, "samples_bat": [`)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`{"time": -1.2345678, "head": {"pos": [-2.1721089527440203, 52.244164706814146, 6.234883412247277]}, "handle": {"pos": [-2.1721089527440203, 52.244164706814146, 6.234883412247277]}}`)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkBrackets(b *testing.B) {
	rec := sampleRecord("d6cb3f01-ccc2-4619-96a3-eb1f1bfaeaa3", 370)
	b.SetBytes(int64(len(rec)))
	for b.Loop() {
		if end, ok := new(brackets).find(rec); !ok || end != len(rec) {
			b.Fatal("not found")
		}
	}
}

func BenchmarkPrettyBrackets(b *testing.B) {
	rec := []byte(strings.ReplaceAll(string(sampleRecord("x", 370)), ", ", ",\n                "))
	b.SetBytes(int64(len(rec)))
	for b.Loop() {
		new(brackets).find(rec)
	}
}
