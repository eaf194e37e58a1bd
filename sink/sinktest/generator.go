// Package sinktest holds the suite of tests that every store passes, Postgres and memsink alike.
package sinktest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// Generator makes random changes of a few pitches, so that most changes meet others of the same pitch:
// corrections, deletes, other batters, other games and identifies, in every order. The same seed makes the
// same changes.
type Generator struct {
	rnd     *rand.Rand
	pitches int
	offset  int64
}

// NewGenerator returns a generator for this number of pitches.
func NewGenerator(seed uint64, pitches int) *Generator {
	return &Generator{rnd: rand.New(rand.NewPCG(seed, 1)), pitches: pitches}
}

// Changes returns n new changes, each at coordinates of its own in topic "t".
func (w *Generator) Changes(n int) []schemas.Change {
	out := make([]schemas.Change, n)
	for i := range out {
		out[i] = w.change()
	}
	return out
}

// PitchID returns the identity of the i-th pitch of a generator.
func PitchID(i int) schemas.PitchID {
	var id schemas.PitchID
	copy(id[:], fmt.Sprintf("%016d", i))
	return id
}

func (w *Generator) change() schemas.Change {
	w.offset++
	id := PitchID(w.rnd.IntN(w.pitches))
	ts := 1_700_000_000_000 + w.rnd.Int64N(5)
	c := schemas.Change{
		PitchID: id,
		Version: schemas.Version{
			Revision: w.rnd.Int64N(3), TimestampMS: ts, Offset: w.offset, Partition: int32(w.rnd.IntN(2)),
		},
		// Few distinct times, so that the last pitch is often decided by the version.
		EventTime: schemas.TimeMS(1_700_000_000_000 + 1000*w.rnd.Int64N(3)),
	}
	c.Origin = schemas.Coordinates{
		Topic: "t", Partition: c.Version.Partition, Offset: c.Version.Offset, TimestampMS: ts,
	}
	switch w.rnd.IntN(10) {
	case 0:
		c.Op = schemas.OpDelete
	case 1, 2:
		c.Op = schemas.OpIdentify
		c.IDs = schemas.Identifiers{BatterID: w.batter(), PitcherID: schemas.Some(w.rnd.Int64N(3))}
		w.fillAtBat(&c.IDs)
	default:
		c.Row = w.row(id)
	}
	return c
}

func (w *Generator) batter() schemas.Opt[int64] {
	if w.rnd.IntN(4) == 0 {
		return schemas.Opt[int64]{}
	}
	return schemas.Some(600_000 + w.rnd.Int64N(4))
}

func (w *Generator) row(id schemas.PitchID) *schemas.Row {
	r := &schemas.Row{
		PitchID: id, BatterID: w.batter(), GamePK: pick(w, "", "", "716404", "716405", "a game\tof 'quotes' ⚾"),
		GameDate: pick(w, "", "2024-09-28"), Venue: pick(w, "", "Wrigley Field"),
		Balls:       schemas.Some(int16(w.rnd.IntN(5))),
		PitchType:   pick(w, "", "", "Slider", "Sinker", schemas.UnknownPitchType),
		PitchResult: pick(w, "", schemas.ResultStrike, schemas.ResultBall),
		PitchAction: pick(w, "", "Foul", "Called"), PitchSpeedMPH: w.measure(50, 110),
		ExitVelocityMPH: w.measure(60, 125), LaunchAngleDeg: w.measure(-90, 90), IsSwing: w.rnd.IntN(2) == 0,
		BatSamples: int32(w.rnd.IntN(400)), Issues: []string{},
	}
	r.IsContact = r.ExitVelocityMPH.Present || r.PitchAction == "Foul"
	r.IsWhiff = r.IsSwing && !r.IsContact
	if r.IsSwing {
		r.SwingConfidence = pick(w, schemas.SwingConfirmed, schemas.SwingSuspected)
		r.SpeedConfidence = pick(w, schemas.SpeedReliable, schemas.SpeedQuestionable)
		r.AttackAngleDeg, r.BatSpeedMPH = w.measure(-45, 45), w.measure(0, 120)
	}
	if w.rnd.IntN(3) == 0 {
		r.Issues = []string{"balls:type", "outs:range"}
	}
	w.fillContact(r)
	return r
}

// fillAtBat names the place in the game and the hands, each or not.
func (w *Generator) fillAtBat(ids *schemas.Identifiers) {
	own := &Generator{rnd: rand.New(rand.NewPCG(uint64(w.offset), 3))} // keeps a seed's changes
	for _, n := range []*schemas.Opt[int16]{&ids.AtBatNumber, &ids.PitchNumber} {
		if own.rnd.IntN(3) > 0 {
			*n = schemas.Some(int16(1 + own.rnd.IntN(schemas.MaxPitchNumber)))
		}
	}
	ids.BatterSide = pick(own, "", schemas.BatsRight, schemas.BatsLeft)
	ids.PitcherHand = pick(own, "", schemas.ThrowsRight, schemas.ThrowsLeft)
}

