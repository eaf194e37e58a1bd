package schemas

import (
	"cmp"
	"maps"
	"slices"
)

// Stats are the aggregates of one batter, or of one batter in one game, over the current rows. StatsColumns
// describes each field. Averages and maxima are missing if no row has a value, the whiff rate if there was no
// swing.
//
// Only reliable bat speeds and attack angles of confirmed swings count, because one tracking fault would
// otherwise be a batter's maximum for the whole season.
type Stats struct {
	Pitches            int64                 `json:"pitches"`
	SwingCount         int64                 `json:"swing_count"`
	WhiffCount         int64                 `json:"whiff_count"`
	WhiffRatePct       Opt[float64]          `json:"whiff_rate_pct"`
	ContactCount       int64                 `json:"contact_count"`
	MaxExitVelocityMPH Opt[float64]          `json:"max_exit_velocity_mph"`
	AvgExitVelocityMPH Opt[float64]          `json:"avg_exit_velocity_mph"`
	HardHitCount       int64                 `json:"hard_hit_count"`
	MaxBatSpeedMPH     Opt[float64]          `json:"max_bat_speed_mph"`
	AvgBatSpeedMPH     Opt[float64]          `json:"avg_bat_speed_mph"`
	AvgAttackAngleDeg  Opt[float64]          `json:"avg_attack_angle_deg"`
	LastPitch          *LastPitch            `json:"last_pitch"`
	ByPitchType        map[string]TypeCounts `json:"by_pitch_type"`

	// Plate discipline.
	ChaseRatePct       Opt[float64] `json:"chase_rate_pct"`
	ZoneSwingRatePct   Opt[float64] `json:"zone_swing_rate_pct"`
	ZoneContactRatePct Opt[float64] `json:"zone_contact_rate_pct"`

	// The bat at contact, over competitive swings.
	CompetitiveSwings        int64        `json:"competitive_swings"`
	AvgContactBatSpeedMPH    Opt[float64] `json:"avg_contact_bat_speed_mph"`
	FastSwingRatePct         Opt[float64] `json:"fast_swing_rate_pct"`
	AvgSwingLengthFT         Opt[float64] `json:"avg_swing_length_ft"`
	AvgContactAttackAngleDeg Opt[float64] `json:"avg_contact_attack_angle_deg"`
	IdealAttackAngleRatePct  Opt[float64] `json:"ideal_attack_angle_rate_pct"`
	SquaredUpRatePct         Opt[float64] `json:"squared_up_rate_pct"`
	SquaredUpContactRatePct  Opt[float64] `json:"squared_up_contact_rate_pct"`
	BlastRatePct             Opt[float64] `json:"blast_rate_pct"`

	// Batted balls.
	BarrelRatePct    Opt[float64] `json:"barrel_rate_pct"`
	SweetSpotRatePct Opt[float64] `json:"sweet_spot_rate_pct"`

	// The edges of what he can do: percentiles, and the mean of the hardest-hit half.
	P10ContactBatSpeedMPH Opt[float64] `json:"p10_contact_bat_speed_mph"`
	P90ContactBatSpeedMPH Opt[float64] `json:"p90_contact_bat_speed_mph"`
	P90ExitVelocityMPH    Opt[float64] `json:"p90_exit_velocity_mph"`
	AvgEV50MPH            Opt[float64] `json:"avg_ev50_mph"`
	// SwordCount counts the swings that were cut short, and are as slow as his slowest tenth.
	SwordCount int64 `json:"sword_count"`
}

// Fields returns a pointer to each field, in the order of StatsColumns.
func (s *Stats) Fields() []any { return FieldsOf(s) }

// LastPitch is the pitch with the greatest event time; of equal ones, the one with the greatest version.
type LastPitch struct {
	PitchID         PitchID      `json:"pitch_id"`
	EventTime       TimeMS       `json:"event_time"`
	PitchResult     Text         `json:"pitch_result"`
	PitchAction     Text         `json:"pitch_action"`
	ExitVelocityMPH Opt[float64] `json:"exit_velocity_mph"`
	// Scores are by the names of the models that have a live version; nil where none scores the pitch.
	Scores map[string]ScoreValues `json:"scores,omitempty" doc:"What live models say about the pitch, by the model's name; not there where none scores it"`
}

// TypeCounts are the counts of one pitch type.
type TypeCounts struct {
	Pitches int64 `json:"pitches"`
	Swings  int64 `json:"swings"`
	Whiffs  int64 `json:"whiffs"`
}

