package consumer

import (
	"bytes"
	"slices"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// Decoded is one record of a poll with the core's result: a change, or a rejection.
type Decoded struct {
	Record    schemas.Record
	Bytes     int // length of the record's value, kept because the value itself may be recycled
	Change    schemas.Change
	Rejection *features.Rejection

	isLeftOut bool // a replay leaves it out
}

// Plan is the effect of one or more polls: the versions of pitches to write, and the records that become dead
// letters. A record with the version of an earlier record is in neither, because it changes nothing.
type Plan struct {
	// Pitches are sorted by id, each once. All processors lock rows in this order, so that no two of them
	// wait for each other.
	Pitches []schemas.PitchChanges
	// DeadLetters are in the order of the poll.
	DeadLetters []schemas.DeadLetter

	// carriers are all records that carried a version. Each gets a dead letter if the store refuses it.
	carriers map[schemas.Register][]schemas.Record
	counts   BatchSummary // only Records, Bytes, Deletes and Identifies
}

// MakePlan reduces decoded records to one entry a pitch. The versions decide what is written, not the order
// of the records, because records with equal versions have equal content.
func MakePlan(decoded []Decoded) Plan {
	p := Plan{carriers: make(map[schemas.Register][]schemas.Record, len(decoded))}
	at := make(map[schemas.PitchID]int, len(decoded))
	for i := range decoded {
		d := &decoded[i]
		p.counts.Records++
		p.counts.Bytes += int64(d.Bytes)
		if d.Rejection != nil {
			p.DeadLetters = append(p.DeadLetters, deadLetterOf(d))
			continue
		}
		j, ok := at[d.Change.PitchID]
		if !ok {
			j = len(p.Pitches)
			at[d.Change.PitchID] = j
			p.Pitches = append(p.Pitches, schemas.PitchChanges{PitchID: d.Change.PitchID})
		}
		p.add(&p.Pitches[j], d)
	}
	for i := range p.Pitches {
		for _, versions := range [][]schemas.Change{p.Pitches[i].Measured, p.Pitches[i].Identified} {
			// guard: versions are newest first in a batch | b.Version.Compare(a.Version) -> a.Version.Compare(b.Version)
			slices.SortFunc(versions, func(a, b schemas.Change) int {
				return b.Version.Compare(a.Version)
			})
		}
	}
	// guard: sort before upsert
	slices.SortFunc(p.Pitches, func(a, b schemas.PitchChanges) int {
		return bytes.Compare(a.PitchID[:], b.PitchID[:])
	})
	return p
}

// add counts a change, and adds it to its pitch unless its version is there. Older versions are kept, because
// the store may refuse the newest.
func (p *Plan) add(pitch *schemas.PitchChanges, d *Decoded) {
	c := d.Change
	key := schemas.RegisterOf(&c)
	isDuplicate := len(p.carriers[key]) > 0
	p.carriers[key] = append(p.carriers[key], d.Record)
	switch c.Op {
	case schemas.OpIdentify:
		p.counts.Identifies++
	case schemas.OpDelete:
		p.counts.Deletes++
	}
	if !isDuplicate {
		versions := pitch.Versions(c.Op)
		*versions = append(*versions, c)
	}
}

func deadLetterOf(d *Decoded) schemas.DeadLetter {
	return schemas.DeadLetter{
		Record: d.Record, Origin: features.Origin(d.Record), Code: d.Rejection.Code, Message: d.Rejection.Error(),
	}
}

// Refused returns the dead letters of changes that the store refused: one for each record that carried the
// version. The records must still have their bytes; pipeline.store sees to that, with errBytesRecycled.
func (p *Plan) Refused(refused []schemas.Refusal) []schemas.DeadLetter {
	var deadLetters []schemas.DeadLetter
	for _, r := range refused {
		for _, rec := range p.carriers[schemas.RegisterOf(&r.Change)] {
			deadLetters = append(deadLetters, schemas.DeadLetter{
				Record: rec, Origin: r.Change.Origin, Code: schemas.CodeSinkRejected, Message: r.Reason,
			})
		}
	}
	return deadLetters
}
