package features

import (
	"bytes"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pitchstream/pitchstream/schemas"
)

// Each case has one fault more than the next.
func TestTheFirstFaultInTheSpecifiedOrderGivesTheCode(t *testing.T) {
	units := aPitch().set("units.length", "meter")
	arrays := units.set("samples_bat", 12)
	noPitch := arrays.set("summary_acts.pitch", obj{})
	broken := append(asPython.bytes(noPitch), 'x')
	for _, step := range []struct {
		name  string
		rec   schemas.Record
		limit int
		want  schemas.Code
	}{
		{"nothing wrong", recordOf(aPitch()), 0, ""},
		{"units", recordOf(units), 0, schemas.CodeUnsupportedUnits},
		{"and arrays", recordOf(arrays), 0, schemas.CodeSchemaViolation},
		{"and no pitch", recordOf(noPitch), 0, schemas.CodeNotAPitch},
		{"and trailing bytes", schemas.Record{Value: broken}, 0, schemas.CodeMalformedJSON},
		{"and a revision", schemas.Record{Value: broken, Headers: headersOf("revision=-1")}, 0, schemas.CodeSchemaViolation},
		{"and a version", schemas.Record{Value: broken, Headers: headersOf("revision=-1", "schema_version=2.0")}, 0, schemas.CodeUnsupportedVersion},
		{"and a size", schemas.Record{Value: broken, Headers: headersOf("revision=-1", "schema_version=2.0")}, 100, schemas.CodeTooLarge},
	} {
		change, rej := Transform(step.rec, Limits{MaxRecordBytes: step.limit})
		if step.want == "" && rej == nil {
			continue
		}
		if rej == nil || rej.Code != step.want {
			t.Errorf("%s: %v, want %s", step.name, rej, step.want)
		}
		if diff := cmp.Diff(schemas.Change{}, change); diff != "" {
			t.Errorf("%s: a rejection and a change:\n%s", step.name, diff)
		}
	}
}

// A record as large as the limit is read, one byte more is too large; the limit that is not set is 16 MiB.
func TestTheLimitIsInclusive(t *testing.T) {
	rec := recordOf(aPitch())
	if _, rej := Transform(rec, Limits{MaxRecordBytes: len(rec.Value)}); rej != nil {
		t.Error(rej)
	}
	if _, rej := Transform(rec, Limits{MaxRecordBytes: len(rec.Value) - 1}); rej == nil ||
		rej.Code != schemas.CodeTooLarge {
		t.Errorf("%v, want %s", rej, schemas.CodeTooLarge)
	}
	rec.Value = append(rec.Value, bytes.Repeat([]byte(" "), 16<<20-len(rec.Value))...)
	if _, rej := Transform(rec, Limits{}); rej != nil {
		t.Error(rej)
	}
	rec.Value = append(rec.Value, ' ')
	if _, rej := Transform(rec, Limits{}); rej == nil || rej.Code != schemas.CodeTooLarge {
		t.Errorf("%v, want %s", rej, schemas.CodeTooLarge)
	}
}

func TestAPanicIsARejection(t *testing.T) {
	bug := func(schemas.Record, Limits) (schemas.Change, *Rejection) { panic("index out of range\n[7]") }
	change, rej := recovered(recordOf(aPitch()), Limits{}, bug)
	if rej == nil || rej.Code != schemas.CodeInternal || rej.Offset != -1 || !strings.Contains(rej.Error(), "index out of range [7]") {
		t.Errorf("the rejection is %v", rej)
	}
	if change.Row != nil || change.PitchID != (schemas.PitchID{}) {
		t.Errorf("there is a change beside it: %v", change)
	}
}

func TestAChangeHoldsNoReferenceToTheRecordsBytes(t *testing.T) {
	rec := recordOf(aSwing().set("events", arr{battedEvent()}), "game_pk=777", "venue=Citizens Bank Park", "game_date=2024-09-28",
		"dlq.origin.topic=old", "dlq.origin.partition=1", "dlq.origin.offset=2", "dlq.origin.timestamp=2024-09-28T22:04:37Z")
	before, rej := Transform(rec, Limits{})
	if rej != nil {
		t.Fatal(rej)
	}
	want := *before.Row
	for _, b := range append([][]byte{rec.Value, rec.Key}, headerValues(rec)...) {
		for i := range b {
			b[i] = 'x'
		}
	}
	if diff := cmp.Diff(want, *before.Row); diff != "" || want.Venue != "Citizens Bank Park" || before.Origin.Topic != "old" {
		t.Errorf("the row changed with the record:\n%s", diff)
	}
}

func headerValues(rec schemas.Record) (values [][]byte) {
	for _, h := range rec.Headers {
		values = append(values, h.Value)
	}
	return values
}

