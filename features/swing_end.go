package features

import "github.com/pitchstream/pitchstream/schemas"

// This file computes how a swing ended: whether the bat followed through, or was stopped in front of the
// plate. A full swing brings the head back behind the plate about 0.1 s after contact, and only then slows
// down. A bat that was stopped stays in front. That is four of the five conditions of a sword. The fifth
// compares the bat speed with the batter's other swings, which no record knows (docs/DATA.md, Swords).
//
//	y, ft   3 ┤        ●●●●●●●●●● stopped
//	     1.83 ┼┄┄┄┄┄┄┄●┄┄┄○┄┄┄┄┄┄ 5 inches in front of the plate
//	     1.42 ┼┄┄┄┄┄┄●┄┄┄┄┄○┄┄┄┄┄ front of the plate
//	          └●●●●●●────────○○○○ followed through
//	              contact   0.1 s

const (
	// cutShortFT is 5 inches in front of the plate.
	cutShortFT = plateFrontFT + 5.0/12
	// endAfterS is how long after contact a track must go on to show how the swing ended.
	endAfterS = 0.2
	// The speed at the end is over the last frames of at least minEndS, because two samples that are nearer
	// show little but noise. Frames of more than speedSpanS in all have a gap.
	minEndS = 0.008
	// maxEndMPH is the speed at the end up to which a swing was cut short.
	maxEndMPH = 20
	// mostEndMPH is a speed that no bat has.
	mostEndMPH = 125
)

// endColumns fills the columns about the end of the swing. The marks are gone from the samples.
func endColumns(b *rowBuilder, c *contact) {
	b.row.EndBatSpeedMPH = endSpeed(b.d.bat.samples, c.timeS)
	b.row.IsCutShort = cutShort(b)
}

// endSpeed returns the speed of the sweet spot over the last frames. It is missing if the tracker lost the
// bat sooner, because the bat was still swinging then.
func endSpeed(samples []batSample, contactS float64) (mph schemas.Opt[float64]) {
	var last spot
	hasLast := false
	for i := len(samples) - 1; i >= 0; i-- {
		s, ok := sweetSpot(&samples[i])
		switch {
		case !ok:
		case !hasLast:
			// guard: features: a track that ends in the swing does not show its end | s.timeS < contactS+endAfterS -> false
			if s.timeS < contactS+endAfterS {
				return mph
			}
			last, hasLast = s, true
		case last.timeS-s.timeS >= minEndS:
			if end := frameOf(s, last); last.timeS-s.timeS <= speedSpanS && end.speedMPH <= mostEndMPH {
				return finite(end.speedMPH)
			}
			return mph
		}
	}
	return mph
}

// cutShort reports whether a swing missed, was stopped with the head in front of the plate, and was slow at
// its end. It is missing if the record does not say one of them.
func cutShort(b *rowBuilder) (is schemas.Opt[bool]) {
	row, action := b.row, b.d.values[pitchAction]
	switch {
	case row.IsContact || action.is("FoulTip") || action.is(schemas.ActionCalled):
		return schemas.Some(false)
	case row.PitchResult == "" || !row.EndBatSpeedMPH.Present:
		return is
	// guard: features: a swing that the umpire did not call is not cut short | row.PitchResult != schemas.ResultStrike || -> false ||
	case row.PitchResult != schemas.ResultStrike || row.EndBatSpeedMPH.Value > maxEndMPH:
		return schemas.Some(false)
	}
	return schemas.Some(staysInFront(b.d.bat.samples))
}

// staysInFront reports whether the head crosses the line in front of the plate and does not come back through
// it. A lost bat is nowhere, so only heads of a bat with both ends count.
func staysInFront(samples []batSample) bool {
	wasBehind, crossed := false, false
	for i := range samples {
		// guard: features: a bat that is lost does not come back | _, ok := sweetSpot(&samples[i]); !ok -> !samples[i].hasHead
		if _, ok := sweetSpot(&samples[i]); !ok {
			continue
		}
		isFront := samples[i].head.y >= cutShortFT
		if crossed && !isFront {
			return false
		}
		crossed = crossed || wasBehind && isFront
		wasBehind = wasBehind || !isFront
	}
	return crossed
}
