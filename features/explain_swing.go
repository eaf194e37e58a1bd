package features

import (
	"fmt"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// BatSpeedView shows how bat_speed_mph came about: every window, and which one won. It observes batSpeed.
type BatSpeedView struct {
	// Samples counts the samples with a time, Spots those of them that have a sweet spot.
	Samples int `json:"samples"`
	Spots   int `json:"spots"`
	// Without are the other samples, and why they have none. FromS is their time.
	Without []Window `json:"without"`
	// Windows are those of three frames each, in order of time.
	Windows  []Window `json:"windows"`
	Accepted int      `json:"accepted"`
	Rejected int      `json:"rejected"`
	// Fastest is the index in Windows of the window that gives the speed; −1 if there is no speed.
	Fastest int `json:"fastest"`
	// SpeedMPH is the speed before its range is checked.
	SpeedMPH   schemas.Opt[float64] `json:"speed_mph"`
	Confidence schemas.Text         `json:"confidence"`
	// Why is the reason for the confidence.
	Why string `json:"why"`
}

// Window is the path of the sweet spot from one sample to the third after it.
type Window struct {
	FromS      float64 `json:"from_s"`
	ToS        float64 `json:"to_s"`
	DurationS  float64 `json:"duration_s"`
	DistanceFT float64 `json:"distance_ft"`
	// SpeedMPH is that of an accepted window.
	SpeedMPH schemas.Opt[float64] `json:"speed_mph"`
	// Reason says why the window was rejected, Detail gives the number at fault with its unit.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Reasons for which a sample has no sweet spot, or a window is rejected.
const (
	ReasonNoEnds   = "no head or no handle"
	ReasonLength   = "head and handle are not 1.5–4.0 ft apart"
	ReasonDuration = "not 8–15 ms long"
	ReasonDistance = "the sweet spot jumped more than 2.0 ft"
)

// seeNoSpot notes a sample that has no sweet spot.
func (v *BatSpeedView) seeNoSpot(s *batSample) {
	w := Window{FromS: s.timeS, ToS: s.timeS, Reason: ReasonNoEnds}
	// With both ends known, the reason is their distance.
	if s.hasHead && s.hasHandle {
		w.DistanceFT = notInf(length3(s.handle.x-s.head.x, s.handle.y-s.head.y, s.handle.z-s.head.z))
		w.Reason, w.Detail = ReasonLength, fmt.Sprintf("%.3g ft", w.DistanceFT)
	}
	v.Without = append(v.Without, w)
}

// seeWindow notes a window, and why it was rejected if it was.
func (v *BatSpeedView) seeWindow(from, to spot, mph float64, accepted bool) {
	w := Window{
		FromS: from.timeS, ToS: to.timeS, DurationS: notInf(to.timeS - from.timeS),
		DistanceFT: notInf(length3(to.x-from.x, to.y-from.y, to.z-from.z)),
	}
	if accepted {
		v.Accepted++
		w.SpeedMPH = schemas.Some(mph)
	} else if v.Rejected++; !(minWindowS <= w.DurationS && w.DurationS <= maxWindowS) {
		w.Reason, w.Detail = ReasonDuration, fmt.Sprintf("%.4g ms", 1000*w.DurationS)
	} else {
		w.Reason, w.Detail = ReasonDistance, fmt.Sprintf("%.4g ft", w.DistanceFT)
	}
	v.Windows = append(v.Windows, w)
}

// notInf returns the finite number nearest to f, because JSON has no infinity.
func notInf(f float64) float64 {
	return min(max(f, -math.MaxFloat64), math.MaxFloat64)
}

// conclude keeps the result of batSpeed and says why its confidence is what it is. On a nil view it does
// nothing.
func (v *BatSpeedView) conclude(spots int, speed schemas.Opt[float64], confidence schemas.Text) {
	if v == nil {
		return
	}
	v.Samples, v.Spots = spots+len(v.Without), spots
	v.SpeedMPH, v.Confidence = speed, confidence
	v.Fastest = slices.IndexFunc(v.Windows, func(w Window) bool {
		// guard: explain: the window that won is the first of the fastest | == speed -> != speed
		return speed.Present && w.SpeedMPH == speed
	})
	v.Why = v.why()
}

// why repeats the conditions of batSpeed in their order.
func (v *BatSpeedView) why() string {
	share := float64(v.Rejected) / float64(v.Accepted+v.Rejected)
	switch {
	// guard: explain: few spots give no speed
	case v.Spots < minSpots:
		return fmt.Sprintf("%d samples have a sweet spot, fewer than %d: no speed", v.Spots, minSpots)
	case v.Accepted == 0:
		return "no window was accepted: no speed"
	case v.Accepted < minWindows:
		return fmt.Sprintf("%d windows were accepted, fewer than %d", v.Accepted, minWindows)
	// guard: explain: rejected windows count | share > maxRejected -> share > 2
	case share > maxRejected:
		return fmt.Sprintf("%.1f %% of the windows were rejected, more than %.0f %%", 100*share, 100*maxRejected)
	case v.SpeedMPH.Value > maxReliable:
		return fmt.Sprintf("more than %d mph", maxReliable)
	}
	return fmt.Sprintf("%d windows accepted, %.1f %% rejected, at most %d mph",
		v.Accepted, 100*share, maxReliable)
}

// AttackAngleView shows how attack_angle_deg came about. It observes attackAngle.
type AttackAngleView struct {
	// Heads counts the samples with a time and a head.
	Heads int `json:"heads"`
	// The segment in which the head moved fastest over the ground; missing with fewer than three heads, and
	// where the head never moved sideways.
	FromS      schemas.Opt[float64] `json:"from_s"`
	ToS        schemas.Opt[float64] `json:"to_s"`
	GroundFTPS schemas.Opt[float64] `json:"ground_ft_per_s"`
	RiseFT     schemas.Opt[float64] `json:"rise_ft"`
	// AngleDeg is the angle before its range is checked.
	AngleDeg    schemas.Opt[float64] `json:"angle_deg"`
	Explanation string               `json:"why"`
}

// seeSegment notes a segment that is faster than all before it.
func (v *AttackAngleView) seeSegment(from, to *batSample, groundFTPS float64) {
	v.FromS, v.ToS = schemas.Some(from.timeS), schemas.Some(to.timeS)
	v.GroundFTPS = schemas.Some(notInf(groundFTPS))
	v.RiseFT = schemas.Some(notInf(to.head.z - from.head.z))
}

// conclude keeps the result of attackAngle and says where it comes from. On a nil view it does nothing.
func (v *AttackAngleView) conclude(heads int, angle schemas.Opt[float64]) {
	switch {
	case v == nil:
		return
	case heads < minHeads:
		why := fmt.Sprintf("%d samples have a head, fewer than %d: no angle", heads, minHeads)
		*v = AttackAngleView{Explanation: why}
	case !angle.Present:
		v.Explanation = "the head never moved sideways: no angle"
	default:
		v.Explanation = "where the head was fastest over the ground"
	}
	v.Heads, v.AngleDeg = heads, angle
}
