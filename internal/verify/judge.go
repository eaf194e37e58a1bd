package verify

import (
	"cmp"
	"strings"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// judge compares the registers of one pitch with the winning versions of the topic. It does no I/O.
//
// A pitch has two registers: measured, which the records of the cameras write, and identified, which the
// records of the game feed write (who took part). In each the greatest version wins.
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

// verdictOf judges both registers of a pitch.
func (j *judge) verdictOf(stored schemas.StoredRegisters) verdict {
	v := verdict{
		measured:   j.compare(j.pitches.measured, stored.PitchID, stored.Measured),
		identified: j.compare(j.pitches.identified, stored.PitchID, stored.Identified),
	}
	if v.measured == schemas.DiffersContent && stored.CoreVersion > features.CoreVersion {
		v.measured = notCheckable
	}
	return v
}

// compare compares what one register of a pitch has stored, or nil, with the winner of that register.
func (j *judge) compare(
	winners map[schemas.PitchID]winner, id schemas.PitchID, stored *schemas.Change,
) string {
	want, has := winners[id]
	switch {
	case stored == nil && !has:
		return equal
	case stored == nil:
		return schemas.DiffersMissing
	case !has:
		return j.whyNotRead(stored, schemas.DiffersExtra)
	}
	switch order := stored.Version.Compare(want.version); {
	case order < 0:
		return schemas.DiffersOlder
	case order > 0:
		return j.whyNotRead(stored, schemas.DiffersNewer)
	case digestOf(stored) != want.digest:
		return schemas.DiffersContent
	}
	return equal
}

// whyNotRead returns why a stored version was not among what was read. The topic has it no longer, or never
// had it because it is of another topic (notCheckable). It was not read yet (moving). Or there is no good
// reason, which is the given kind of difference.
func (j *judge) whyNotRead(stored *schemas.Change, kind string) string {
	span, ok := j.spans[stored.Version.Partition]
	switch {
	// An identify is stored without its topic.
	case stored.Op != schemas.OpIdentify && stored.Origin.Topic != j.raw:
		return notCheckable
	case !ok: // the topic has no such partition
		return kind
	// guard: verify: a version of a former topic is no difference | , stored.Version.Offset < j.former[stored.Version.Partition] ->
	case stored.Version.Offset < span.From, stored.Version.Offset < j.former[stored.Version.Partition]:
		return notCheckable
	case stored.Version.Offset >= span.To:
		return moving
	}
	return kind
}

// difference returns the difference of a verdict, or nil. Its kind is that of the measured register if both
// differ. Each register that differs is a field of it, named REGISTER KIND, as in: measured older.
func (j *judge) difference(stored schemas.StoredRegisters, v verdict) *schemas.Difference {
	d := schemas.Difference{PitchID: &stored.PitchID}
	add := func(name, kind string, winners map[schemas.PitchID]winner, got *schemas.Change) {
		switch kind {
		case equal, notCheckable, moving:
			return
		}
		d.Kind = cmp.Or(d.Kind, kind)
		f := schemas.FieldDifference{Name: name + " " + kind}
		if want, has := winners[stored.PitchID]; has {
			f.Want = want.version.String()
		}
		if got != nil {
			f.Got = got.Version.String()
		}
		d.Fields = append(d.Fields, f)
	}
	add("measured", v.measured, j.pitches.measured, stored.Measured)
	add("identified", v.identified, j.pitches.identified, stored.Identified)
	if d.Kind == "" {
		return nil
	}
	// A pitch that counts for no batter in the topic is reported for the batter whom Postgres counts it for.
	batter, game, current := j.pitches.of(stored.PitchID)
	if !current {
		batter, game, _ = currentOf(stored)
	}
	d.BatterID, d.GamePK = batter.Pointer(), game
	return &d
}

// currentOf returns the batter and the game for which a stored pitch counts; current is false if it counts
// for none, because it is deleted or was not measured.
func currentOf(stored schemas.StoredRegisters) (batter schemas.Opt[int64], game string, current bool) {
	measured, identified := stored.Measured, stored.Identified
	if measured == nil || measured.Row == nil {
		return batter, "", false
	}
	batter = measured.Row.BatterID
	if identified != nil && identified.IDs.BatterID.Present {
		batter = identified.IDs.BatterID
	}
	return batter, string(measured.Row.GamePK), true
}

// repairable reports whether the topic has the version that a register should have. It reads the kinds from
// the names that judge.difference gives to fields.
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
