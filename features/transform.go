// Package features is the pure core of pitchstream. It turns the bytes of one Kafka record into one change of one pitch,
// or into the reason why the record is none.
//
//	headers ─▶ decode ─▶ check ─▶ flatten ─▶ derive (swing) ─▶ validate ─▶ identify ─▶ Change
//
// Nothing here waits, reads a clock, logs or does I/O: the same bytes always give the same change. That makes it safe to
// process a record twice, and to compute all rows again from the raw topic. Each stage has a file:
//
//	headers.go, rfc3339.go           reads the headers: op, revision, origin, event time, identifiers
//	decode.go                        decodes the value in one pass over its bytes
//	  scalar_paths.go, scalar.go     the values outside of the samples: where each is, and what a column makes of it
//	  samples.go, samples_shape.go   the tracks of bat and ball, and how their samples are read at speed
//	  internal/jsonscan              JSON's grammar, numbers and strings
//	validate.go, syntax.go           refuses a record that is no readable pitch; checks the ranges of a row
//	flatten.go, texts.go             copies scalars to columns
//	swing.go                         computes the features: swing, contact, attack angle, bat speed
//	issues.go, rejection.go          lists what was wrong with a row; says why there is none
//	identity.go                      finds the game and the pitch id
//	swing_path.go, explain*.go       for the few records that a person looks at: how the bat moved, and why
//
// Three facts are not obvious. Values of a record alias its bytes until texts.assign copies the few that become columns.
// A decoder keeps its scratch for the next record, and must keep nothing else. Positions in the JSON are cursors, and a
// negative cursor is a syntax error.
package features

import (
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// CoreVersion grows whenever the same bytes could give another row than they did before.
const CoreVersion int32 = 1

// DefaultMaxRecordBytes is the limit where Limits sets none: 16 MiB.
const DefaultMaxRecordBytes = 16 << 20

// Limits bound what one record may cost.
type Limits struct {
	// MaxRecordBytes is the largest value that is read; 0 means DefaultMaxRecordBytes. A record that is made to be bad
	// (samples with a time and nothing else) makes scratch of six times its size; a real one of a quarter.
	MaxRecordBytes int
}

// Transform reads one record of the raw topic. It returns the change that the record asks for, or the rejection with
// which it belongs in the dead-letter topic; never both.
//
// It never panics: a bug in the core is a rejection with CodeInternal, so that one record cannot stop a stream. What it
// returns holds no reference to the record's bytes. It is safe for concurrent use.
func Transform(rec schemas.Record, limits Limits) (schemas.Change, *Rejection) {
	return guard(rec, limits, transform)
}

// transform takes the checks in the order of the specification: of several faults the first one names the letter. Size
// and headers come first, so that a record that is refused for them costs no decoding.
func transform(rec schemas.Record, limits Limits) (schemas.Change, *Rejection) {
	if rej := checkSize(rec.Value, limits); rej != nil {
		return schemas.Change{}, rej
	}
	h := readHeaders(rec.Headers)
	if rej := h.checkSchemaVersion(); rej != nil {
		return schemas.Change{}, rej
	}
	change, rej := h.envelope(rec)
	if rej == nil && change.Op == schemas.OpUpsert {
		change.Row, rej = measure(rec, &h)
	}
	if rej != nil {
		return schemas.Change{}, rej
	}
	if change.Row != nil {
		change.PitchID = change.Row.PitchID
	}
	return change, nil
}

// measure makes the row of a measured pitch.
func measure(rec schemas.Record, h *headers) (*schemas.Row, *Rejection) {
	d := decoders.Get().(*decoder)
	row, rej := d.measure(rec, h)
	d.release() // not deferred: after a panic the scratch is not to be trusted, and is dropped
	return row, rej
}

// measure is the way of a value from its bytes to a row. Two orders matter: features are computed from the numbers as they
// were measured, so validate comes after derive; and issues are listed when all stages have had their say.
func (d *decoder) measure(rec schemas.Record, h *headers) (*schemas.Row, *Rejection) {
	if rej := d.decode(rec.Value); rej != nil {
		return nil, rej
	}
	if rej := d.check(); rej != nil {
		return nil, rej
	}
	row, issues := new(schemas.Row), h.issues
	d.bat.settle()
	d.ball.settle()
	d.flatten(h, row, &issues)
	d.derive(row)
	validate(row, &issues)
	d.identify(rec, h, row, &issues)
	d.texts.assign()
	row.Issues = issues.list()
	return row, nil
}

// checkSize guards everything behind it: whatever is done with a value takes time and memory in proportion to its size.
func checkSize(value []byte, limits Limits) *Rejection {
	limit := limits.MaxRecordBytes
	if limit <= 0 {
		limit = DefaultMaxRecordBytes
	}
	if len(value) <= limit {
		return nil
	}
	return reject(schemas.CodeTooLarge, "", "the value has %d bytes, more than the limit of %d", len(value), limit)
}

// guard runs the core and turns a panic of it into a rejection. (What the runtime cannot recover from, an exhausted stack
// or heap, cannot come from a record: depth and size are bounded.)
func guard(
	rec schemas.Record, limits Limits, core func(schemas.Record, Limits) (schemas.Change, *Rejection),
) (change schemas.Change, rej *Rejection) {
	defer func() {
		if p := recover(); p != nil {
			change, rej = schemas.Change{}, reject(schemas.CodeInternal, "", "the core failed: %s", oneLine(fmt.Sprint(p)))
		}
	}()
	return core(rec, limits)
}
