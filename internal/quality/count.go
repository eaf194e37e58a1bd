package quality

import "github.com/pitchstream/pitchstream/schemas"

// countGap says whether a pitch is missing between two that follow each other in a game: the count before b is not what
// a made of the count before it. known is false where a record does not tell.
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
	// A runner who is caught ends the half inning in the middle of a plate appearance.
	anew := b.Balls.Value == 0 && b.Strikes.Value == 0
	return !(anew && halfEnds(a, b)), true
}

// after is the count that a pitch leaves: 0-0 after the last one of a plate appearance.
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
	return a.Inning != b.Inning || a.Outs.Present && b.Outs.Present && b.Outs.Value < a.Outs.Value || a.Outs.Value == 2 && b.Outs.Value == 0
}