// CountType adds a row to the counts of its pitch type. Pitches without a type count as unknown.
func CountType(types map[string]TypeCounts, r *Row) {
	name := cmp.Or(string(r.PitchType), UnknownPitchType)
	c := types[name]
	c.Pitches++
	if r.IsSwing {
		c.Swings++
	}
	if r.IsWhiff {
		c.Whiffs++
	}
	types[name] = c
}

// BoundTypes keeps the MaxPitchTypes most frequent types, of equally frequent ones those first by name, and
// counts all others, and a type of that name, as OtherPitchTypes. It changes types. So no text in records
// makes the aggregates of a batter grow without end.
func BoundTypes(types map[string]TypeCounts) {
	if len(types) <= MaxPitchTypes {
		return
	}
	other, named := types[OtherPitchTypes]
	isOther := func(name string) bool { return name == OtherPitchTypes }
	names := slices.DeleteFunc(slices.Collect(maps.Keys(types)), isOther)
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(types[b].Pitches, types[a].Pitches), cmp.Compare(a, b))
	})
	for _, name := range names[min(len(names), MaxPitchTypes):] {
		other.Pitches += types[name].Pitches
		other.Swings += types[name].Swings
		other.Whiffs += types[name].Whiffs
		delete(types, name)
	}
	if named || len(names) > MaxPitchTypes {
		types[OtherPitchTypes] = other
	}
}

// RatePct returns 100 × part / whole, rounded to two decimals, half away from zero. It is missing if the
// whole is 0. It rounds in integers, so that Go and Postgres agree on every digit.
func RatePct(part, whole int64) Opt[float64] {
	if whole <= 0 {
		return Opt[float64]{}
	}
	hundredths := (part*20000 + whole) / (2 * whole)
	return Some(float64(hundredths) / 100)
}

// GameStats are a player's stats in one game.
type GameStats struct {
	GamePK string // never empty
	Seq    int64  // the player's sequence number at the last change of this game
	Stats  *Stats // of a batter; nil if no row of this game is current any more
	// Pitching is what Stats is of a batter.
	Pitching *PitcherStats
}

// Fields returns pointers to the values, in the order of the side's columns; none if no row is current.
func (g *GameStats) Fields() []any {
	switch {
	case g.Stats != nil:
		return g.Stats.Fields()
	case g.Pitching != nil:
		return g.Pitching.Fields()
	}
	return nil
}

// LastPitch returns the last pitch of the aggregates, nil if no row is current.
func (g *GameStats) LastPitch() *LastPitch {
	switch {
	case g.Stats != nil:
		return g.Stats.LastPitch
	case g.Pitching != nil:
		return g.Pitching.LastPitch
	}
	return nil
}

// Snapshot is the whole current state of one player, and of those games of the player that changed. Values
// are absolute: of two snapshots the one with the greater Seq is right, in whatever order they arrive.
type Snapshot struct {
	Side     Side
	PlayerID int64
	// Seq was taken while the player was locked, so it orders all snapshots of one player. It is strictly
	// increasing.
	Seq int64
	// PrevSeq is the Seq of the snapshot before this one, 0 for the first. A reader that holds PrevSeq and
	// applies this snapshot has missed none.
	PrevSeq   int64
	UpdatedAt TimeMS        // when Postgres computed the snapshot
	Stats     *Stats        // of a batter; nil if no row is current
	Pitching  *PitcherStats // of a pitcher; nil if no row is current
	Games     []GameStats
}

// Overall returns the state over all games, as one of a game without a name.
func (s Snapshot) Overall() GameStats {
	return GameStats{Seq: s.Seq, Stats: s.Stats, Pitching: s.Pitching}
}

// Position is the progress in one partition: all records below NextOffset are in the store.
type Position struct {
	Topic      string
	Partition  int32
	NextOffset int64
	// TopicID is the ID of the topic that the offset belongs to; "": not known. A topic that was created anew
	// has another one, and its offsets mean other records.
	TopicID string
	// Gap says why reading has stopped here until a person accepts it; "": it has not.
	Gap string
	// FormerNextOffset bounds the offsets of versions that may come from an earlier topic of the same name; 0:
	// there was none.
	FormerNextOffset int64
	// From DeadLettersFrom to below DeadLettersBelow the group has committed every dead letter, so that none is
	// sent again there. The range never exceeds what was committed; it is empty where nothing is known.
	DeadLettersFrom, DeadLettersBelow int64
}
