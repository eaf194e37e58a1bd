package pg

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// StatsRow receives the sums of one group, in the order in which every statement returns them.
type StatsRow struct {
	pitches, swings, whiffs, contacts, hardHits int64
	exitCount, batCount, attackCount            int64
	exitSum, batSum, attackSum                  float64
	exitMax, batMax                             *float64
	lastID                                      *[16]byte
	lastTime                                    *time.Time
	lastResult, lastAction                      *string
	lastExit                                    *float64
	types                                       []string
	typePitches, typeSwings, typeWhiffs         []int64
}

// Into are the destinations of a row: the keys, then the sums.
func (s *StatsRow) Into(keys ...any) []any {
	return append(keys,
		&s.pitches, &s.swings, &s.whiffs, &s.contacts, &s.hardHits,
		&s.exitCount, &s.exitSum, &s.exitMax, &s.batCount, &s.batSum, &s.batMax, &s.attackCount, &s.attackSum,
		&s.lastID, &s.lastTime, &s.lastResult, &s.lastAction, &s.lastExit,
		&s.types, &s.typePitches, &s.typeSwings, &s.typeWhiffs)
}

// Stats are the aggregates of those sums, nil where no row stands.
func (s *StatsRow) Stats() *schemas.Stats {
	if s.pitches == 0 {
		return nil
	}
	st := &schemas.Stats{
		Pitches: s.pitches, SwingCount: s.swings, WhiffCount: s.whiffs, ContactCount: s.contacts, HardHitCount: s.hardHits,
		WhiffRatePct:       schemas.WhiffRatePct(s.whiffs, s.swings),
		MaxExitVelocityMPH: schemas.FromPointer(s.exitMax), AvgExitVelocityMPH: mean(s.exitSum, s.exitCount),
		MaxBatSpeedMPH: schemas.FromPointer(s.batMax), AvgBatSpeedMPH: mean(s.batSum, s.batCount),
		AvgAttackAngleDeg: mean(s.attackSum, s.attackCount),
		ByPitchType:       make(map[string]schemas.TypeCounts, len(s.types)),
		LastPitch: &schemas.LastPitch{
			PitchID: *s.lastID, EventTime: schemas.TimeMSOf(*s.lastTime),
			PitchResult: TextOf(s.lastResult), PitchAction: TextOf(s.lastAction), ExitVelocityMPH: schemas.FromPointer(s.lastExit),
		},
	}
	for i, name := range s.types {
		st.ByPitchType[name] = schemas.TypeCounts{Pitches: s.typePitches[i], Swings: s.typeSwings[i], Whiffs: s.typeWhiffs[i]}
	}
	return st
}

func mean(sum float64, n int64) schemas.Opt[float64] {
	if n == 0 {
		return schemas.Opt[float64]{}
	}
	return schemas.Some(sum / float64(n))
}

func TextOf(p *string) schemas.Text {
	if p == nil {
		return ""
	}
	return schemas.Text(*p)
}

// ScanRow reads one row of standing_rows.sql.
func ScanRow(rows pgx.Rows) (*schemas.StoredRow, error) {
	var (
		r                      schemas.StoredRow
		id                     [16]byte
		columns                ScannedRow
		eventTime, processedAt time.Time
	)
	into := append(append([]any{&id}, columns.Into(&r.Row)...),
		&eventTime, &r.Revision, &r.RecordTSMS, &r.SourceTopic, &r.SourcePartition, &r.SourceOffset, &r.CoreVersion, &r.Build, &processedAt)
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	r.PitchID = id
	columns.Fill(&r.Row)
	r.EventTime, r.ProcessedAt = schemas.TimeMSOf(eventTime), schemas.TimeMSOf(processedAt)
	return &r, nil
}

// ScannedRow receives those columns of a row that may be NULL.
type ScannedRow struct {
	game, date, venue                *string
	pitchType, result, action        *string
	swingConfidence, speedConfidence *string
	batter, pitcher, team            *int64
	inning, balls, strikes, outs     *int16
	speed, spin, exit, hitSpin       *float64
	launch, spray, attack, batSpeed  *float64
}

