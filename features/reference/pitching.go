package reference

// The aggregates of pitchers, by pitch type first, because a pitcher's types differ from each other in all
// that is measured.
//
// A pitcher tires within a game. So the first and the last pitches of a type are compared in one game only,
// and only where none is both. Pitches without a release speed are left out before they are counted.

import (
	"cmp"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// FoldPitchers returns the aggregates of every pitcher, and of every pitcher in every game, as Fold does
// those of batters. A row without a pitcher counts nowhere, because tracking records name none: he is known
// only from the game feed, and often late.
func FoldPitchers(
	rows []schemas.StoredRow,
) (pitchers map[int64]schemas.PitcherStats, games map[schemas.PlayerGame]schemas.PitcherStats) {
	byPitcher, byGame := group(rows, schemas.Pitcher)
	overall := func(rows []schemas.StoredRow) schemas.PitcherStats { return pitchingOf(rows, false) }
	inGame := func(rows []schemas.StoredRow) schemas.PitcherStats { return pitchingOf(rows, true) }
	return ofEach(byPitcher, overall), ofEach(byGame, inGame)
}

// States returns the aggregates of every player, and of every player in every game. A player over all games
// has a key without a game. Sequence numbers are 0, because they depend on who wrote when.
func States(rows []schemas.StoredRow) map[schemas.PlayerKey]schemas.GameStats {
	batters, games := Fold(rows)
	pitchers, pitcherGames := FoldPitchers(rows)
	states := make(map[schemas.PlayerKey]schemas.GameStats, len(games)+len(pitcherGames))
	for id, st := range batters {
		states[schemas.PlayerKey{PlayerID: id}] = schemas.GameStats{Stats: &st}
	}
	for game, st := range games {
		states[schemas.PlayerKey(game)] = schemas.GameStats{GamePK: game.GamePK, Stats: &st}
	}
	for id, st := range pitchers {
		states[schemas.PlayerKey{Side: schemas.Pitcher, PlayerID: id}] = schemas.GameStats{Pitching: &st}
	}
	for game, st := range pitcherGames {
		states[schemas.PlayerKey(game)] = schemas.GameStats{GamePK: game.GamePK, Pitching: &st}
	}
	return states
}

// pitchingOf computes the aggregates of one group of rows, without looking at who pitches in them.
func pitchingOf(rows []schemas.StoredRow, isGame bool) schemas.PitcherStats {
	all := pitchTypeOf(rows)
	s := schemas.PitcherStats{
		Pitches: all.Pitches, SwingCount: all.Swings, WhiffCount: all.Whiffs, WhiffRatePct: all.WhiffRatePct,
		ContactCount: all.Contacts, HardHitCount: all.HardHits, CalledStrikeCount: all.CalledStrikes,
		CSWRatePct: all.CSWRatePct, ZoneRatePct: all.ZoneRatePct, ChaseRatePct: all.ChaseRatePct,
		AvgPitchSpeedMPH: all.AvgPitchSpeedMPH, MaxPitchSpeedMPH: all.MaxPitchSpeedMPH,
		AvgSpinRateRPM: all.AvgSpinRateRPM, MaxSpinRateRPM: all.MaxSpinRateRPM,
		LastPitch: lastPitch(rows), ByPitchType: map[string]schemas.PitchTypeStats{},
	}
	for name, some := range byBoundedType(rows) {
		of := pitchTypeOf(some)
		if isGame && name != schemas.OtherPitchTypes {
			compareEnds(&of, some)
		}
		s.ByPitchType[name] = of
	}
	return s
}

// byBoundedType groups rows by their pitch type, those of all but the most frequent types together. Otherwise
// texts in records could make the aggregates of a pitcher grow without end.
func byBoundedType(rows []schemas.StoredRow) map[string][]schemas.StoredRow {
	counts := map[string]schemas.TypeCounts{}
	for _, row := range rows {
		schemas.CountType(counts, &row.Row)
	}
	schemas.BoundTypes(counts)
	groups := map[string][]schemas.StoredRow{}
	for _, row := range rows {
		name := cmp.Or(string(row.PitchType), schemas.UnknownPitchType)
		if _, isNamed := counts[name]; !isNamed {
			name = schemas.OtherPitchTypes
		}
		groups[name] = append(groups[name], row)
	}
	return groups
}

// pitchTypeOf computes all aggregates of some pitches but those of the first and the last ones. They may be
// of one type or of all: nothing in them depends on it.
//
// The speed is that of the record, because old rows have no other. Spin and breaks are means of their own,
// over the pitches that have them.
func pitchTypeOf(rows []schemas.StoredRow) schemas.PitchTypeStats {
	s := schemas.PitchTypeStats{Pitches: int64(len(rows))}
	for i := range rows {
		row := &rows[i]
		s.Swings += count(row.IsSwing)
		s.Whiffs += count(row.IsWhiff)
		s.Contacts += count(row.IsContact)
		s.HardHits += count(row.ExitVelocityMPH.Present && row.ExitVelocityMPH.Value >= schemas.HardHitMPH)
		s.CalledStrikes += count(isCalledStrike(row))
	}
	// A pitch without a track through the zone is neither in it nor outside, so it is in no denominator.
	isKnown := func(r *schemas.StoredRow) bool { return r.InZone.Present }
	isInside := func(r *schemas.StoredRow) bool { return r.InZone == schemas.Some(true) }
	isOutside := func(r *schemas.StoredRow) bool { return r.InZone == schemas.Some(false) }
	isChase := func(r *schemas.StoredRow) bool { return r.IsChase == schemas.Some(true) }
	s.WhiffRatePct = schemas.RatePct(s.Whiffs, s.Swings)
	s.CSWRatePct = schemas.RatePct(s.CalledStrikes+s.Whiffs, s.Pitches)
	s.ZoneRatePct = rate(rows, isKnown, isInside)
	s.ChaseRatePct = rate(rows, isOutside, isChase)
	speed := func(r *schemas.StoredRow) schemas.Opt[float64] { return r.PitchSpeedMPH }
	spin := func(r *schemas.StoredRow) schemas.Opt[float64] { return r.SpinRateRPM }
	induced := func(r *schemas.StoredRow) schemas.Opt[float64] { return r.InducedVerticalBreakIn }
	horizontal := func(r *schemas.StoredRow) schemas.Opt[float64] { return r.HorizontalBreakIn }
	s.AvgPitchSpeedMPH, s.MaxPitchSpeedMPH = average(rows, speed), greatest(present(rows, speed))
	s.AvgSpinRateRPM, s.MaxSpinRateRPM = average(rows, spin), greatest(present(rows, spin))
	s.AvgInducedVerticalBreakIn = average(rows, induced)
	s.AvgHorizontalBreakIn = average(rows, horizontal)
	return s
}

// isCalledStrike reports whether the umpire called a strike. A tracked swing that missed is a whiff, whatever
// was called, and no pitch counts as both.
func isCalledStrike(r *schemas.StoredRow) bool {
	return r.PitchResult == schemas.ResultStrike && r.PitchAction == schemas.ActionCalled && !r.IsWhiff
}

// compareEnds compares the release speed of the last pitches of one type in one game with that of the first.
// With too few of them a pitch would be both, and a difference would be smaller than it is.
func compareEnds(s *schemas.PitchTypeStats, rows []schemas.StoredRow) {
	// The order is that of the last pitch, so that equal times do not make two stores differ.
	rows = slices.Clone(rows)
	slices.SortFunc(rows, byTime)
	speeds := present(rows, func(r *schemas.StoredRow) schemas.Opt[float64] { return r.ReleaseSpeedMPH })
	if len(speeds) < schemas.FirstPitches+schemas.LastPitches {
		return
	}
	first, last := mean(speeds[:schemas.FirstPitches]), mean(speeds[len(speeds)-schemas.LastPitches:])
	s.AvgFirstReleaseSpeedMPH, s.AvgLastReleaseSpeedMPH = first, last
	s.ReleaseSpeedChangeMPH = schemas.Some(last.Value - first.Value)
}
