package schemas

// Words of the columns that have a closed set of them.
const (
	ResultStrike      = "Strike"
	ResultBall        = "Ball"
	ResultHitIntoPlay = "HitIntoPlay"
	ResultPickoff     = "Pickoff"

	SwingConfirmed = "confirmed"
	SwingSuspected = "suspected"

	SpeedReliable     = "reliable"
	SpeedQuestionable = "questionable"

	// HardHitMPH is the exit velocity from which a batted ball counts as hard hit.
	HardHitMPH = 95.0
	// UnknownPitchType is the key in by_pitch_type of pitches without a type.
	UnknownPitchType = "unknown"
	// MaxPitchTypes is the number of types that by_pitch_type names beside OtherPitchTypes, the key of all others.
	MaxPitchTypes   = 64
	OtherPitchTypes = "other"
)

// Row is one measured pitch as the core computes it, one field a column, in the columns' order. RowColumns
// has each one's meaning, unit, range and source, and when it is missing. Units are part of the names: mph,
// rpm, degrees.
type Row struct {
	PitchID PitchID `json:"pitch_id"`

	GamePK    Text       `json:"game_pk"`
	GameDate  Text       `json:"game_date"`
	Venue     Text       `json:"venue"`
	BatterID  Opt[int64] `json:"batter_id"`
	PitcherID Opt[int64] `json:"pitcher_id"`
	TeamID    Opt[int64] `json:"team_id"`

	Inning  Opt[int16] `json:"inning"`
	Balls   Opt[int16] `json:"balls"`
	Strikes Opt[int16] `json:"strikes"`
	Outs    Opt[int16] `json:"outs"`

	PitchType   Text `json:"pitch_type"`
	PitchResult Text `json:"pitch_result"`
	PitchAction Text `json:"pitch_action"`

	PitchSpeedMPH   Opt[float64] `json:"pitch_speed_mph"`
	SpinRateRPM     Opt[float64] `json:"spin_rate_rpm"`
	ExitVelocityMPH Opt[float64] `json:"exit_velocity_mph"`
	HitSpinRPM      Opt[float64] `json:"hit_spin_rpm"`
	LaunchAngleDeg  Opt[float64] `json:"launch_angle_deg"`
	SprayAngleDeg   Opt[float64] `json:"spray_angle_deg"`

	IsSwing         bool `json:"is_swing"`
	IsContact       bool `json:"is_contact"`
	IsWhiff         bool `json:"is_whiff"`
	SwingConfidence Text `json:"swing_confidence"`

	AttackAngleDeg  Opt[float64] `json:"attack_angle_deg"`
	BatSpeedMPH     Opt[float64] `json:"bat_speed_mph"`
	SpeedConfidence Text         `json:"speed_confidence"`

	BatSamples       int32 `json:"bat_samples"`
	BallSamples      int32 `json:"ball_samples"`
	DuplicateSamples int32 `json:"duplicate_samples"`

	// Issues is sorted, each once, and never nil in a row of the core.
	Issues []string `json:"issues"`
}

// Provenance is what a stored row holds beside its measures: the version that won, which is that of the
// origin, and who wrote the row last. ProvenanceColumns describes each field.
type Provenance struct {
	EventTime       TimeMS `json:"event_time"`
	Revision        int64  `json:"revision"`
	RecordTSMS      int64  `json:"record_ts_ms"`
	SourceTopic     string `json:"source_topic"`
	SourcePartition int32  `json:"source_partition"`
	SourceOffset    int64  `json:"source_offset"`
	CoreVersion     int32  `json:"core_version"`
	Build           string `json:"build"`
	ProcessedAt     TimeMS `json:"processed_at"`
}

// StoredRow is a row as the stores hold it and as the rows topic has it. Its identifiers are those of the
// game feed where that names any, else the record's own.
type StoredRow struct {
	Row
	Provenance
}

// Version returns the version of the measured register.
func (p Provenance) Version() Version {
	return Version{
		Revision: p.Revision, TimestampMS: p.RecordTSMS, Offset: p.SourceOffset, Partition: p.SourcePartition,
	}
}

// ProvenanceOf returns the provenance of a change that is about to be written.
func ProvenanceOf(c Change, coreVersion int32, build string, processedAt TimeMS) Provenance {
	return Provenance{
		EventTime: c.EventTime, Revision: c.Version.Revision, RecordTSMS: c.Version.TimestampMS,
		SourceTopic: c.Origin.Topic, SourcePartition: c.Version.Partition, SourceOffset: c.Version.Offset,
		CoreVersion: coreVersion, Build: build, ProcessedAt: processedAt,
	}
}
