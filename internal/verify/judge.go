package verify

import (
	"cmp"
	"strings"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// judge compares the registers of one pitch with the winning versions of the topic. It does no I/O.
type judge struct {
	raw     string          // the topic
	spans   kafkaread.Spans // the parts of it that were read into pitches
	former  map[int32]int64 // versions below these offsets may be of a former topic of the same name
	pitches *resolved
}

// Beside the kinds of schemas.Difference, a register can be one of these; none of them is a difference.
const (
	equal        = ""
	notCheckable = "not checkable" // the topic cannot have its version any more, or a newer core wrote it
	moving       = "moving"        // its version is beyond what was read
)

// verdict says of each register of a pitch how it compares: a kind of difference, or one of the words above.
type verdict struct{ measured, identified string }

func (v verdict) has(word string) bool { return v.measured == word || v.identified == word }

// of judges both registers of a pitch.
func (j *judge) of(is schemas.StoredRegisters) verdict {
	v := verdict{
		measured:   j.register(j.pitches.measured, is.PitchID, is.Measured),
		identified: j.register(j.pitches.identified, is.PitchID, is.Identified),
	}
	if v.measured == schemas.DiffersContent && is.CoreVersion > features.CoreVersion {
		v.measured = notCheckable
	}
	return v
}

func (j *judge) register(winners map[schemas.PitchID]winner, id schemas.PitchID, is *schemas.Change) string {
	want, has := winners[id]
	switch {
	case is == nil && !has:
		return equal
	case is == nil:
		return schemas.DiffersMissing
	case !has:
		return j.beyondTopic(is, schemas.DiffersExtra)
	}
	switch order := is.Version.Compare(want.version); {
	case order < 0:
		return schemas.DiffersOlder
	case order > 0:
		return j.beyondTopic(is, schemas.DiffersNewer)
	case digestOf(is) != want.digest:
		return schemas.DiffersContent
	}
	return equal
}

// beyondTopic returns why the topic does not have a stored version. It is no longer there (notCheckable), it
// was not read yet (moving), or there is no good reason, which is the given kind of difference.
func (j *judge) beyondTopic(is *schemas.Change, kind string) string {
	span, ok := j.spans[is.Version.Partition]
	switch {
	case is.Op != schemas.OpIdentify && is.Origin.Topic != j.raw:
		return notCheckable
	case !ok:
		return kind
	// guard: verify: a version of a former topic is no difference | , is.Version.Offset < j.former[is.Version.Partition] ->
	case is.Version.Offset < span.From, is.Version.Offset < j.former[is.Version.Partition]:
		return notCheckable
	case is.Version.Offset >= span.To:
		return moving
	}
	return kind
}

// difference returns the difference of a verdict, or nil. Its kind is that of the measured register if both
// differ.
func (j *judge) difference(is schemas.StoredRegisters, v verdict) *schemas.Difference {
	d := schemas.Difference{PitchID: &is.PitchID}
	add := func(name, kind string, winners map[schemas.PitchID]winner, got *schemas.Change) {
		switch kind {
		case equal, notCheckable, moving:
			return
		}
		d.Kind = cmp.Or(d.Kind, kind)
		f := schemas.FieldDifference{Name: name + " " + kind}
		if want, has := winners[is.PitchID]; has {
			f.Want = want.version.String()
		}
		if got != nil {
			f.Got = got.Version.String()
		}
		d.Fields = append(d.Fields, f)
	}
	add("measured", v.measured, j.pitches.measured, is.Measured)
	add("identified", v.identified, j.pitches.identified, is.Identified)
	if d.Kind == "" {
		return nil
	}
	batter, game, current := j.pitches.of(is.PitchID)
	if !current {
		batter, game, _ = currentOf(is)
	}
	d.BatterID, d.GamePK = batter.Pointer(), game
	return &d
}

// currentOf returns the batter and the game for which a stored pitch counts; current is false if it is
// deleted.
func currentOf(is schemas.StoredRegisters) (batter schemas.Opt[int64], game string, current bool) {
	if is.Measured == nil || is.Measured.Row == nil {
		return batter, "", false
	}
	batter = is.Measured.Row.BatterID
	if is.Identified != nil && is.Identified.IDs.BatterID.Present {
		batter = is.Identified.IDs.BatterID
	}
	return batter, string(is.Measured.Row.GamePK), true
}

// repairable reports whether the topic has the version that a register should have.
func repairable(d schemas.Difference) bool {
	for _, f := range d.Fields {
		_, kind, _ := strings.Cut(f.Name, " ")
		switch kind {
		case schemas.DiffersMissing, schemas.DiffersOlder, schemas.DiffersContent:
			return true
		}
	}
	return false
}
