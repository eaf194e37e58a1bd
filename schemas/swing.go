package schemas

// Point is a position in feet: x across the plate (right positive from the catcher's view), y toward the
// pitcher, z up.
type Point [3]float64

// SwingPath is the movement of bat and ball in one record, thinned for drawing. Times are seconds since the
// ball's release.
type SwingPath struct {
	// Bat is the bat's track by time, without samples recorded far out of order and without breaks.
	Bat []BatPoint
	// Pitch is the ball on its way to the plate. Hit is the ball from the contact until the tracker loses it,
	// six seconds at most.
	Pitch, Hit []BallPoint
	// Contact is nil if the record has none.
	Contact *Contact
	// PeakS is when the bat was fastest.
	PeakS Opt[float64]
	// Sampled counts the samples before thinning.
	Sampled SampleCounts
}

// BatPoint is the bat at one time. An end that the record does not have is missing.
type BatPoint struct {
	TimeS    float64      `json:"t" doc:"Seconds since the ball's release"`
	Head     Opt[Point]   `json:"head" doc:"x, y, z in feet"`
	Handle   Opt[Point]   `json:"handle" doc:"x, y, z in feet"`
	SpeedMPH Opt[float64] `json:"speed_mph" doc:"Speed of the sweet spot over some 10 ms, in mph; null where the track cannot be believed"`
}

// BallPoint is the ball at one time.
type BallPoint struct {
	TimeS float64 `json:"t" doc:"Seconds since the ball's release"`
	Pos   Point   `json:"pos" doc:"x, y, z in feet"`
}

// Contact is where ball and bat met, or were nearest.
type Contact struct {
	TimeS float64 `json:"t" doc:"Seconds since the ball's release"`
	Pos   Point   `json:"pos" doc:"x, y, z in feet: the ball, else the bat's sweet spot"`
	Kind  string  `json:"kind" enum:"hit,nearest" doc:"hit: they met; nearest: they missed each other here"`
}

// Kinds of contact. ContactNearest is that of a swing that missed.
const (
	ContactHit     = "hit"
	ContactNearest = "nearest" // of a swing that missed
)

// SampleCounts count the samples of a record, each time once.
type SampleCounts struct {
	Bat  int `json:"bat" doc:"Of the bat"`
	Ball int `json:"ball" doc:"Of the ball"`
}
