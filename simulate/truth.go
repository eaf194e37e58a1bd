package simulate

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// Ranges and limits of the specification (features.md §3 and §4) that a simulated pitch may leave.
const (
	spinMinRPM       = 500
	reliableMaxMPH   = 95
	mostAttackDeg    = 45
	issueSpinRange   = "spin_rate_rpm:range"
	issueAttackRange = "attack_angle_deg:range"
)

// row is the row that the core should make of the record of p. named says that the feed's ids are in its
// headers.
func (p *pitch) row(id schemas.PitchID, pk []byte, g *game, named bool) *schemas.Row {
	f := callTable[p.call]
	r := &schemas.Row{
		PitchID: id, GamePK: schemas.Text(pk), GameDate: schemas.Text(g.date), Venue: schemas.Text(g.venue),
		Inning: small(p.score.inning), Balls: small(p.score.balls), Strikes: small(p.score.strikes),
		Outs:      small(p.score.outs),
		PitchType: schemas.Text(p.typeName), PitchResult: schemas.Text(f.result),
		PitchAction: schemas.Text(p.action()),
		BatSamples:  1, BallSamples: int32(len(p.ball.samples) - p.ball.duplicates()),
		DuplicateSamples: int32(p.ball.duplicates()),
		Issues:           []string{},
	}
	switch {
	case named:
		r.BatterID, r.PitcherID, r.TeamID = p.ids.BatterID, p.ids.PitcherID, p.ids.TeamID
	case p.batted.tracked:
		r.BatterID, r.TeamID = p.ids.BatterID, p.ids.TeamID
	}
	p.rowOfBall(r)
	p.rowOfSwing(r)
	if g.s.o.Core != 1 {
		p.truthOfFlight(r)
		p.truthOfContact(r)
	}
	slices.Sort(r.Issues)
	return r
}

func (p *pitch) rowOfBall(r *schemas.Row) {
	if p.measured {
		r.PitchSpeedMPH = schemas.Some(math.Round(p.speedMPH))
		if r.SpinRateRPM = schemas.Some(float64(p.spinRPM)); p.spinRPM < spinMinRPM {
			r.SpinRateRPM = schemas.Opt[float64]{}
			r.Issues = append(r.Issues, issueSpinRange)
		}
	}
	if p.batted.tracked {
		r.ExitVelocityMPH = schemas.Some(math.Round(p.batted.exitMPH))
		r.HitSpinRPM = schemas.Some(float64(p.batted.spinRPM))
		r.LaunchAngleDeg = schemas.Some(p.batted.launchDeg)
		r.SprayAngleDeg = schemas.Some(p.batted.sprayDeg)
	}
}

func (p *pitch) rowOfSwing(r *schemas.Row) {
	r.IsContact = p.batted.tracked || p.call == foul
	if !p.hasSwing {
		return
	}
	r.IsSwing, r.IsWhiff, r.BatSamples = true, !r.IsContact, int32(p.swing.samples)
	r.SwingConfidence = schemas.SwingSuspected
	if p.call == foul || p.call == inPlay {
		r.SwingConfidence = schemas.SwingConfirmed
	}
	attackDeg, speed := p.swing.fastest()
	if r.AttackAngleDeg = schemas.Some(attackDeg); math.Abs(attackDeg) > mostAttackDeg {
		r.AttackAngleDeg = schemas.Opt[float64]{}
		r.Issues = append(r.Issues, issueAttackRange)
	}
	r.SpeedConfidence = schemas.SpeedQuestionable
	if p.swing.lost {
		return
	}
	if r.BatSpeedMPH = schemas.Some(speed); speed <= reliableMaxMPH {
		r.SpeedConfidence = schemas.SpeedReliable
	}
}

// truthOfFlight fills the columns about the pitch's flight, whose acceleration is constant.
func (p *pitch) truthOfFlight(r *schemas.Row) {
	if !p.measured {
		return
	}
	const releaseFT = 50
	f, degrees := p.flight, 180/math.Pi
	releasedS, plateS := f.timeAt(releaseFT), f.timeAt(plateY)
	plate, took := f.at(plateS), plateS-releasedS
	r.ReleaseSpeedMPH = schemas.Some(f.at(releasedS).vel.length())
	r.PlateSpeedMPH, r.PlateTimeS = schemas.Some(plate.vel.length()), schemas.Some(plateS)
	r.PlateXFT, r.PlateZFT = schemas.Some(plate.pos.x), schemas.Some(plate.pos.z)
	r.VerticalApproachDeg = schemas.Some(math.Atan2(plate.vel.z, -plate.vel.y) * degrees)
	r.HorizontalApproachDeg = schemas.Some(math.Atan2(plate.vel.x, -plate.vel.y) * degrees)
	inches := fpsPerMPH * took * took / 2 * 12
	r.HorizontalBreakIn = schemas.Some(f.acc.x * inches)
	r.InducedVerticalBreakIn = schemas.Some((f.acc.z + gravity) * inches)
	in := inZone(plate.pos.x, plate.pos.z)
	if r.InZone = schemas.Some(in); r.IsSwing {
		r.IsChase = schemas.Some(!in)
	}
}

