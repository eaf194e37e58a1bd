// Package features is the pure core of pitchstream. It turns the bytes of one Kafka record into one change of
// one pitch, or into the reason why the record is none.
//
//	headers ─▶ decode ─▶ check ─▶ flatten ─▶ derive (swing) ─▶ validate ─▶ identify ─▶ Change
//
// Nothing here waits, reads a clock, logs or does I/O: the same bytes always give the same change. That makes
// it safe to process a record twice, and to compute all rows again from the raw topic. Each stage has a file:
//
//	headers.go, rfc3339.go           reads the headers: op, revision, origin, event time, identifiers
//	decode.go                        decodes the value in one pass over its bytes
//	  scalar_paths.go, scalar.go     finds and reads the values outside of the samples
//	  samples.go                     reads the tracks of bat and ball, most samples by their shape
//	  internal/jsonscan              knows JSON's grammar, numbers and strings
//	validate.go, syntax.go           refuses a record that is no readable pitch; checks the ranges of a row
//	flatten.go, texts.go             copies scalars to columns
//	units.go                         finds speeds in another unit than their member's
//	swing.go                         computes the features: swing, contact, attack angle, bat speed
//	flight.go, contact*.go, doubts.go fits the pitch's flight; finds the contact, and what the bat did there
//	swing_end.go                     finds out whether the swing was cut short
//	issues.go, rejection.go          lists what was wrong with a row; says why there is none
//	identity.go                      finds the game and the pitch id
//	swing_path.go, explain*.go       for the few records that a person looks at: how the bat moved, and why
//
// Three facts are not obvious. Values of a record alias its bytes until texts.assign copies the few that
// become columns. A decoder keeps its scratch for the next record, and must keep nothing else. Positions in
// the JSON are cursors, and a negative cursor is a syntax error.
package features

