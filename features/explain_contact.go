package features

import (
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// This file shows the second half of the core: the parabola through the pitch, and the contact of bat and
// ball with the estimates of its speed. The values are copied after the stages have run, before their ranges
// are checked, because an impossible value is what a person wants to see.

// FlightView shows the parabola through the pitch. It observes followPitch.
type FlightView struct {
	// Samples counts those of the flight. Path has a polynomial each for x, y and z: feet at FromS, ft/s, and
	// half the acceleration in ft/s².
	Samples int           `json:"samples"`
	FromS   float64       `json:"from_s"`
	LastS   float64       `json:"last_s"`
	Path    [3][3]float64 `json:"path"`
	RMSFT   float64       `json:"rms_ft"`
	// ReleaseS and PlateS are when the ball is 50 ft away and at the front of the plate.
	ReleaseS schemas.Opt[float64] `json:"release_s"`
	PlateS   schemas.Opt[float64] `json:"plate_s"`
	// DepartureS is when the ball was first seen after it met the bat.
	DepartureS   schemas.Opt[float64] `json:"departure_s"`
	ZoneTopFT    float64              `json:"zone_top_ft"`
	ZoneBottomFT float64              `json:"zone_bottom_ft"`
	// Why says what the flight gave, or why it gave nothing.
	Why string `json:"why"`
}

// At returns where the parabola has the ball at a time.
func (v *FlightView) At(timeS float64) (at schemas.Point) {
	u := timeS - v.FromS
	for i, p := range v.Path {
		at[i] = (p[2]*u+p[1])*u + p[0]
	}
	return at
}

// ContactView shows how bat and ball met. It observes contactColumns.
type ContactView struct {
	// Contact was searched from FromS to ToS.
	FromS  schemas.Opt[float64] `json:"from_s"`
	ToS    schemas.Opt[float64] `json:"to_s"`
	TimeS  schemas.Opt[float64] `json:"time_s"`
	Source schemas.Text         `json:"source"`
	// Frames are the movements of the sweet spot that were fitted, in order of time.
	Frames []ContactFrame `json:"frames"`
	// SpeedMPH is the speed at contact by the fit, with its standard error. LateMPH and CubicMPH are what two
	// other estimates have, and SpreadMPH is how far the three are apart.
	SpeedMPH  schemas.Opt[float64] `json:"speed_mph"`
	ErrorMPH  schemas.Opt[float64] `json:"error_mph"`
	LateMPH   schemas.Opt[float64] `json:"late_mph"`
	CubicMPH  schemas.Opt[float64] `json:"cubic_mph"`
	SpreadMPH schemas.Opt[float64] `json:"spread_mph"`
	// Head and Handle are the ends of the bat at contact, and Ball is the middle of the ball.
	Head   schemas.Opt[schemas.Point] `json:"head"`
	Handle schemas.Opt[schemas.Point] `json:"handle"`
	Ball   schemas.Opt[schemas.Point] `json:"ball"`
	Doubts []string                   `json:"doubts"`
	// Why says where the contact is from, or why there is none.
	Why string `json:"why"`
}

// ContactFrame is the movement of the sweet spot from one sample to the next.
type ContactFrame struct {
	TimeS        float64 `json:"time_s"`
	SpeedMPH     float64 `json:"speed_mph"`
	AttackDeg    float64 `json:"attack_deg"`
	DirectionDeg float64 `json:"direction_deg"`
}

// seeFlight keeps the fit of a flight, and says why there is none. It repeats the conditions of followPitch
// in their order. A flight without a fit has no path, because its coefficients would mislead.
func (e *Explanation) seeFlight(f *flight) {
	if e == nil {
		return
	}
	v := &FlightView{Samples: f.samples, ZoneTopFT: f.topFT, ZoneBottomFT: f.bottomFT}
	e.Flight = v
	// The ball may leave the bat even where its flight is too short for a fit.
	if f.departs {
		v.DepartureS = finite(f.departure.timeS)
	}
	if f.samples < minFlightSamples {
		v.Why = fmt.Sprintf("%d samples, fewer than %d: no flight", f.samples, minFlightSamples)
		return
	}
	v.FromS, v.LastS, v.RMSFT = notInf(f.fromS), notInf(f.lastS), finite(f.rmsFT).Value
	v.Why = fmt.Sprintf("%.3g ft from a parabola, more than %.2f ft: no flight", v.RMSFT, maxFlightRMSFT)
	if !f.isFit {
		return
	}
	// The path may be extended beyond its samples: to 50 ft, to the plate and to the contact.
	for i := range v.Path {
		v.Path[i] = [3]float64(f.path[i][:3])
	}
	v.Why = "the parabola does not come from 50 ft to the plate within a second"
	if f.hasPlate {
		v.ReleaseS, v.PlateS = finite(f.releaseS), finite(f.plateS)
		v.Why = fmt.Sprintf("a parabola through %d samples, %.2g ft from them", f.samples, v.RMSFT)
	}
}

// seeContact keeps how the contact was found and measured, as far as it got. Every way out before the end
// leaves the rest of the view missing, and Why names the first thing that was not there.
func (e *Explanation) seeContact(c *contact, row *schemas.Row) {
	if e == nil || !row.IsSwing {
		return
	}
	v := &ContactView{Frames: []ContactFrame{}, Doubts: []string{}}
	e.Contact = v
	if c.loS == 0 && c.hiS == 0 {
		v.Why = fmt.Sprintf("fewer than %d sweet spots", minSpots)
		return
	}
	// From here on the time is bounded, whether or not anything was found in it.
	v.FromS, v.ToS = finite(c.loS), finite(c.hiS)
	if v.Source = c.source; c.source == "" {
		v.Why = "no mark, no turn of the ball and no bat near it in that time"
		return
	}
	v.TimeS, v.Why = finite(c.timeS), contactWhy[c.source]
	if c.frames[0] == (frame{}) {
		v.Why += fmt.Sprintf("; fewer than %d sweet spots in the %.0f ms before", speedFrames+1, 1000*speedSpanS)
		return
	}
	// JSON has no numbers that are not finite. A track with two samples at almost one time may give some, and
	// shows 0 or the greatest number then.
	for _, f := range c.frames {
		v.Frames = append(v.Frames, ContactFrame{
			notInf(f.timeS), finite(f.speedMPH).Value, finite(f.attackDeg).Value, finite(f.directionDeg).Value,
		})
	}
	v.SpeedMPH, v.ErrorMPH = finite(c.speedMPH), finite(c.errorMPH)
	v.LateMPH, v.CubicMPH, v.SpreadMPH = finite(c.lateMPH), c.cubicMPH, row.ContactBatSpeedSpreadMPH
	// The ends are extrapolated from the 20 ms before, so they are not those of any sample.
	if c.hasEnds {
		v.Head, v.Handle = c.head.asPoint(), c.handle.asPoint()
	}
	if e.Flight.Path != [3][3]float64{} {
		ball := e.Flight.At(c.timeS)
		v.Ball = point{ball[0], ball[1], ball[2]}.asPoint()
	}
	v.Doubts = append(v.Doubts, row.ContactDoubts...)
}

// contactWhy says what the sources of a contact mean.
var contactWhy = map[schemas.Text]string{
	schemas.ContactByEvent:   "the tracker marked it",
	schemas.ContactByBall:    "the ball turned there",
	schemas.ContactByNearest: "the bat was nearest to the ball there",
}

// asPoint returns a point as it is published; missing if it is no number, because JSON has none that is not
// finite.
func (p point) asPoint() (at schemas.Opt[schemas.Point]) {
	for _, f := range []float64{p.x, p.y, p.z} {
		if !finite(f).Present {
			return at
		}
	}
	return schemas.Some(schemas.Point{p.x, p.y, p.z})
}