// fillContact fills the columns of flight and contact, which are all that stand behind issues. Every value
// may be missing by itself, because no store knows what they have to do with each other.
func (w *Generator) fillContact(r *schemas.Row) {
	own := &Generator{rnd: rand.New(rand.NewPCG(uint64(w.offset), 2))} // keeps a seed's changes
	fields := r.MeasuredFields()
	named := func(name string) int {
		return slices.IndexFunc(schemas.RowColumns, func(c schemas.Column) bool { return c.Name == name })
	}
	after, end := named("issues")+1, named("end_bat_speed_mph")
	for i, field := range fields[after:end] {
		words := strings.Split(schemas.RowColumns[after+i].Range, ", ")
		switch f := field.(type) {
		case *schemas.Opt[float64]:
			*f = own.measure(0, 10) // within the range of every column
		case *schemas.Opt[bool]:
			if own.rnd.IntN(3) > 0 {
				*f = schemas.Some(own.rnd.IntN(2) == 0)
			}
		case *schemas.Text:
			*f = pick(own, "", schemas.Text(words[own.rnd.IntN(len(words))]))
		case *[]string:
			if own.rnd.IntN(3) > 0 {
				*f = slices.Clone(words[:own.rnd.IntN(3)])
			}
		}
	}
	r.SpinRateRPM = own.measure(500, 4000)
	r.PitcherID = own.batter() // a person may bat and pitch
	// Values on both sides of the limits of the aggregates, and often equal ones.
	r.ContactBatSpeedMPH = own.whole(45, 100)
	r.ContactAttackAngleDeg, r.LaunchAngleDeg = own.whole(0, 25), own.whole(0, 40)
	// The columns that came last are drawn last.
	r.EndBatSpeedMPH = own.measure(0, 40)
	if own.rnd.IntN(3) > 0 {
		r.IsCutShort = schemas.Some(own.rnd.IntN(2) == 0)
	}
}

// whole returns a number without a fraction, or none.
func (w *Generator) whole(low, high float64) schemas.Opt[float64] {
	m := w.measure(low, high)
	m.Value = math.Floor(m.Value)
	return m
}

func (w *Generator) measure(low, high float64) schemas.Opt[float64] {
	if w.rnd.IntN(3) == 0 {
		return schemas.Opt[float64]{}
	}
	return schemas.Some(low + (high-low)*w.rnd.Float64())
}

func pick(w *Generator, words ...schemas.Text) schemas.Text { return words[w.rnd.IntN(len(words))] }

// Batches cuts changes into batches of random sizes, as polls do.
func (w *Generator) Batches(changes []schemas.Change) (batches []schemas.Batch) {
	for len(changes) > 0 {
		n := min(1+w.rnd.IntN(12), len(changes))
		batches = append(batches, BatchOf(changes[:n]...))
		changes = changes[n:]
	}
	return batches
}

// Shuffled returns the changes in a random order, some of them twice.
func (w *Generator) Shuffled(changes []schemas.Change) []schemas.Change {
	out := slices.Clone(changes)
	for _, c := range changes {
		if w.rnd.IntN(4) == 0 {
			out = append(out, c)
		}
	}
	w.rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// BatchOf reduces changes as the consumer does: each pitch once, with each version of a register once, newest
// first.
func BatchOf(changes ...schemas.Change) schemas.Batch {
	byPitch := map[schemas.PitchID]*schemas.PitchChanges{}
	for _, c := range changes {
		p := byPitch[c.PitchID]
		if p == nil {
			p = &schemas.PitchChanges{PitchID: c.PitchID}
			byPitch[c.PitchID] = p
		}
		versions := p.Versions(c.Op)
		if !slices.ContainsFunc(*versions, func(is schemas.Change) bool { return is.Version == c.Version }) {
			*versions = append(*versions, c)
		}
	}
	b := schemas.Batch{Group: "g"}
	newestFirst := func(a, b schemas.Change) int { return b.Version.Compare(a.Version) }
	for _, p := range byPitch {
		slices.SortFunc(p.Measured, newestFirst)
		slices.SortFunc(p.Identified, newestFirst)
		b.Pitches = append(b.Pitches, *p)
	}
	slices.SortFunc(b.Pitches, func(a, b schemas.PitchChanges) int {
		return bytes.Compare(a.PitchID[:], b.PitchID[:])
	})
	return b
}

// At adds a move of partition 0 of topic "t" to a batch.
func At(b schemas.Batch, expected, next int64) schemas.Batch {
	p := schemas.Position{Topic: "t", NextOffset: next}
	b.Positions = []schemas.PositionMove{{Position: p, Expected: expected}}
	return b
}
