package features

import (
	"math"
	"math/bits"

	"github.com/pitchstream/pitchstream/schemas"
)

// This file judges whether the values at contact can be believed. Each doubt is something that no bat does,
// or that the estimates do not agree about.

// doubt is a reason to question a contact. The constants are in the alphabetical order of their names.
type doubt uint8

const (
	doubtBall doubt = iota
	doubtBatLength
	doubtHandleSpeed
	doubtLateChange
	doubtSpeed
	doubtSpread
	doubtTilt
	doubtTurnRate
	doubtCount
)

var doubtNames = [doubtCount]string{
	doubtBall: "ball", doubtBatLength: "bat_length", doubtHandleSpeed: "handle_speed",
	doubtLateChange: "late_change", doubtSpeed: "speed", doubtSpread: "spread", doubtTilt: "tilt",
	doubtTurnRate: "turn_rate",
}

// doubtSet is a set of doubts, one bit each.
type doubtSet uint8

// doubtLists are the names of every set, sorted. Rows share them, because a list of its own would be one more
// allocation a record, and no code changes a row's doubts.
var doubtLists = func() (lists [1 << doubtCount][]string) {
	for set := range lists {
		names := make([]string, 0, bits.OnesCount(uint(set)))
		for d, name := range doubtNames {
			if set&(1<<d) != 0 {
				names = append(names, name)
			}
		}
		lists[set] = names
	}
	return lists
}()

// Limits beyond which a contact is doubted.
const (
	// The hands are slow when the head is fast, and a bat turns by 2,100–2,900° a second at contact.
	maxHandleMPH     = 45
	maxTurnDPS       = 3300
	maxLengthFT      = 0.4 / 12 // of the difference between the longest and the shortest bat
	maxLateChangeMPH = 12
	lateChangeS      = 0.015 // before contact: where the speed is compared
	maxSpreadMPH     = 5
	maxSpeedMPH      = 95
	maxTiltDeg       = 60
	// A ball that was hit is as far from the bat's axis as the radii of both, 2.6 inches.
	minMissIn, maxMissIn = 1.5, 4.0
)

// doubtColumns fills the confidence in the contact and the doubts about it. It needs the other columns of the
// contact, so it comes last. A missing value raises no doubt but one: a ball that was hit must have been near
// the bat, so an unknown miss distance is doubtful too.
func doubtColumns(b *rowBuilder, c *contact) {
	row := b.row
	c.doubtBody(b.d.bat.samples)
	// A bat gains no 12 mph in the last 15 ms. The tracks of a fifth of all swings do, at the seam.
	nearest := &c.frames[0]
	for i := range c.frames {
		now := &c.frames[i]
		if math.Abs(now.timeS-(c.timeS-lateChangeS)) < math.Abs(nearest.timeS-(c.timeS-lateChangeS)) {
			nearest = now
		}
	}
	c.addIf(doubtLateChange, math.Abs(c.speedMPH-nearest.speedMPH) > maxLateChangeMPH)
	c.addIf(doubtSpread, row.ContactBatSpeedSpreadMPH.Value > maxSpreadMPH)
	c.addIf(doubtSpeed, c.speedMPH > maxSpeedMPH)
	c.addIf(doubtTilt, row.SwingPathTiltDeg.Value > maxTiltDeg)
	miss := row.MissDistanceIn
	met := miss.Present && minMissIn <= miss.Value && miss.Value <= maxMissIn
	c.addIf(doubtBall, row.IsContact && !met)
	row.ContactDoubts = doubtLists[c.doubts]
	if row.ContactConfidence = schemas.SpeedReliable; c.doubts != 0 {
		row.ContactConfidence = schemas.SpeedQuestionable
	}
}

// addIf adds a doubt to the set if there is one. The set is a number, because its list of names exists once
// for every set and costs a record no allocation.
func (c *contact) addIf(d doubt, doubted bool) {
	if doubted {
		c.doubts |= 1 << d
	}
}

// doubtBody doubts a bat that is not one: whose handle is as fast as its head should be, that turns faster
// than hands can, or that changes its length. It looks at the last samples with both ends.
func (c *contact) doubtBody(samples []batSample) {
	var last [speedFrames + 1]*batSample
	n := 0
	before := span(samples, c.timeS-speedSpanS, c.timeS+nowS)
	for i := len(before) - 1; i >= 0 && n < len(last); i-- {
		if before[i].hasHead && before[i].hasHandle {
			last[n] = &before[i]
			n++
		}
	}
	// The frames are those at the end: last has the newest sample first.
	const frames = 3
	if n <= frames {
		return
	}
	handleMPH, turnDPS := 0.0, 0.0
	for i := range frames {
		now, before := last[i], last[i+1]
		dt := now.timeS - before.timeS
		handleMPH += now.handle.distance(before.handle) / (dt * fpsPerMPH * frames)
		from, to := before.head.minus(before.handle), now.head.minus(now.handle)
		turnDPS += math.Atan2(from.cross(to).length(), from.dot(to)) * degrees / (dt * frames)
	}
	longest, shortest := 0.0, math.Inf(1)
	for _, s := range last[:n] {
		length := s.head.distance(s.handle)
		longest, shortest = max(longest, length), min(shortest, length)
	}
	c.addIf(doubtHandleSpeed, handleMPH > maxHandleMPH)
	c.addIf(doubtTurnRate, turnDPS > maxTurnDPS)
	c.addIf(doubtBatLength, longest-shortest > maxLengthFT)
}
