package verify

import (
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// verdict is what a comparison says of one register: "" for well, a kind of difference, or one of these.
type verdict string

const (
	well         verdict = ""
	notCheckable verdict = "not checkable"
	moving       verdict = "moving"
)

// judge compares both registers of a pitch as they stand with what won in the topic.
func (v *comparison) judge(is schemas.StoredRegisters) (measured, identified verdict) {
	m, hasM := v.pitches.measured[is.PitchID]
	i, hasI := v.pitches.identified[is.PitchID]
	measured = v.register(m, hasM, is.Measured)
	if is.Measured != nil && is.CoreVersion > features.CoreVersion && measured == schemas.DiffersContent {
		measured = notCheckable // a core that knows more than this one wrote it
	}
	return measured, v.register(i, hasI, is.Identified)
}

func (v *comparison) register(want winner, has bool, is *schemas.Change) verdict {
	switch {
	case is == nil && !has:
		return well
	case is == nil:
		return schemas.DiffersMissing
	case !has:
		return v.beyondTopic(is, schemas.DiffersExtra)
	}
	switch order := is.Version.Compare(want.version); {
	case order < 0:
		return schemas.DiffersOlder
	case order > 0:
		return v.beyondTopic(is, schemas.DiffersNewer)
	case digestOf(is) != want.digest:
		return schemas.DiffersContent
	}
	return well
}

// beyondTopic says why the topic does not have what stands: dropped since, not read yet, or for no good reason.
func (v *comparison) beyondTopic(is *schemas.Change, otherwise verdict) verdict {
	span, ok := v.parts[is.Version.Partition]
	switch {
	case is.Op != schemas.OpIdentify && is.Origin.Topic != v.o.Raw:
		return notCheckable
	case !ok:
		return otherwise
	case is.Version.Offset < span.From:
		return notCheckable
	case is.Version.Offset >= span.To:
		return moving
	}
	return otherwise
}

// difference makes one of a verdict on a pitch; nil for none.
func (v *comparison) difference(is schemas.StoredRegisters, measured, identified verdict) *schemas.Difference {
	d := schemas.Difference{PitchID: &is.PitchID}
	add := func(register string, what verdict, want winner, has bool, got *schemas.Change) {
		switch what {
		case well, notCheckable, moving:
			return
		}
		if d.Kind == "" {
			d.Kind = string(what)
		}
		f := schemas.FieldDifference{Name: register + " " + string(what)}
		if has {
			f.Want = want.version.String()
		}
		if got != nil {
			f.Got = got.Version.String()
		}
		d.Fields = append(d.Fields, f)
	}
	m, hasM := v.pitches.measured[is.PitchID]
	i, hasI := v.pitches.identified[is.PitchID]
	add("measured", measured, m, hasM, is.Measured)
	add("identified", identified, i, hasI, is.Identified)
	if d.Kind == "" {
		return nil
	}
	batter, game, stands := v.pitches.of(is.PitchID)
	if !stands {
		batter, game, _ = standsFor(is)
	}
	d.BatterID, d.GamePK = batter.Pointer(), game
	return &d
}

// standsFor is whom a pitch counts for as it stands.
func standsFor(is schemas.StoredRegisters) (batter schemas.Opt[int64], game string, stands bool) {
	if is.Measured == nil || is.Measured.Row == nil {
		return batter, "", false
	}
	batter = is.Measured.Row.BatterID
	if is.Identified != nil && is.Identified.IDs.BatterID.Present {
		batter = is.Identified.IDs.BatterID
	}
	return batter, string(is.Measured.Row.GamePK), true
}

// repairable says that the topic has what should stand.
func repairable(d schemas.Difference) bool {
	for _, f := range d.Fields {
		for _, register := range []string{"measured ", "identified "} {
			switch f.Name {
			case register + schemas.DiffersMissing, register + schemas.DiffersOlder, register + schemas.DiffersContent:
				return true
			}
		}
	}
	return false
}
