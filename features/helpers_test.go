package features

import (
	"strings"
	"testing"

	"github.com/pitchstream/pitchstream/schemas"
)

// aPitch is a called pitch in the style of the real ones, to be changed by set.
func aPitch() obj { return take(seeded(1)) }

// aSwing is a swing and a miss of 24 frames.
func aSwing() obj { return pitchRecord(seeded(1), 3, batSamples(seeded(1), 24)) }

// headersOf reads name=value pairs.
func headersOf(pairs ...string) (headers []schemas.Header) {
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		headers = append(headers, schemas.Header{Key: name, Value: []byte(value)})
	}
	return headers
}

func recordOf(tree obj, headers ...string) schemas.Record {
	return schemas.Record{
		Coordinates: schemas.Coordinates{Topic: "pitches.raw", Partition: 1, Offset: 8, TimestampMS: 1727561077926},
		Key:         []byte("745612"), Headers: headersOf(headers...), Value: asPython.bytes(tree),
	}
}

// rowOf is the row of a record, which must have one.
func rowOf(t *testing.T, rec schemas.Record) *schemas.Row {
	t.Helper()
	change, rej := comparePlain(t, rec)
	if rej != nil {
		t.Fatal(rej)
	}
	return change.Row
}

// codeOf is the code with which a record is rejected, or "".
func codeOf(t *testing.T, rec schemas.Record) schemas.Code {
	t.Helper()
	_, rej := comparePlain(t, rec)
	if rej == nil {
		return ""
	}
	return rej.Code
}
