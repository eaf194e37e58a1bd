package simulate

import (
	"math"
	"strconv"

	"github.com/pitchstream/pitchstream/schemas"
)

// scratch is memory that one pitch after the other uses.
type scratch struct {
	pitch pitch
	buf   []byte
}

// write makes the record of p: p.value, of which p.tail are the samples.
func (s *scratch) write(p *pitch) {
	b := p.appendHead(s.buf[:0])
	head := len(b)
	b = p.appendTail(b)
	s.buf = b
	p.value = append(make([]byte, 0, len(b)), b...)
	p.tail = p.value[head:]
}

// rewrite makes the record of a correction: another head, the same samples.
func (p *pitch) rewrite() []byte {
	return append(p.appendHead(make([]byte, 0, len(p.value)+64)), p.tail...)
}

const unitsJSON = `{"units": {"length": "foot", "velocity": "mph", "acceleration": "mph/s", "angle": "degree"}`

// appendHead writes all that comes before the samples.
func (p *pitch) appendHead(b []byte) []byte {
	f := callTable[p.call]
	b = append(b, unitsJSON...)
	b = append(b, `, "summary_acts": {"pitch": {"eventId": `...)
	b = appendID(b, p.id)
	b = append(b, `, "type": `...)
	b = appendWord(b, p.typeName)
	b = append(b, `, "result": `...)
	b = appendWord(b, f.result)
	b = append(b, `, "action": `...)
	b = appendWord(b, p.action())
	b = appendSpeedAndSpin(b, p.measured, p.speedMPH, p.spinRPM)
	b = append(b, `}, "hit": {"eventId": `...)
	b = appendID(b, p.hitID)
	b = appendSpeedAndSpin(b, p.batted.tracked, p.batted.exitMPH, p.batted.spinRPM)
	b = append(b, `}, "stroke": {"type": {}, "attempt": {}}}, "summary_score": `...)
	b = p.appendScore(b)
	b = append(b, `, "events": [`...)
	b = p.appendEvent(b)
	return append(b, `], "samples_ball": `...)
}

// action is the record's word for the call; of pickoffs it names the base.
func (p *pitch) action() string {
	if p.call == pickoff && p.thrownTo == onSecond {
		return "ThrowToSecond"
	}
	return callTable[p.call].action
}

func (p *pitch) appendScore(b []byte) []byte {
	s := &p.score
	b = append(b, `{"runs": {"game": `...)
	b = appendRuns(b, s.runs)
	b = append(b, `, "innings": [`...)
	for i, runs := range s.line {
		b = comma(b, i)
		b = appendRuns(b, runs)
	}
	b = appendInt(append(b, `], "play": `...), p.play.runs)
	b = appendInt(append(b, `}, "outs": {"inning": `...), s.outs)
	b = appendInt(append(b, `, "play": `...), p.play.outs)
	b = appendInt(append(b, `}, "count": {"balls": {"plateAppearance": `...), s.balls)
	b = appendInt(append(b, `, "play": `...), p.play.balls)
	b = appendInt(append(b, `}, "strikes": {"plateAppearance": `...), s.strikes)
	b = appendInt(append(b, `, "play": `...), p.play.strikes)
	return append(b, `}}}`...)
}

func appendRuns(b []byte, runs [2]int) []byte {
	b = appendInt(append(b, `{"team1": `...), runs[0])
	b = appendInt(append(b, `, "team2": `...), runs[1])
	return append(b, '}')
}

// appendEvent writes the batted ball and its batter, where the ball was measured.
func (p *pitch) appendEvent(b []byte) []byte {
	if !p.batted.tracked {
		return b
	}
	b = append(b, `{"start": {"angle": [`...)
	b = appendFloat(b, p.batted.sprayDeg)
	b = append(b, ", "...)
	b = appendFloat(b, p.batted.launchDeg)
	b = append(b, `]}, "type": "Hit", "teamId": {"mlbId": `...)
	b = strconv.AppendInt(b, p.ids.TeamID.Value, 10)
	b = append(b, `}, "personId": {"mlbId": `...)
	b = strconv.AppendInt(b, p.ids.BatterID.Value, 10)
	b = append(b, `}, "eventId": `...)
	b = appendID(b, p.hitID)
	return append(b, '}')
}

func appendSpeedAndSpin(b []byte, measured bool, mph float64, rpm int) []byte {
	if !measured {
		return append(b, `, "speed": {"mph": null, "kph": null, "mps": null}, "spin": {"rpm": null}`...)
	}
	b = appendFloat(append(b, `, "speed": {"mph": `...), math.Round(mph))
	b = appendFloat(append(b, `, "kph": `...), math.Round(mph*1.609344))
	b = appendFloat(append(b, `, "mps": `...), math.Round(mph*0.44704))
	b = appendInt(append(b, `}, "spin": {"rpm": `...), rpm)
	return append(b, '}')
}

// appendTail writes the samples and ends the record.
func (p *pitch) appendTail(b []byte) []byte {
	b = append(b, '[')
	for i := range p.ball.samples {
		b = comma(b, i)
		b = appendBallSample(b, &p.ball.samples[i])
	}
	b = append(b, `], "samples_bat": [`...)
	if !p.hasSwing {
		return append(b, `{"event": "No"}]}`...)
	}
	n := 0
	for s := range p.swing.seen(p.batted.tracked) {
		b = appendBatSample(comma(b, n), &s)
		n++
	}
	return append(b, `]}`...)
}

func appendBallSample(b []byte, s *ballSample) []byte {
	b = appendFloat(append(b, `{"time": `...), s.time)
	b = appendVec(append(b, `, "pos": `...), s.pos)
	if !s.bare {
		b = appendVec(append(b, `, "vel": `...), s.vel)
		b = appendVec(append(b, `, "acc": `...), s.acc)
	}
	return append(b, '}')
}

func appendBatSample(b []byte, s *batSample) []byte {
	b = append(b, '{')
	if s.event != "" {
		b = append(b, `"event": "`...)
		b = append(b, s.event...)
		b = append(b, `", `...)
	}
	b = appendFloat(append(b, `"time": `...), s.time)
	b = appendVec(append(b, `, "head": {"pos": `...), s.head)
	b = appendVec(append(b, `}, "handle": {"pos": `...), s.handle)
	return append(b, `}}`...)
}

func appendVec(b []byte, v vec) []byte {
	b = appendMeasure(append(b, '['), v.x)
	b = appendMeasure(append(b, ", "...), v.y)
	b = appendMeasure(append(b, ", "...), v.z)
	return append(b, ']')
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }

// appendID writes an id, {} for none.
func appendID(b []byte, id schemas.PitchID) []byte {
	if id == (schemas.PitchID{}) {
		return append(b, "{}"...)
	}
	return appendWord(b, id.String())
}

// appendWord writes a word that needs no escapes, {} for none.
func appendWord(b []byte, word string) []byte {
	if word == "" {
		return append(b, "{}"...)
	}
	b = append(b, '"')
	b = append(b, word...)
	return append(b, '"')
}

func comma(b []byte, i int) []byte {
	if i == 0 {
		return b
	}
	return append(b, ", "...)
}
