// Package reference is the specification of the stores, written as plainly as it can be. Resolve returns the
// version of each pitch that is current, and Fold the aggregates of the batters and
// FoldPitchers those of the pitchers.
//
// No store works like this, because both functions need every change in memory. Every store must end in the
// same state, whatever the order of delivery and however often a record is redelivered. Tests of the stores,
// and the command that verifies them, compare what they hold with the answers of this package.
package reference

import (
	"cmp"
	"slices"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// Resolve returns the rows that are current after all changes, sorted by pitch id. The order of the changes
// and their repetition do not matter.
//
// Per pitch, the measured change (upsert or delete) with the greatest version wins: an upsert yields its row,
// a delete none. The identify with the greatest version, which is a register of its own, then overwrites the
// identifiers that it names.
//
// The rows have no Build and no ProcessedAt, because those depend on who wrote them and when. They share the
// slices of the changes' rows.
func Resolve(changes []schemas.Change) []schemas.StoredRow {
	measured := map[schemas.PitchID]schemas.Change{}
	identified := map[schemas.PitchID]schemas.Change{}
	// Each pitch has two registers, and each keeps the greatest version.
	for _, c := range changes {
		register := measured
		if c.Op == schemas.OpIdentify {
			register = identified
		}
		if held, ok := register[c.PitchID]; !ok || c.Version.Compare(held.Version) >= 0 {
			register[c.PitchID] = c
		}
	}
	var rows []schemas.StoredRow
	for id, c := range measured {
		if c.Op == schemas.OpUpsert {
			rows = append(rows, storedRow(c, identified[id].IDs))
		}
	}
	slices.SortFunc(rows, func(a, b schemas.StoredRow) int { return slices.Compare(a.PitchID[:], b.PitchID[:]) })
	return rows
}

// storedRow returns the row of an upsert, with the identifiers that the game feed names in place of its own.
func storedRow(c schemas.Change, ids schemas.Identifiers) schemas.StoredRow {
	row := schemas.StoredRow{Row: *c.Row, Provenance: schemas.ProvenanceOf(c, features.CoreVersion, "", 0)}
	overlay(&row.BatterID, ids.BatterID)
	overlay(&row.PitcherID, ids.PitcherID)
	overlay(&row.TeamID, ids.TeamID)
	row.AtBatNumber, row.PitchNumber = ids.AtBatNumber, ids.PitchNumber
	row.BatterSide, row.PitcherHand = ids.BatterSide, ids.PitcherHand
	return row
}

// overlay replaces an identifier by the one that the game feed names, if it names one.
func overlay(column *schemas.Opt[int64], named schemas.Opt[int64]) {
	if named.Present {
		*column = named
	}
}

// Fold returns the aggregates of every batter, and of every batter in every game, over the current rows. A
// row without a batter counts nowhere; a row without a game counts for its batter only. The order of the rows
// changes at most the last bits of the averages.
func Fold(
	rows []schemas.StoredRow,
) (batters map[int64]schemas.Stats, games map[schemas.PlayerGame]schemas.Stats) {
	byBatter, byGame := group(rows, schemas.Batter)
	return ofEach(byBatter, statsOf), ofEach(byGame, statsOf)
}

// group groups rows by the player of a side, and by player and game.
func group(rows []schemas.StoredRow, side schemas.Side) (
	players map[int64][]schemas.StoredRow, games map[schemas.PlayerGame][]schemas.StoredRow,
) {
	players, games = map[int64][]schemas.StoredRow{}, map[schemas.PlayerGame][]schemas.StoredRow{}
	for _, row := range rows {
		player := side.PlayerIn(&row.Row)
		if !player.Present {
			continue
		}
		players[player.Value] = append(players[player.Value], row)
		if row.GamePK != "" {
			game := schemas.PlayerGame{Side: side, PlayerID: player.Value, GamePK: string(row.GamePK)}
			games[game] = append(games[game], row)
		}
	}
	return players, games
}

// ofEach computes the aggregates of each group.
func ofEach[K comparable, S any](
	groups map[K][]schemas.StoredRow, of func([]schemas.StoredRow) S,
) map[K]S {
	stats := make(map[K]S, len(groups))
	for key, rows := range groups {
		stats[key] = of(rows)
	}
	return stats
}

// statsOf computes the aggregates of one group of rows, without looking at who bats in them.
func statsOf(rows []schemas.StoredRow) schemas.Stats {
	s := schemas.Stats{Pitches: int64(len(rows)), ByPitchType: map[string]schemas.TypeCounts{}}
	var exitVelocities, batSpeeds, attackAngles []float64
	for _, row := range rows {
		s.SwingCount += count(row.IsSwing)
		s.WhiffCount += count(row.IsWhiff)
		s.ContactCount += count(row.IsContact)
		if row.ExitVelocityMPH.Present {
			exitVelocities = append(exitVelocities, row.ExitVelocityMPH.Value)
			s.HardHitCount += count(row.ExitVelocityMPH.Value >= schemas.HardHitMPH)
		}
		// Questionable speeds and suspected swings stay out of the aggregates, because a tracking fault of one
		// frame would otherwise be the batter's maximum for the rest of the season.
		if row.BatSpeedMPH.Present && row.SpeedConfidence == schemas.SpeedReliable {
			batSpeeds = append(batSpeeds, row.BatSpeedMPH.Value)
		}
		if row.AttackAngleDeg.Present && row.SwingConfidence == schemas.SwingConfirmed {
			attackAngles = append(attackAngles, row.AttackAngleDeg.Value)
		}
		schemas.CountType(s.ByPitchType, &row.Row)
	}
	schemas.BoundTypes(s.ByPitchType)
	s.WhiffRatePct = schemas.RatePct(s.WhiffCount, s.SwingCount)
	s.MaxExitVelocityMPH, s.AvgExitVelocityMPH = greatest(exitVelocities), mean(exitVelocities)
	s.MaxBatSpeedMPH, s.AvgBatSpeedMPH = greatest(batSpeeds), mean(batSpeeds)
	s.AvgAttackAngleDeg = mean(attackAngles)
	s.LastPitch = lastPitch(rows)
	fillDiscipline(&s, rows)
	fillContact(&s, competitive(rows))
	fillBattedBalls(&s, rows)
	fillSwords(&s, rows)
	return s
}

func count(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// greatest returns the greatest value, missing for no values.
func greatest(values []float64) schemas.Opt[float64] {
	if len(values) == 0 {
		return schemas.Opt[float64]{}
	}
	return schemas.Some(slices.Max(values))
}

// mean returns the arithmetic mean, missing for no values.
func mean(values []float64) schemas.Opt[float64] {
	if len(values) == 0 {
		return schemas.Opt[float64]{}
	}
	var sum float64
	for _, v := range values {
		sum += v
	}
	return schemas.Some(sum / float64(len(values)))
}

// byTime orders rows by event time, then by version.
func byTime(a, b schemas.StoredRow) int {
	return cmp.Or(cmp.Compare(a.EventTime, b.EventTime), a.Version().Compare(b.Version()))
}

// lastPitch returns the pitch with the greatest event time, of equal ones the one with the greatest version.
// It returns nil when there are no rows.
func lastPitch(rows []schemas.StoredRow) *schemas.LastPitch {
	if len(rows) == 0 {
		return nil
	}
	last := slices.MaxFunc(rows, byTime)
	return &schemas.LastPitch{
		PitchID: last.PitchID, EventTime: last.EventTime, PitchResult: last.PitchResult,
		PitchAction: last.PitchAction, ExitVelocityMPH: last.ExitVelocityMPH,
	}
}
