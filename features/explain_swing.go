package features

import (
	"fmt"
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// BatSpeedView is how bat_speed_mph came about: every window, and which one won. Beside batSpeed, which keeps none.
type BatSpeedView struct {
	Samples  int      `json:"samples"` // with a time
	Spots    int      `json:"spots"`   // of them, those that have a sweet spot
	Without  []Window `json:"without"` // the others, and why: From is when
	Windows  []Window `json:"windows"` // each of three frames, in their order
	Accepted int      `json:"accepted"`
	Rejected int      `json:"rejected"`
	// Fastest is the window that won, in Windows; −1: none.
	Fastest    int                  `json:"fastest"`
	SpeedMPH   schemas.Opt[float64] `json:"speed_mph"` // before its range is checked
	Confidence schemas.Text         `json:"confidence"`
	Why        string               `json:"why"` // the confidence is that
}

// Window is the way of the sweet spot from one sample to the third after it.
type Window struct {
	FromS      float64              `json:"from_s"`
	ToS        float64              `json:"to_s"`
	DurationS  float64              `json:"duration_s"`
	DistanceFT float64              `json:"distance_ft"`
	SpeedMPH   schemas.Opt[float64] `json:"speed_mph"`        // of an accepted one
	Reason     string               `json:"reason,omitempty"` // why it was rejected
	Detail     string               `json:"detail,omitempty"` // the same with its numbers
}

// Why a sample has no sweet spot, and why a window is rejected.
const (
	ReasonNoEnds   = "no head or no handle"
	ReasonLength   = "head and handle are not 1.5–4.0 ft apart"
	ReasonDuration = "not 8–15 ms long"
	ReasonDistance = "the sweet spot jumped more than 2.0 ft"
)

// viewBatSpeed follows the rules of batSpeed, window by window.
func viewBatSpeed(samples []batSample) *BatSpeedView {
	v := &BatSpeedView{Samples: len(samples), Fastest: -1, Without: []Window{}, Windows: []Window{}}
	var spots []spot
	for i := range samples {
		s, ok := sweetSpot(&samples[i])
		if ok {
			spots = append(spots, s)
		} else {
			v.Without = append(v.Without, without(&samples[i]))
		}
	}
	v.Spots = len(spots)
	for i := windowFrames; i < len(spots); i++ {
		w := viewWindow(spots[i-windowFrames], spots[i])
		if v.Windows = append(v.Windows, w); !w.SpeedMPH.Present {
			v.Rejected++
			continue
		}
		v.Accepted++
		// guard: explain: the window that won is the first of the fastest | > v.Windows -> < v.Windows
		if v.Fastest < 0 || w.SpeedMPH.Value > v.Windows[v.Fastest].SpeedMPH.Value {
			v.Fastest = len(v.Windows) - 1
		}
	}
	v.conclude()
	return v
}

func without(s *batSample) Window {
	w := Window{FromS: s.timeS, ToS: s.timeS, Reason: ReasonNoEnds}
	if s.hasHead && s.hasHandle {
		w.DistanceFT = notInf(length3(s.handle.x-s.head.x, s.handle.y-s.head.y, s.handle.z-s.head.z))
		w.Reason, w.Detail = ReasonLength, fmt.Sprintf("%.3g ft", w.DistanceFT)
	}
	return w
}

func viewWindow(from, to spot) Window {
	w := Window{FromS: from.timeS, ToS: to.timeS, DurationS: notInf(to.timeS - from.timeS), DistanceFT: notInf(length3(to.x-from.x, to.y-from.y, to.z-from.z))}
	if mph, ok := windowSpeed(from, to); ok {
		w.SpeedMPH = schemas.Some(mph)
	} else if !(minWindowS <= w.DurationS && w.DurationS <= maxWindowS) {
		w.Reason, w.Detail = ReasonDuration, fmt.Sprintf("%.4g ms", 1000*w.DurationS)
	} else {
		w.Reason, w.Detail = ReasonDistance, fmt.Sprintf("%.4g ft", w.DistanceFT)
	}
	return w
}

// notInf keeps a number that JSON has not out of it.
func notInf(f float64) float64 {
	return min(max(f, -math.MaxFloat64), math.MaxFloat64)
}

func (v *BatSpeedView) conclude() {
	v.Confidence = schemas.SpeedQuestionable
	switch {
	// guard: explain: few spots give no speed
	case v.Spots < minSpots:
		v.Fastest = -1
		v.Why = fmt.Sprintf("%d samples have a sweet spot, fewer than %d: no speed", v.Spots, minSpots)
		return
	case v.Accepted == 0:
		v.Why = "no window was accepted: no speed"
		return
	}
	v.SpeedMPH = v.Windows[v.Fastest].SpeedMPH
	v.SpeedMPH.Value = max(0, v.SpeedMPH.Value) // as batSpeed begins at 0
	share := float64(v.Rejected) / float64(v.Accepted+v.Rejected)
	switch {
	case v.Accepted < minWindows:
		v.Why = fmt.Sprintf("%d windows were accepted, fewer than %d", v.Accepted, minWindows)
	// guard: explain: rejected windows count | share > maxRejected -> share > 2
	case share > maxRejected:
		v.Why = fmt.Sprintf("%.1f %% of the windows were rejected, more than %.0f %%", 100*share, 100*maxRejected)
	case v.SpeedMPH.Value > maxReliable:
		v.Why = fmt.Sprintf("more than %d mph", maxReliable)
	default:
		v.Confidence = schemas.SpeedReliable
		v.Why = fmt.Sprintf("%d windows accepted, %.1f %% rejected, at most %d mph", v.Accepted, 100*share, maxReliable)
	}
}

// AttackAngleView is how attack_angle_deg came about.
type AttackAngleView struct {
	Heads int `json:"heads"` // samples with a time and a head
	// The segment in which the head moved fastest over the ground; none where there are fewer than three heads, or the
	// head never moved sideways.
	FromS       schemas.Opt[float64] `json:"from_s"`
	ToS         schemas.Opt[float64] `json:"to_s"`
	GroundFTPS  schemas.Opt[float64] `json:"ground_ft_per_s"`
	RiseFT      schemas.Opt[float64] `json:"rise_ft"`
	AngleDeg    schemas.Opt[float64] `json:"angle_deg"` // before its range is checked
	Explanation string               `json:"why"`
}

// viewAttackAngle follows the rules of attackAngle.
func viewAttackAngle(samples []batSample) *AttackAngleView {
	v := &AttackAngleView{}
	fastest := 0.0
	var last *batSample
	for i := range samples {
		s := &samples[i]
		if !s.hasHead {
			continue
		}
		if v.Heads++; last != nil {
			ground := length2(s.head.x-last.head.x, s.head.y-last.head.y)
			if speed := ground / (s.timeS - last.timeS); speed > fastest {
				fastest = speed
				rise := s.head.z - last.head.z
				v.FromS, v.ToS = schemas.Some(last.timeS), schemas.Some(s.timeS)
				v.GroundFTPS, v.RiseFT = schemas.Some(notInf(speed)), schemas.Some(notInf(rise))
				v.AngleDeg = schemas.Some(math.Atan2(rise, ground) * (180 / math.Pi))
			}
		}
		last = s
	}
	switch {
	case v.Heads < 3:
		*v = AttackAngleView{Heads: v.Heads, Explanation: fmt.Sprintf("%d samples have a head, fewer than 3: no angle", v.Heads)}
	case !v.AngleDeg.Present:
		v.Explanation = "the head never moved sideways: no angle"
	default:
		v.Explanation = "where the head was fastest over the ground"
	}
	return v
}
