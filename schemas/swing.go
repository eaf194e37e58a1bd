package schemas

// Point is a place in feet: x across the plate (catcher's view, right positive), y toward the pitcher, z up.
type Point [3]float64

// SwingPath is what a record shows of a swing, thinned out for drawing. Times are seconds since the ball's release.
type SwingPath struct {
	// Bat is the track without what is thrown out of order and without breaks, by time.
	Bat []BatPoint
	// Pitch is the ball on its way to the plate, Hit what follows: from the contact until it is lost, or for six seconds.
	Pitch, Hit []BallPoint
	Contact    *Contact     // nil where the record does not tell
	PeakS      Opt[float64] // when the bat was fastest
	Sampled    SampleCounts // before thinning out
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

// Contact is where the ball and the bat met, or were nearest.
type Contact struct {
	TimeS float64 `json:"t" doc:"Seconds since the ball's release"`
	Pos   Point   `json:"pos" doc:"x, y, z in feet: the ball, else the bat's sweet spot"`
	Kind  string  `json:"kind" enum:"hit,nearest" doc:"hit: they met; nearest: they missed each other here"`
}

// The kinds of contact.
const (
	ContactHit     = "hit"
	ContactNearest = "nearest" // of a swing that missed
)

// SampleCounts count the samples of a record, each time once.
type SampleCounts struct {
	Bat  int `json:"bat" doc:"Of the bat"`
	Ball int `json:"ball" doc:"Of the ball"`
}
