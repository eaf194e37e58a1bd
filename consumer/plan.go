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
	Bytes     int // of its value, which may have been recycled
	Change    schemas.Change
	Rejection *features.Rejection
}

// Plan is the effect of a poll: the versions of pitches to write, and the records that become dead letters.
// Every record is in exactly one of the two.
type Plan struct {
	// Pitches are sorted by id, each once, as the store wants them.
	Pitches []schemas.PitchChanges
	// DeadLetters are in the order of the poll.
	DeadLetters []schemas.DeadLetter

	writers map[schemas.Register][]schemas.Record // of each version, for their dead letters if it is refused
	counts  BatchSummary
}

// MakePlan reduces a poll to one entry a pitch. Only the versions of the records decide the result, not their
// order.
func MakePlan(decoded []Decoded) Plan {
	p := Plan{writers: make(map[schemas.Register][]schemas.Record, len(decoded))}
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
		// guard: versions are newest first in a batch | b.Version.Compare(a.Version) -> a.Version.Compare(b.Version)
		slices.SortFunc(p.Pitches[i].Measured, func(a, b schemas.Change) int {
			return b.Version.Compare(a.Version)
		})
	}
	// guard: sort before upsert
	slices.SortFunc(p.Pitches, func(a, b schemas.PitchChanges) int {
		return bytes.Compare(a.PitchID[:], b.PitchID[:])
	})
	return p
}

func (p *Plan) add(pitch *schemas.PitchChanges, d *Decoded) {
	c := d.Change
	key := schemas.RegisterOf(&c)
	isRepeated := len(p.writers[key]) > 0
	p.writers[key] = append(p.writers[key], d.Record)
	switch c.Op {
	case schemas.OpIdentify:
		p.counts.Identifies++
		if pitch.Identified == nil || c.Version.Compare(pitch.Identified.Version) > 0 {
			pitch.Identified = &c
		}
		return
	case schemas.OpDelete:
		p.counts.Deletes++
	}
	if !isRepeated {
		pitch.Measured = append(pitch.Measured, c)
	}
}

func deadLetterOf(d *Decoded) schemas.DeadLetter {
	return schemas.DeadLetter{
		Record: d.Record, Origin: features.Origin(d.Record), Code: d.Rejection.Code, Message: d.Rejection.Error(),
	}
}

// Refused returns the dead letters of changes that the store refused: one for each record that carried the
// version. The plan's records must have kept their bytes.
func (p *Plan) Refused(refused []schemas.Refusal) []schemas.DeadLetter {
	var deadLetters []schemas.DeadLetter
	for _, r := range refused {
		for _, rec := range p.writers[schemas.RegisterOf(&r.Change)] {
			deadLetters = append(deadLetters, schemas.DeadLetter{
				Record: rec, Origin: r.Change.Origin, Code: schemas.CodeSinkRejected, Message: r.Reason,
			})
		}
	}
	return deadLetters
}
