package quality

import "github.com/pitchstream/pitchstream/schemas"

// countGap reports whether a pitch is missing between two successive ones of a game: the count before b is
// not the count that a leads to. known is false if a record lacks the values.
func countGap(a, b *schemas.Row) (gap, known bool) {
	for _, n := range []schemas.Opt[int16]{a.Balls, a.Strikes, b.Balls, b.Strikes, a.Inning, b.Inning} {
		if !n.Present {
			return false, false
		}
	}
	balls, strikes, known := after(a)
	if !known {
		return false, false
	}
	if b.Balls.Value == balls && b.Strikes.Value == strikes {
		return false, true
	}
	// A caught runner can end a half inning during a plate appearance, which then starts again at 0-0.
	anew := b.Balls.Value == 0 && b.Strikes.Value == 0
	return !(anew && halfEnds(a, b)), true
}

// after returns the count after a pitch: 0-0 after the last one of a plate appearance.
func after(a *schemas.Row) (balls, strikes int16, known bool) {
	balls, strikes = a.Balls.Value, a.Strikes.Value
	switch {
	case a.PitchResult == schemas.ResultHitIntoPlay, a.PitchAction == "HitByPitch":
		return 0, 0, true
	case a.PitchResult == schemas.ResultPickoff:
		return balls, strikes, true
	case a.PitchResult == schemas.ResultBall:
		balls++
	case a.PitchResult == schemas.ResultStrike:
		// guard: quality: a foul with two strikes adds none | always
		if a.PitchAction != "Foul" || strikes < 2 {
			strikes++
		}
	default:
		return 0, 0, false
	}
	if balls >= 4 || strikes >= 3 {
		return 0, 0, true
	}
	return balls, strikes, true
}

func halfEnds(a, b *schemas.Row) bool {
	return a.Inning != b.Inning || a.Outs.Present && b.Outs.Present && b.Outs.Value < a.Outs.Value ||
		a.Outs.Value == 2 && b.Outs.Value == 0
}
