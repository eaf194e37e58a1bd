package schemas

// Stats are the aggregates of one batter, or of one batter in one game, over the rows that stand.
// Averages and maxima are missing where no row has a value; the rate where there is no swing.
type Stats struct {
	Pitches            int64                 `json:"pitches"`
	SwingCount         int64                 `json:"swing_count"`
	WhiffCount         int64                 `json:"whiff_count"`
	WhiffRatePct       Opt[float64]          `json:"whiff_rate_pct"` // 0–100, two decimals
	ContactCount       int64                 `json:"contact_count"`
	MaxExitVelocityMPH Opt[float64]          `json:"max_exit_velocity_mph"`
	AvgExitVelocityMPH Opt[float64]          `json:"avg_exit_velocity_mph"`
	HardHitCount       int64                 `json:"hard_hit_count"`       // exit velocity ≥ 95 mph
	MaxBatSpeedMPH     Opt[float64]          `json:"max_bat_speed_mph"`    // reliable speeds only
	AvgBatSpeedMPH     Opt[float64]          `json:"avg_bat_speed_mph"`    // reliable speeds only
	AvgAttackAngleDeg  Opt[float64]          `json:"avg_attack_angle_deg"` // confirmed swings only
	LastPitch          *LastPitch            `json:"last_pitch"`           // nil only where Pitches is 0
	ByPitchType        map[string]TypeCounts `json:"by_pitch_type"`
}

// LastPitch is the pitch with the greatest event time; of equal ones the one with the greatest version.
type LastPitch struct {
	PitchID         PitchID      `json:"pitch_id"`
	EventTime       TimeMS       `json:"event_time"`
	PitchResult     Text         `json:"pitch_result"`
	PitchAction     Text         `json:"pitch_action"`
	ExitVelocityMPH Opt[float64] `json:"exit_velocity_mph"`
}

// TypeCounts are the counts of one pitch type.
type TypeCounts struct {
	Pitches int64 `json:"pitches"`
	Swings  int64 `json:"swings"`
	Whiffs  int64 `json:"whiffs"`
}

// WhiffRatePct is 100 × whiffs / swings to two decimals, half away from zero; missing with no swing.
// The rounding is done in integers, so that it is exact.
func WhiffRatePct(whiffs, swings int64) Opt[float64] {
	if swings <= 0 {
		return Opt[float64]{}
	}
	hundredths := (whiffs*20000 + swings) / (2 * swings)
	return Some(float64(hundredths) / 100)
}

// GameStats are a batter's stats in one game. Stats is nil where no row of that batter stands in that game (any more).
type GameStats struct {
	GamePK string // never empty
	Seq    int64  // the batter's sequence number at the last change of this game
	Stats  *Stats
}

// Snapshot is the whole present state of one batter, and of those of his games that changed, as Postgres computed it.
// Values are absolute: the snapshot with the greater Seq is right, whatever order they arrive in.
type Snapshot struct {
	BatterID int64
	// Seq was taken while the batter was locked: it orders all snapshots of one batter. Strictly increasing.
	Seq int64
	// PrevSeq is the Seq of the snapshot before this one, 0 for the first. A reader that holds PrevSeq and applies
	// this snapshot has missed nothing.
	PrevSeq   int64
	UpdatedAt TimeMS // when Postgres computed it
	Stats     *Stats // nil where no row of this batter stands
	Games     []GameStats
}

// Position is how far one partition has been applied: everything below NextOffset is in the store.
type Position struct {
	Topic      string
	Partition  int32
	NextOffset int64
}
