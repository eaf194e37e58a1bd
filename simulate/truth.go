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
	spinMinRPM     = 500
	reliableMaxMPH = 95
	issueSpinRange = "spin_rate_rpm:range"
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
	r.AttackAngleDeg = schemas.Some(p.swing.attackDeg)
	r.SpeedConfidence = schemas.SpeedQuestionable
	if p.swing.lost {
		return
	}
	speed := p.swing.batSpeedMPH()
	if r.BatSpeedMPH = schemas.Some(speed); speed <= reliableMaxMPH {
		r.SpeedConfidence = schemas.SpeedReliable
	}
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