// truthOfContact fills the columns about the contact: what the bat did, whatever the cameras saw of it.
func (p *pitch) truthOfContact(r *schemas.Row) {
	if !r.IsSwing {
		return
	}
	m, s, degrees := &p.swing.meeting, &p.swing, 180/math.Pi
	pull := schemas.Some(m.pull * degrees)
	r.ContactTimeS, r.ContactBatSpeedMPH = schemas.Some(s.contactAt), schemas.Some(m.mph)
	r.ContactAttackAngleDeg, r.ContactAttackDirectionPullDeg = schemas.Some(m.attack*degrees), pull
	r.BatSide, r.ContactAttackDirectionDeg = schemas.BatsRight, schemas.Some(-pull.Value)
	if m.left {
		r.BatSide, r.ContactAttackDirectionDeg = schemas.BatsLeft, pull
	}
	r.SwingPathTiltDeg = schemas.Some(m.tilt * degrees)
	r.SwingLengthFT, r.TimeToContactS = schemas.Some(m.lengthFT), schemas.Some(m.timeS)
	r.InterceptXFT, r.InterceptYFT = schemas.Some(s.contact.x), schemas.Some(s.contact.y)
	r.InterceptZFT = schemas.Some(s.contact.z)
	r.ContactFromHeadIn, r.MissDistanceIn = schemas.Some(m.fromHeadIn), schemas.Some(m.missIn)
	p.truthOfEnd(r)
	if !p.batted.tracked {
		return
	}
	ev, la := p.batted.exitMPH, p.batted.launchDeg
	pct := 100 * ev / greatestExit(m.mph, r.PlateSpeedMPH.Value)
	r.SquaredUpPct, r.IsSquaredUp = schemas.Some(pct), schemas.Some(pct >= 80)
	r.IsBlast = schemas.Some(min(pct, 100)+m.mph >= 164)
	r.IsBarrel = schemas.Some(ev >= 98 && la <= 50 && 1.5*ev-la >= 117 && ev+la >= 124)
}

// truthOfEnd fills the columns about the end of the swing.
func (p *pitch) truthOfEnd(r *schemas.Row) {
	const (
		// endS is when each swing is over, in s from contact, and endsAfterS how long tracks must go on.
		endS, endsAfterS = 0.38, 0.2
		lineFT           = plateY + 5./12
		slowMPH          = 20
	)
	s := &p.swing
	frames, _, first := s.frames()
	last := first + float64(frames-1)*s.step
	if last >= endsAfterS {
		r.EndBatSpeedMPH = schemas.Some(s.turn.speedMPH(last-3*batFrame, last))
	}
	// Most swings meet the ball or are called otherwise, so nobody follows their bats.
	r.IsCutShort = schemas.Some(false)
	if r.IsContact || r.PitchResult != schemas.ResultStrike || p.call == foulTip || p.call == calledStrike {
		return
	}
	over, wasBehind, crossed, back := max(last, endS), false, false, false
	for i := 0; first+float64(i)*batFrame <= over; i++ {
		head, _ := s.turn.at(first + float64(i)*batFrame)
		isFront := head.y >= lineFT
		back = back || crossed && !isFront
		crossed = crossed || wasBehind && isFront
		wasBehind = wasBehind || !isFront
	}
	isSlow := s.turn.speedMPH(over-3*batFrame, over) <= slowMPH
	r.IsCutShort = schemas.Some(crossed && !back && isSlow)
}

// fault says what is wrong with the track of a pitch's bat.
func (p *pitch) fault() string {
	c, tracked := p.swing.path.(*cameras)
	switch {
	case !p.hasSwing:
		return ""
	case p.swing.lost:
		return FaultLost
	case tracked && c.spin > 0:
		return FaultImpossible
	case tracked && (c.turned != 0 || c.late != vec{}):
		return FaultLate
	}
	return ""
}

func small(n int) schemas.Opt[int16] { return schemas.Some(int16(n)) }

// identity returns the pitch's id: its eventId, or what the specification (features.md §6) derives for a
// record without one.
func identity(p *pitch, pk []byte) schemas.PitchID {
	if p.id != (schemas.PitchID{}) {
		return p.id
	}
	bytes := sha256.Sum256(p.value)
	name := slices.Concat(identityNamespace[:], pk, []byte{'\n'}, []byte(hex.EncodeToString(bytes[:])))
	hash := sha1.Sum(name)
	id := schemas.PitchID(hash[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

var identityNamespace, _ = schemas.ParsePitchID("6f1d3b52-5a0e-5c7e-9b7a-2f6f0b6c9d11")
