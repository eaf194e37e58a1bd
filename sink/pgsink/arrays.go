package pgsink

import (
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// measuredArrays are the arguments of upsert_measured.sql: an array a column, one element a pitch, sorted as set is.
func measuredArrays(set []candidate) []any {
	n := len(set)
	var (
		ids                                = make([][16]byte, n)
		revision, ts, offset               = make([]int64, n), make([]int64, n), make([]int64, n)
		partition                          = make([]int32, n)
		topic                              = make([]string, n)
		eventTime                          = make([]time.Time, n)
		deleted                            = make([]bool, n)
		game, date, venue                  = make([]*string, n), make([]*string, n), make([]*string, n)
		batter, pitcher, team              = make([]*int64, n), make([]*int64, n), make([]*int64, n)
		inning, balls, strikes, outs       = make([]*int16, n), make([]*int16, n), make([]*int16, n), make([]*int16, n)
		pitchType, result, action          = make([]*string, n), make([]*string, n), make([]*string, n)
		speed, spin, exit, hitSpin         = make([]*float64, n), make([]*float64, n), make([]*float64, n), make([]*float64, n)
		launch, spray                      = make([]*float64, n), make([]*float64, n)
		swing, contact, whiff              = make([]*bool, n), make([]*bool, n), make([]*bool, n)
		swingConfidence, speedConfidence   = make([]*string, n), make([]*string, n)
		attack, batSpeed                   = make([]*float64, n), make([]*float64, n)
		batSamples, ballSamples, duplicate = make([]*int32, n), make([]*int32, n), make([]*int32, n)
		issues                             = make([]*string, n)
	)
	for i, c := range set {
		ch := c.change()
		ids[i] = ch.PitchID
		revision[i], ts[i], offset[i], partition[i] = ch.Version.Revision, ch.Version.TimestampMS, ch.Version.Offset, ch.Version.Partition
		topic[i], eventTime[i] = ch.Origin.Topic, ch.EventTime.Time()
		r := ch.Row
		if deleted[i] = ch.Op == schemas.OpDelete; deleted[i] {
			continue // a delete leaves a version and nothing else
		}
		game[i], date[i], venue[i] = text(&r.GamePK), text(&r.GameDate), text(&r.Venue)
		batter[i], pitcher[i], team[i] = ref(&r.BatterID), ref(&r.PitcherID), ref(&r.TeamID)
		inning[i], balls[i], strikes[i], outs[i] = ref(&r.Inning), ref(&r.Balls), ref(&r.Strikes), ref(&r.Outs)
		pitchType[i], result[i], action[i] = text(&r.PitchType), text(&r.PitchResult), text(&r.PitchAction)
		speed[i], spin[i], exit[i], hitSpin[i] = ref(&r.PitchSpeedMPH), ref(&r.SpinRateRPM), ref(&r.ExitVelocityMPH), ref(&r.HitSpinRPM)
		launch[i], spray[i] = ref(&r.LaunchAngleDeg), ref(&r.SprayAngleDeg)
		swing[i], contact[i], whiff[i] = &r.IsSwing, &r.IsContact, &r.IsWhiff
		swingConfidence[i], speedConfidence[i] = text(&r.SwingConfidence), text(&r.SpeedConfidence)
		attack[i], batSpeed[i] = ref(&r.AttackAngleDeg), ref(&r.BatSpeedMPH)
		batSamples[i], ballSamples[i], duplicate[i] = &r.BatSamples, &r.BallSamples, &r.DuplicateSamples
		joined := strings.Join(r.Issues, ";")
		issues[i] = &joined
	}
	return []any{
		ids, revision, ts, offset, partition, topic, eventTime, deleted,
		game, date, venue, batter, pitcher, team, inning, balls, strikes, outs, pitchType, result, action,
		speed, spin, exit, hitSpin, launch, spray, swing, contact, whiff, swingConfidence, attack, batSpeed, speedConfidence,
		batSamples, ballSamples, duplicate, issues,
	}
}

// identifiedArrays are the arguments of upsert_identified.sql, and the changes by pitch.
func identifiedArrays(set []candidate) ([]any, map[schemas.PitchID]*schemas.Change) {
	var (
		ids                   [][16]byte
		revision, ts, offset  []int64
		partition             []int32
		batter, pitcher, team []*int64
		byPitch               = map[schemas.PitchID]*schemas.Change{}
	)
	for _, p := range set {
		c := p.change()
		byPitch[c.PitchID] = c
		ids = append(ids, c.PitchID)
		revision, ts = append(revision, c.Version.Revision), append(ts, c.Version.TimestampMS)
		offset, partition = append(offset, c.Version.Offset), append(partition, c.Version.Partition)
		batter, pitcher, team = append(batter, ref(&c.IDs.BatterID)), append(pitcher, ref(&c.IDs.PitcherID)), append(team, ref(&c.IDs.TeamID))
	}
	return []any{ids, revision, ts, offset, partition, batter, pitcher, team}, byPitch
}

type positions struct {
	topics         []string
	partitions     []int32
	next, expected []int64
}

func positionArrays(moves []schemas.PositionMove) positions {
	var p positions
	for _, m := range moves {
		p.topics, p.partitions = append(p.topics, m.Topic), append(p.partitions, m.Partition)
		p.next, p.expected = append(p.next, m.NextOffset), append(p.expected, m.Expected)
	}
	return p
}

// ref and text point into the row instead of copying: nil where the value is missing.
func ref[T comparable](o *schemas.Opt[T]) *T {
	if !o.Present {
		return nil
	}
	return &o.Value
}

func text(t *schemas.Text) *string {
	if *t == "" {
		return nil
	}
	return (*string)(t)
}
