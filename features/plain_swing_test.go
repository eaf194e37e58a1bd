package features

import (
	"math"
	"slices"
	"sort"

	"github.com/pitchstream/pitchstream/schemas"
)

// plainSample is an element of samples_bat or samples_ball.
type plainSample struct {
	time         *float64
	head, handle []float64 // nil where there is none
	event        any
}

func plainSamples(v any) (samples []plainSample) {
	list, _ := v.([]any)
	for _, e := range list {
		m := e.(map[string]any)
		s := plainSample{head: plainPosition(m["head"]), handle: plainPosition(m["handle"]), event: m["event"]}
		if n, ok := m["time"].(plainNumber); ok {
			s.time = &n.f
		}
		samples = append(samples, s)
	}
	return samples
}

func plainPosition(end any) []float64 {
	m, _ := end.(map[string]any)
	list, _ := m["pos"].([]any)
	var pos []float64
	for _, c := range list {
		if n, ok := c.(plainNumber); ok {
			pos = append(pos, n.f)
		}
	}
	if len(list) != 3 || len(pos) != 3 {
		return nil
	}
	return pos
}

// plainDedup keeps the first of the samples of each time.
func plainDedup(samples []plainSample) (kept []plainSample, dropped int, conflict bool) {
	seen := map[float64]plainSample{}
	for _, s := range samples {
		if s.time == nil {
			kept = append(kept, s)
			continue
		}
		t := *s.time + 0 // −0 becomes 0
		if first, ok := seen[t]; ok {
			dropped++
			conflict = conflict || !slices.Equal(first.head, s.head) || !slices.Equal(first.handle, s.handle)
			continue
		}
		seen[t] = s
		kept = append(kept, s)
	}
	return kept, dropped, conflict
}

func (p *plain) fillSwing(exitVelocity bool) {
	r := &p.row
	bat, dropped, conflict := plainDedup(plainSamples(p.at("samples_bat")))
	ball, droppedBall, _ := plainDedup(plainSamples(p.at("samples_ball")))
	r.BatSamples, r.BallSamples = int32(len(bat)), int32(len(ball))
	r.DuplicateSamples = int32(dropped + droppedBall)
	if conflict {
		p.issue("bat_samples", "conflict")
	}
	r.IsSwing = slices.ContainsFunc(bat, func(s plainSample) bool { return s.head != nil || s.handle != nil })
	if len(bat) == 1 && bat[0].event == "No" {
		r.IsSwing = false
	}
	r.IsContact = exitVelocity || r.PitchAction == "Foul"
	r.IsWhiff = r.IsSwing && !r.IsContact
	if !r.IsSwing {
		return
	}
	r.SwingConfidence = "suspected"
	if r.PitchAction == "Swinging" || r.PitchAction == "Foul" || r.PitchResult == "HitIntoPlay" {
		r.SwingConfidence = "confirmed"
	}
	bat = slices.DeleteFunc(bat, func(s plainSample) bool { return s.time == nil })
	sort.SliceStable(bat, func(i, j int) bool { return *bat[i].time < *bat[j].time })
	r.AttackAngleDeg = p.within("attack_angle_deg", plainAttackAngle(bat), -45, 45)
	speed, confidence := plainBatSpeed(bat)
	r.BatSpeedMPH, r.SpeedConfidence = p.within("bat_speed_mph", speed, 0, 120), confidence
}

func plainAttackAngle(bat []plainSample) (angle schemas.Opt[float64]) {
	bat = slices.DeleteFunc(slices.Clone(bat), func(s plainSample) bool { return s.head == nil })
	if len(bat) < 3 {
		return angle
	}
	fastest := 0.0
	for i := 1; i < len(bat); i++ {
		a, b := bat[i-1], bat[i]
		dt := *b.time - *a.time
		ground := plainGround(b.head[0]-a.head[0], b.head[1]-a.head[1])
		if dt > 0 && ground/dt > fastest {
			fastest = ground / dt
			angle = schemas.Some(math.Atan2(b.head[2]-a.head[2], ground) * 180 / math.Pi)
		}
	}
	return angle
}

// plainGround is math.Hypot, but of equally fast segments the same one must win here and there: where squares
// do no harm the arithmetic is the obvious one.
func plainGround(x, y float64) float64 {
	if m := max(math.Abs(x), math.Abs(y)); m > 1e-100 && m < 1e100 {
		return math.Sqrt(float64(x*x) + float64(y*y))
	}
	return math.Hypot(x, y)
}

func plainBatSpeed(bat []plainSample) (schemas.Opt[float64], schemas.Text) {
	var times []float64
	var spots [][]float64
	for _, s := range bat {
		if s.head == nil || s.handle == nil {
			continue
		}
		bat := plainDistance(s.head, s.handle)
		if bat < 1.5 || bat > 4.0 {
			continue
		}
		spot := make([]float64, 3)
		for k := range spot {
			spot[k] = s.head[k] + (s.handle[k]-s.head[k])/bat*0.5
		}
		times, spots = append(times, *s.time), append(spots, spot)
	}
	if len(spots) < 10 {
		return schemas.Opt[float64]{}, "questionable"
	}
	rejected := 0
	var speeds []float64
	for i := 0; i+3 < len(spots); i++ {
		dt, distance := times[i+3]-times[i], plainDistance(spots[i], spots[i+3])
		if dt < 0.008 || dt > 0.015 || distance > 2.0 {
			rejected++
			continue
		}
		speeds = append(speeds, distance/dt*0.681818)
	}
	if len(speeds) == 0 {
		return schemas.Opt[float64]{}, "questionable"
	}
	best := slices.Max(speeds)
	if len(speeds) >= 5 && float64(rejected)/float64(len(spots)-3) <= 0.20 && best <= 95 {
		return schemas.Some(best), "reliable"
	}
	return schemas.Some(best), "questionable"
}

func plainDistance(a, b []float64) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}
