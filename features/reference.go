package features

import (
	"cmp"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// This file is the specification of the stores, as plain as it can be said: no store works like this, and every store
// must end where this does. Tests compare them with it, and verify does.

// Resolve gives the rows that stand after all changes, sorted by pitch id, whatever the order of the changes and however
// often each one comes. Per pitch the measured change (upsert or delete) of the greatest version wins; an upsert stands
// as its row, a delete as none. The identify of the greatest version, which has versions of its own, then lends the row
// the identifiers that it names.
//
// The rows have no Build and no ProcessedAt. They share the rows and issues of the changes.
func Resolve(changes []schemas.Change) []schemas.StoredRow {
	measured := map[schemas.PitchID]schemas.Change{}
	identified := map[schemas.PitchID]schemas.Change{}
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
			rows = append(rows, standing(c, identified[id].IDs))
		}
	}
	slices.SortFunc(rows, func(a, b schemas.StoredRow) int { return slices.Compare(a.PitchID[:], b.PitchID[:]) })
	return rows
}

// standing is the row of a change under the identifiers of the game feed.
func standing(c schemas.Change, ids schemas.Identifiers) schemas.StoredRow {
	row := schemas.StoredRow{Row: *c.Row, Provenance: schemas.ProvenanceOf(c, CoreVersion, "", 0)}
	overlay(&row.BatterID, ids.BatterID)
	overlay(&row.PitcherID, ids.PitcherID)
	overlay(&row.TeamID, ids.TeamID)
	return row
}

func overlay(column *schemas.Opt[int64], named schemas.Opt[int64]) {
	if named.Present {
		*column = named
	}
}

// BatterGame is one batter in one game.
type BatterGame struct {
	BatterID int64
	GamePK   string // never empty
}

// Fold computes the aggregates of every batter, and of every batter in every game, from the rows that stand. A row
// without a batter counts nowhere; one without a game counts for its batter only. The order of the rows does not matter,
// but for the last bits of averages.
func Fold(rows []schemas.StoredRow) (batters map[int64]schemas.Stats, games map[BatterGame]schemas.Stats) {
	byBatter := map[int64][]schemas.StoredRow{}
	byGame := map[BatterGame][]schemas.StoredRow{}
	for _, row := range rows {
		if !row.BatterID.Present {
			continue
		}
		batter := row.BatterID.Value
		byBatter[batter] = append(byBatter[batter], row)
		if row.GamePK != "" {
			game := BatterGame{batter, string(row.GamePK)}
			byGame[game] = append(byGame[game], row)
		}
	}
	return statsOfEach(byBatter), statsOfEach(byGame)
}

func statsOfEach[K comparable](groups map[K][]schemas.StoredRow) map[K]schemas.Stats {
	stats := make(map[K]schemas.Stats, len(groups))
	for key, rows := range groups {
		stats[key] = StatsOf(rows)
	}
	return stats
}

// StatsOf computes the aggregates of rows as of one group, whoever bats in them.
func StatsOf(rows []schemas.StoredRow) schemas.Stats {
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
		if row.BatSpeedMPH.Present && row.SpeedConfidence == schemas.SpeedReliable {
			batSpeeds = append(batSpeeds, row.BatSpeedMPH.Value)
		}
		if row.AttackAngleDeg.Present && row.SwingConfidence == schemas.SwingConfirmed {
			attackAngles = append(attackAngles, row.AttackAngleDeg.Value)
		}
		countType(s.ByPitchType, row)
	}
	s.WhiffRatePct = schemas.WhiffRatePct(s.WhiffCount, s.SwingCount)
	s.MaxExitVelocityMPH, s.AvgExitVelocityMPH = greatest(exitVelocities), mean(exitVelocities)
	s.MaxBatSpeedMPH, s.AvgBatSpeedMPH = greatest(batSpeeds), mean(batSpeeds)
	s.AvgAttackAngleDeg = mean(attackAngles)
	s.LastPitch = lastPitch(rows)
	return s
}

func countType(types map[string]schemas.TypeCounts, row schemas.StoredRow) {
	name := cmp.Or(string(row.PitchType), schemas.UnknownPitchType)
	c := types[name]
	c.Pitches++
	c.Swings += count(row.IsSwing)
	c.Whiffs += count(row.IsWhiff)
	types[name] = c
}

func count(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func greatest(values []float64) schemas.Opt[float64] {
	if len(values) == 0 {
		return schemas.Opt[float64]{}
	}
	return schemas.Some(slices.Max(values))
}

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

// lastPitch is the pitch with the greatest event time, of equal ones the one with the greatest version; nil of no rows.
func lastPitch(rows []schemas.StoredRow) *schemas.LastPitch {
	if len(rows) == 0 {
		return nil
	}
	last := slices.MaxFunc(rows, func(a, b schemas.StoredRow) int {
		return cmp.Or(cmp.Compare(a.EventTime, b.EventTime), a.Version().Compare(b.Version()))
	})
	return &schemas.LastPitch{
		PitchID: last.PitchID, EventTime: last.EventTime, PitchResult: last.PitchResult, PitchAction: last.PitchAction,
		ExitVelocityMPH: last.ExitVelocityMPH,
	}
}