// A record costs a few small allocations, however many samples it has.
func TestAllocationsDoNotGrowWithSamples(t *testing.T) {
	for _, frames := range []int{0, 20, 2000} {
		tree := pitchRecord(seeded(1), frames, batSamples(seeded(1), frames)).set("events", arr{battedEvent()})
		rec := recordOf(tree, "venue=Citizens Bank Park", "game_date=2024-09-28", "batter_id=1", "game_pk=777")
		h, d := readHeaders(rec.Headers), new(decoder) // of our own: the pool drops some at will
		n := testing.AllocsPerRun(50, func() {
			if _, rej := measureWith(d, rec, &h, nil); rej != nil {
				t.Fatal(rej)
			}
			d.forget()
		})
		if n > 4 {
			t.Errorf("%d samples: %.0f allocations, want at most 4", frames, n)
		}
	}
}

// Decoders are shared, records are not mixed up.
func TestConcurrentTransforms(t *testing.T) {
	var recs []schemas.Record
	var want []*schemas.Row
	for seed := range uint64(16) {
		recs = append(recs, nastyRecord(seeded(seed)))
		change, _ := Transform(recs[seed], Limits{})
		want = append(want, change.Row)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 400 {
				change, _ := Transform(recs[i%len(recs)], Limits{})
				if !cmp.Equal(change.Row, want[i%len(recs)]) {
					t.Errorf("record %d gave another row", i%len(recs))
				}
			}
		})
	}
	all.Wait()
}

// A record that was made to be bad takes time in proportion to its size (with a logarithm).
func TestHugeTracksStayBounded(t *testing.T) {
	for name, sample := range map[string]func(i, n int) obj{
		"backwards": func(i, n int) obj { return obj{{"time", float64(n-i) / 2}} },
		"thrice":    func(i, n int) obj { return obj{{"time", i * 7919 % (n / 3)}, {"head", obj{{"pos", arr{i, 1, 2}}}}} },
		"untimed":   func(int, int) obj { return obj{} },
	} {
		row := rowOf(t, hugeRecord(sample, 3_000))
		if row.BatSamples+row.BallSamples+row.DuplicateSamples != 2*3_000 {
			t.Errorf("%s: %d and %d kept, %d dropped", name, row.BatSamples, row.BallSamples, row.DuplicateSamples)
		}
		rec := hugeRecord(sample, 120_000)
		start := time.Now()
		if _, rej := Transform(rec, Limits{}); rej != nil {
			t.Error(rej)
		}
		// some 50 ms; each sample with each other would take longer
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// hugeRecord has n samples of a kind in both tracks.
func hugeRecord(sample func(i, n int) obj, n int) schemas.Record {
	track := make(arr, n)
	for i := range track {
		track[i] = sample(i, n)
	}
	return schemas.Record{Value: asCompact.bytes(aPitch().set("samples_bat", track).set("samples_ball", track))}
}

// After a huge record a decoder lets go of its scratch, after an ordinary one it keeps it.
func TestScratchIsBounded(t *testing.T) {
	d := new(decoder)
	for _, frames := range []int{400, 40_000} {
		value := asCompact.bytes(aPitch().set("samples_bat", batSamples(seeded(1), frames)))
		if rej := d.decode(value); rej != nil {
			t.Fatal(rej)
		}
		d.forget()
		if kept := d.scratchBytes(); kept > maxKeptBytes || kept == 0 && frames == 400 {
			t.Errorf("after %d samples the decoder keeps %d bytes", frames, kept)
		}
	}
}

// Also where samples are as small as they can be, their scratch is a few times the record's size, growing
// included.
func TestScratchGrowsOnce(t *testing.T) {
	value := []byte(`{"samples_bat":[` + strings.Repeat(`{"time":1},`, 100_000) + `{}]}`)
	var before, after runtime.MemStats
	d := new(decoder)
	runtime.ReadMemStats(&before)
	if rej := d.decode(value); rej != nil {
		t.Fatal(rej)
	}
	runtime.ReadMemStats(&after)
	if made := int(after.TotalAlloc - before.TotalAlloc); made > 16*len(value) || len(d.bat.samples) != 100_000 {
		t.Errorf("%d bytes of scratch for %d of record", made, len(value))
	}
}

// A decoder takes nothing of a record back to the pool.
func TestADecoderForgetsTheRecord(t *testing.T) {
	d := new(decoder)
	if _, rej := measureWith(d, recordOf(aSwing()), &headers{}, nil); rej != nil {
		t.Fatal(rej)
	}
	d.forget()
	if d.b != nil || !reflect.DeepEqual(d.record, record{}) ||
		len(d.texts.spans) > 0 || d.texts.spans[:1][0].column != nil {
		t.Errorf("the decoder still holds %v", d)
	}
}
