package schemas

import "reflect"

// Words of the columns that have a closed set of them.
const (
	ResultStrike      = "Strike"
	ResultBall        = "Ball"
	ResultHitIntoPlay = "HitIntoPlay"
	ResultPickoff     = "Pickoff"

	SwingConfirmed = "confirmed"
	SwingSuspected = "suspected"

	// The words of speed_confidence and of contact_confidence.
	SpeedReliable     = "reliable"
	SpeedQuestionable = "questionable"

	// The sources of contact_time_s.
	ContactByEvent   = "event"
	ContactByBall    = "ball"
	ContactByNearest = "nearest"

	// The words of bat_side and of batter_side.
	BatsRight = "R"
	BatsLeft  = "L"

	// The words of pitcher_hand.
	ThrowsRight = "R"
	ThrowsLeft  = "L"

	// HardHitMPH is the exit velocity from which a batted ball counts as hard hit.
	HardHitMPH = 95.0
	// UnknownPitchType is the key in by_pitch_type of pitches without a type.
	UnknownPitchType = "unknown"
	// MaxPitchTypes is the number of types that by_pitch_type names. OtherPitchTypes is the key of all others.
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

	// The flight of the pitch, a polynomial through its samples.
	ReleaseSpeedMPH        Opt[float64] `json:"release_speed_mph"`
	PlateSpeedMPH          Opt[float64] `json:"plate_speed_mph"`
	PlateTimeS             Opt[float64] `json:"plate_time_s"`
	PlateXFT               Opt[float64] `json:"plate_x_ft"`
	PlateZFT               Opt[float64] `json:"plate_z_ft"`
	VerticalApproachDeg    Opt[float64] `json:"vertical_approach_deg"`
	HorizontalApproachDeg  Opt[float64] `json:"horizontal_approach_deg"`
	HorizontalBreakIn      Opt[float64] `json:"horizontal_break_in"`
	InducedVerticalBreakIn Opt[float64] `json:"induced_vertical_break_in"`
	FlightRMSFT            Opt[float64] `json:"flight_rms_ft"`
	// Missing where the flight is.
	InZone  Opt[bool] `json:"in_zone"`
	IsChase Opt[bool] `json:"is_chase"`

	// The bat at contact. ContactDoubts is sorted, and nil where there is no contact.
	ContactTimeS                  Opt[float64] `json:"contact_time_s"`
	ContactSource                 Text         `json:"contact_source"`
	ContactBatSpeedMPH            Opt[float64] `json:"contact_bat_speed_mph"`
	ContactBatSpeedErrorMPH       Opt[float64] `json:"contact_bat_speed_error_mph"`
	ContactBatSpeedSpreadMPH      Opt[float64] `json:"contact_bat_speed_spread_mph"`
	ContactAttackAngleDeg         Opt[float64] `json:"contact_attack_angle_deg"`
	ContactAttackDirectionDeg     Opt[float64] `json:"contact_attack_direction_deg"`
	ContactAttackDirectionPullDeg Opt[float64] `json:"contact_attack_direction_pull_deg"`
	BatSide                       Text         `json:"bat_side"`
	SwingPathTiltDeg              Opt[float64] `json:"swing_path_tilt_deg"`
	SwingLengthFT                 Opt[float64] `json:"swing_length_ft"`
	TimeToContactS                Opt[float64] `json:"time_to_contact_s"`
	InterceptXFT                  Opt[float64] `json:"intercept_x_ft"`
	InterceptYFT                  Opt[float64] `json:"intercept_y_ft"`
	InterceptZFT                  Opt[float64] `json:"intercept_z_ft"`
	ContactFromHeadIn             Opt[float64] `json:"contact_from_head_in"`
	MissDistanceIn                Opt[float64] `json:"miss_distance_in"`
	SquaredUpPct                  Opt[float64] `json:"squared_up_pct"`
	IsSquaredUp                   Opt[bool]    `json:"is_squared_up"`
	IsBlast                       Opt[bool]    `json:"is_blast"`
	IsBarrel                      Opt[bool]    `json:"is_barrel"`
	ContactConfidence             Text         `json:"contact_confidence"`
	ContactDoubts                 []string     `json:"contact_doubts" nullable:"true"`

	// The end of the swing. Missing where the track ends sooner.
	EndBatSpeedMPH Opt[float64] `json:"end_bat_speed_mph"`
	IsCutShort     Opt[bool]    `json:"is_cut_short"`

	// The place in the game and the hands, which the game feed alone names. The core leaves them missing.
	AtBatNumber Opt[int16] `json:"at_bat_number"`
	PitchNumber Opt[int16] `json:"pitch_number"`
	BatterSide  Text       `json:"batter_side"`
	PitcherHand Text       `json:"pitcher_hand"`
}

// namedFields is the number of fields at the end of Row that the game feed alone names.
const namedFields = 4

// MeasuredFields returns the Fields that the core sets: all but the last ones.
func (r *Row) MeasuredFields() []any {
	fields := r.Fields()
	return fields[:len(fields)-namedFields]
}

// Fields returns pointers to the columns of a row, in the order of RowColumns. Stores and files read and
// write rows through it, so a new column needs no line in them unless its type is new.
func (r *Row) Fields() []any { return FieldsOf(r) }

// FieldsOf returns a pointer to each field of the struct that s points to.
func FieldsOf(s any) []any {
	v := reflect.ValueOf(s).Elem()
	fields := make([]any, v.NumField())
	for i := range fields {
		fields[i] = v.Field(i).Addr().Interface()
	}
	return fields
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

// StoredPitch is a row, and what depends on its batter's other rows.
type StoredPitch struct {
	Row     StoredRow
	IsSword Opt[bool] // missing where no end of a swing was tracked
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