import (
	"cmp"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// CoreVersion grows whenever the same bytes could give another row than before. Each stored row carries it,
// so that rows of an older core are found and computed again. The build tag core1 builds the core of version
// 1.
const CoreVersion = version

// DefaultMaxRecordBytes is the limit that applies when Limits sets none: 16 MiB.
const DefaultMaxRecordBytes = 16 << 20

// Limits bound what one record may cost.
type Limits struct {
	// MaxRecordBytes is the largest value that is read, in bytes; 0 means DefaultMaxRecordBytes. A record built
	// to be expensive (samples with a time and nothing else) takes memory of six times its size, a real one a
	// quarter of its size.
	MaxRecordBytes int
}

// Transform reads one record of the raw topic. It returns either the change that the record asks for, or the
// rejection with which the record belongs in the dead-letter topic, never both.
//
// It never panics: a bug in the core becomes a rejection with CodeInternal, because otherwise one record
// could stop a stream. The result holds no reference to the record's bytes. Transform is safe for concurrent
// use.
func Transform(rec schemas.Record, limits Limits) (schemas.Change, *Rejection) {
	return recovered(rec, limits, func(rec schemas.Record, limits Limits) (schemas.Change, *Rejection) {
		return transform(rec, limits, nil, nil)
	})
}

// Places are where the tracks of ball and bat are in a record's value. They are nearly all of its bytes, so
// another reader of the value can jump over them.
type Places [2]Place

// Place is an array of the value, from its opening bracket up to behind its closing one. Both are 0 where
// there is none.
type Place struct{ From, To int }

// TransformPlaced is Transform, and returns the places of the tracks in the value of a measured pitch.
func TransformPlaced(rec schemas.Record, limits Limits) (c schemas.Change, at Places, rej *Rejection) {
	c, rej = recovered(rec, limits, func(rec schemas.Record, limits Limits) (schemas.Change, *Rejection) {
		return transform(rec, limits, nil, &at)
	})
	return c, at, rej
}

// transform runs the checks in the order of the specification (section 5, what is not a row), because the
// first fault names the dead letter's code. Size and headers come first, so that a record refused for them
// costs no decoding. e observes each stage for Explain; Transform passes nil, on which every observation is a
// no-op. at receives the places of the tracks, if it is not nil.
func transform(rec schemas.Record, limits Limits, e *Explanation, at *Places) (schemas.Change, *Rejection) {
	if rej := checkSize(rec.Size(), limits); rej != nil {
		return schemas.Change{}, rej
	}
	// The headers decide what the record asks for. Only an upsert has a value to decode.
	h := readHeaders(rec.Headers)
	if rej := h.checkSchemaVersion(); rej != nil {
		return schemas.Change{}, rej
	}
	change, rej := h.envelope(rec)
	if rej == nil && change.Op == schemas.OpUpsert {
		change.Row, rej = measure(rec, &h, e, at)
	}
	if rej != nil {
		return schemas.Change{}, rej
	}
	if change.Row != nil {
		change.PitchID = change.Row.PitchID
	}
	return change, nil
}

// measure returns the row of a measured pitch, with a decoder from the pool.
func measure(rec schemas.Record, h *headers, e *Explanation, at *Places) (*schemas.Row, *Rejection) {
	d := decoders.Get().(*decoder)
	row, rej := measureWith(d, rec, h, e)
	if at != nil {
		*at = Places{d.samplesBall.place, d.samplesBat.place}
	}
	d.release() // not deferred: after a panic the scratch is in an unknown state, and must not be pooled
	return row, rej
}

// measureWith turns a value's bytes into a row. Two orders matter. derive comes before validate, because
// features are computed from the values as they were measured, whatever their ranges. The issues are listed
// last, because every stage adds some.
func measureWith(d *decoder, rec schemas.Record, h *headers, e *Explanation) (*schemas.Row, *Rejection) {
	if rej := d.decode(rec.Value); rej != nil {
		return nil, rej
	}
	e.seeDecoded(d)
	if rej := d.check(); rej != nil {
		if rej.Code == schemas.CodeNotAPitch {
			// guard: dead letters: JSON of another program is named | foreignJSON(rec.Value) -> ""
			rej.Message = cmp.Or(foreignJSON(rec.Value), rej.Message)
		}
		return nil, rej
	}
	// Duplicates are dropped before anything is counted or computed from the samples.
	d.bat.settle()
	d.ball.settle()
	e.seeTracks(d)
	b := rowBuilder{d: d, h: *h, row: new(schemas.Row), issues: h.issues}
	b.flatten()
	e.seeFlattened(b.row, b.issues)
	b.derive(e)
	e.seeDerived(b.row, d)
	checkUnits(&b)
	validate(b.row, &b.issues)
	if CoreVersion > 1 {
		deriveContact(&b, e)
	}
	b.identify(rec)
	d.texts.assign()
	b.row.Issues = b.issues.list()
	e.seeValidated(b.row, b.issues)
	return b.row, nil
}

// deriveContact is the second half of the core: the flight of the ball, and the bat where it met it. It reads
// the columns of the ball after their ranges were checked, and has ranges of its own.
func deriveContact(b *rowBuilder, e *Explanation) {
	f := followPitch(b.d)
	flightColumns(b, &f)
	checkFlight(b)
	e.seeFlight(&f)
	c := contactColumns(b, &f)
	e.seeContact(&c, b.row)
}

// rowBuilder fills a row from a decoded record and its headers, stage by stage. It lives as long as one call
// of measureWith. Each stage is a method, or a function of its file, that takes it.
type rowBuilder struct {
	d *decoder
	// h is a copy, because a pointer to the headers would move them to the heap.
	h   headers
	row *schemas.Row
	// issues are those of the headers at first; each stage adds its own.
	issues issueSet
}

// checkSize rejects a value above the limit. It runs before any other stage, because they take time and
// memory in proportion to the value's size.
func checkSize(size int64, limits Limits) *Rejection {
	limit := limits.MaxRecordBytes
	if limit <= 0 {
		limit = DefaultMaxRecordBytes
	}
	if size <= int64(limit) {
		return nil
	}
	return reject(schemas.CodeTooLarge, "",
		"the value has %d bytes, more than the limit of %d", size, limit)
}

// recovered runs the core and turns a panic into a rejection. An exhausted stack or heap cannot be recovered
// from; a record cannot cause one, because its depth and size are bounded.
func recovered(
	rec schemas.Record, limits Limits, core func(schemas.Record, Limits) (schemas.Change, *Rejection),
) (change schemas.Change, rej *Rejection) {
	defer func() {
		if p := recover(); p != nil {
			change = schemas.Change{}
			rej = reject(schemas.CodeInternal, "", "the core failed: %s", oneLine(fmt.Sprint(p)))
		}
	}()
	return core(rec, limits)
}