// Into are the destinations of a row's columns, from game_pk to issues, in the order in which every statement returns
// them; fill completes the row.
func (c *ScannedRow) Into(r *schemas.Row) []any {
	return []any{
		&c.game, &c.date, &c.venue, &c.batter, &c.pitcher, &c.team, &c.inning, &c.balls, &c.strikes, &c.outs,
		&c.pitchType, &c.result, &c.action, &c.speed, &c.spin, &c.exit, &c.hitSpin, &c.launch, &c.spray,
		&r.IsSwing, &r.IsContact, &r.IsWhiff, &c.swingConfidence, &c.attack, &c.batSpeed, &c.speedConfidence,
		&r.BatSamples, &r.BallSamples, &r.DuplicateSamples, &r.Issues,
	}
}

func (c *ScannedRow) Fill(r *schemas.Row) {
	r.GamePK, r.GameDate, r.Venue = TextOf(c.game), TextOf(c.date), TextOf(c.venue)
	r.PitchType, r.PitchResult, r.PitchAction = TextOf(c.pitchType), TextOf(c.result), TextOf(c.action)
	r.SwingConfidence, r.SpeedConfidence = TextOf(c.swingConfidence), TextOf(c.speedConfidence)
	ids := Identifiers(c.batter, c.pitcher, c.team)
	r.BatterID, r.PitcherID, r.TeamID = ids.BatterID, ids.PitcherID, ids.TeamID
	r.Inning, r.Balls, r.Strikes, r.Outs = schemas.FromPointer(c.inning), schemas.FromPointer(c.balls), schemas.FromPointer(c.strikes), schemas.FromPointer(c.outs)
	r.PitchSpeedMPH, r.SpinRateRPM = schemas.FromPointer(c.speed), schemas.FromPointer(c.spin)
	r.ExitVelocityMPH, r.HitSpinRPM = schemas.FromPointer(c.exit), schemas.FromPointer(c.hitSpin)
	r.LaunchAngleDeg, r.SprayAngleDeg = schemas.FromPointer(c.launch), schemas.FromPointer(c.spray)
	r.AttackAngleDeg, r.BatSpeedMPH = schemas.FromPointer(c.attack), schemas.FromPointer(c.batSpeed)
}

// RowColumns are those of the view pitches, in its order, which is that of ScanRow.
const RowColumns = `pitch_id, game_pk, game_date::text, venue, batter_id, pitcher_id, team_id, inning, balls, strikes, outs,
	pitch_type, pitch_result, pitch_action, pitch_speed_mph, spin_rate_rpm, exit_velocity_mph, hit_spin_rpm, launch_angle_deg, spray_angle_deg,
	is_swing, is_contact, is_whiff, swing_confidence, attack_angle_deg, bat_speed_mph, speed_confidence,
	bat_samples, ball_samples, duplicate_samples, issues,
	event_time, revision, record_ts_ms, source_topic, source_partition, source_offset, core_version, build, processed_at`

// RegisterVersion receives the version of a register that may have none.
type RegisterVersion struct {
	revision, timestampMS, offset *int64
	partition                     *int32
}

func (v *RegisterVersion) Into() []any {
	return []any{&v.revision, &v.timestampMS, &v.offset, &v.partition}
}

func (v *RegisterVersion) Version() schemas.Opt[schemas.Version] {
	if v.revision == nil {
		return schemas.Opt[schemas.Version]{}
	}
	return schemas.Some(schemas.Version{Revision: *v.revision, TimestampMS: *v.timestampMS, Offset: *v.offset, Partition: *v.partition})
}

func Identifiers(batter, pitcher, team *int64) schemas.Identifiers {
	return schemas.Identifiers{
		BatterID: schemas.FromPointer(batter), PitcherID: schemas.FromPointer(pitcher), TeamID: schemas.FromPointer(team),
	}
}
