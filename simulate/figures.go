package simulate

import "github.com/pitchstream/pitchstream/schemas"

// The figures of this file are counts and quantiles of the real set: 1,254 pitches (all), 628 tracked swings
// (swings), 322 batted balls with both. Where a figure is from the twelve whole records or from elsewhere, it
// says so.

// call is what became of a pitch, as the record words it.
type call uint8

const (
	calledBall call = iota
	ballInDirt
	pitchout
	hitByPitch
	calledStrike
	swingingStrike
	blocked // a swing and a miss that the catcher blocked
	foul
	foulTip
	inPlay
	pickoff
	calls
)

// callFigures are what the records and the sensors make of a call.
type callFigures struct {
	result, action string // "" is written {}
	ball, strike   bool   // what it adds to the count; a foul only below two strikes
	// early and late are how many of all pitches were called so with less than two strikes and with two.
	early, late int
	// hits is the share with a measured batted ball, which is also where the batter is named.
	hits float64
	// swings is the share with a tracked bat; lost, of these, the share with a bat of length 0 and no true
	// Hit.
	swings, lost float64
}

var callTable = [calls]callFigures{
	calledBall: {
		result: schemas.ResultBall, action: "Called", ball: true, early: 317,
		late: 120, hits: 1. / 437, swings: 61. / 437, lost: 40. / 66,
	},
	ballInDirt: {
		result: schemas.ResultBall, action: "BallInDirt", ball: true,
		early: 14, late: 11, swings: 3. / 25, lost: 40. / 66,
	},
	pitchout: {result: schemas.ResultBall, action: "Pitchout", ball: true, early: 1},
	hitByPitch: {
		result: schemas.ResultBall, action: "HitByPitch", ball: true, early: 6,
		late: 3, hits: 3. / 9, swings: 2. / 9, lost: 40. / 66,
	},
	calledStrike: {
		result: schemas.ResultStrike, action: "Called", strike: true,
		early: 194, late: 26, swings: 21. / 220, lost: 10. / 21,
	},
	swingingStrike: {
		result: schemas.ResultStrike, strike: true, early: 94,
		late: 48, hits: 1. / 142, swings: 1, lost: 3. / 164,
	},
	blocked: {
		result: schemas.ResultStrike, action: "Blocked", strike: true,
		early: 2, late: 4, swings: 1, lost: 3. / 164,
	},
	foul: {
		result: schemas.ResultStrike, action: "Foul", strike: true, early: 120,
		late: 74, hits: 145. / 194, swings: 1, lost: 2. / 194,
	},
	foulTip: {
		result: schemas.ResultStrike, action: "FoulTip", strike: true,
		early: 9, late: 7, swings: 1, lost: 3. / 164,
	},
	inPlay: {
		result: schemas.ResultHitIntoPlay, early: 110, late: 74,
		hits: 176. / 184, swings: 183. / 184, lost: 3. / 183,
	},
	pickoff: {result: schemas.ResultPickoff, action: "ThrowToFirst"},
}

// callBook are the figures of the calls with which games are played.
type callBook struct {
	figures [calls]callFigures
	weights [2][]int       // with less than two strikes and with two
	inZone  [calls]float64 // share of the pitches in the zone; negative: as the call says
}

// realCalls are the calls of the real set, for the games of core 1.
var realCalls = newCallBook(callTable)

// leagueCalls are the calls of the major leagues in 2025: 51 of 100 pitches are in the zone, batters chase 28
// of 100 that are not, and miss 15 of 100 in the zone and 43 outside.
var leagueCalls = func() *callBook {
	figures := callTable
	for c, is := range map[call]struct {
		early, late  int
		hits, swings float64
	}{
		calledBall: {303, 115, 0, 10. / 418}, ballInDirt: {14, 11, 0, 1. / 25},
		hitByPitch: {3, 1, 0, 0}, calledStrike: {181, 24, 0, 4. / 205},
		swingingStrike: {65, 34, 0, 1}, blocked: {2, 3, 0, 1}, foulTip: {6, 4, 0, 1},
		foul: {143, 89, 145. / 194, 1}, inPlay: {130, 88, 0.985, 1},
	} {
		f := &figures[c]
		f.early, f.late, f.hits, f.swings = is.early, is.late, is.hits, is.swings
	}
	b := newCallBook(figures)
	for c := range b.inZone {
		b.inZone[c] = -1
	}
	b.inZone[calledBall], b.inZone[calledStrike], b.inZone[swingingStrike] = 0.035, 0.94, 0.51
	b.inZone[foulTip], b.inZone[foul], b.inZone[inPlay] = 0.5, 0.787, 0.787
	return b
}()

func newCallBook(figures [calls]callFigures) *callBook {
	b := &callBook{figures: figures}
	for _, c := range figures {
		b.weights[0], b.weights[1] = append(b.weights[0], c.early), append(b.weights[1], c.late)
	}
	return b
}

// The shares of throws to a base with a runner on first, and on second only. They were 19 and 1 of all
// pitches, in games where 46 and 8 of a hundred pitches have such a runner.
const pickoffFirst, pickoffSecond = 0.033, 0.01

// typedGames: the pitch type is named in one game of four (944 of 1,254 pitches have none).
const typedGames = 4

// pitchType is a kind of pitch. Shares, speeds and spins: the typed game (swings' speeds). Movement: the
// accelerations of the twelve records and the usual shape of each type, seen from the catcher, of a
// right-handed pitcher.
type pitchType struct {
	name              string
	weight            int
	mph, mphSD        float64
	rpm, rpmSD        float64
	sideMPHPS         float64 // sideways acceleration, mph/s
	liftMPHPS         float64 // upward acceleration beside gravity, mph/s
	movementSDOfMPHPS float64
}

var pitchTypes = []pitchType{
	{"Sinker", 106, 93.2, 2.3, 2300, 200, -11.5, 9, 2.2},
	{"Slider", 77, 82.3, 3.6, 2400, 250, 4.5, 1, 2.5},
	{"Curveball", 39, 77.8, 1.8, 2780, 180, 6, -7, 2.5},
	{"FourSeamFastball", 33, 93.0, 2.1, 2280, 200, -6, 14, 2.2},
	{"Changeup", 31, 85.0, 1.6, 1950, 300, -10.5, 3, 2.2},
	{"Cutter", 24, 88.4, 1.4, 2650, 230, 2, 7, 2},
}

var pitchTypeWeights = func() (w []int) {
	for _, t := range pitchTypes {
		w = append(w, t.weight)
	}
	return w
}()

// misreadSpin is the share of spins that the sensors got wrong, 20–1,500 rpm (17 of 628 below 1,000).
const misreadSpin = 0.03

// leftBatters and leftPitchers: handle on the right at contact in 142 of 570 swings; about three pitchers of
// ten.
const leftBatters, leftPitchers = 0.25, 0.28

// Exit velocity, launch angle and direction of batted balls, from 175 in play and 145 fouls.
var (
	inPlayExitMPH   = quantiles{24, 43.5, 53.7, 61.8, 73, 80.2, 85.2, 89, 95, 97, 100, 104.6, 106.3, 108.5, 113}
	inPlayLaunchDeg = quantiles{
		-78.1, -60.9, -40.5, -29.8, -16.1, -4, 2, 7.8, 12.4, 21.2, 28.8, 47.6, 54.6, 70.2, 82.8,
	}
	inPlaySprayDeg = quantiles{
		-71.5, -43.9, -38.5, -34, -24.9, -15.2, -9.2, -2, 1.8, 7.9, 15.3, 28.9, 37.6, 41.1, 68.7,
	}

	foulExitMPH   = quantiles{15, 19.9, 45.4, 55, 62.8, 66.2, 70, 73, 76, 80, 86, 93, 97.6, 100.5, 106}
	foulLaunchDeg = quantiles{
		-77.3, -45.4, -41.6, -33.5, -17.9, 8, 14.9, 27.2, 36.4, 46.8, 54.9, 65.4, 73.9, 78.7, 85.6,
	}
	// to either side
	foulSprayDeg = quantiles{
		7.5, 32.5, 36.6, 45, 59.5, 65.4, 77.4, 92.1, 119, 139, 151.6, 167.4, 170.3, 174.3, 178.1,
	}
)

// exitOfBat is the correlation of exit velocity with the bat's speed (0.23 over 161 balls in play).
// exitOfLaunch is that with the distance of the launch angle from a line drive's. The hardest balls leave at
// 10–25° (median 96 mph; above 45°: 79).
const exitOfBat, exitOfLaunch = 0.25, 0.35

// How fast a bat's head gets before contact, ft/s: 533 swings, 37 tracked on called pitches (check swings,
// mostly).
var (
	swingHeadFPS = quantiles{
		9.6, 76.3, 97, 109.5, 115.9, 120.1, 122.6, 125.3, 127.6, 130.6, 134.7, 142.2, 152.5, 166.2, 196.3,
	}
	checkHeadFPS = quantiles{
		5.8, 9.7, 12.4, 20.3, 48.2, 53.8, 56.1, 58.6, 64.2, 68.5, 76.5, 118.6, 127.7, 150, 180,
	}
)

// batSampleCounts is how many samples a tracked swing has (570).
var batSampleCounts = quantiles{147, 325, 356, 360, 364, 367, 369, 371, 373, 375, 377, 380, 386, 388, 389}

// Attack angles, from the seven records of full swings (−2° to 20°) and what is published of such swings.
const attackMeanDeg, attackSDDeg, attackMinDeg, attackMaxDeg = 8, 6, -8, 22

// Sensor faults of the ball's samples, from the twelve records.
const (
	tripledRelease   = 8. / 12 // the first sample stands three times, not twice
	doubledContact   = 5. / 9  // the first sample of a batted ball stands twice
	doubledLanding   = 3. / 12 // the end of a flight stands twice, time and place only
	restatedEnd      = 5. / 12 // the last sample stands without and with its velocity, at one time
	unorderedEnd     = 2. / 12 // the same, the second 0.1 µs before the first
	doubledTrack     = 1. / 9  // a batted ball's track stands twice for a while, by two estimates
	thrownBackSample = 11. / 12
)

// onBase is how likely a ball in play puts its batter on base, by launch: 73 of 184 did.
func onBase(launchDeg float64) float64 {
	switch {
	case launchDeg < 10:
		return 0.29
	case launchDeg < 25:
		return 0.70
	case launchDeg < 45:
		return 0.34
	}
	return 0.04
}

// Other shares of plays: 8 double plays of 111 outs in play; 1 out of 20 pickoffs.
const doublePlayShare, pickoffOutShare = 0.38, 1. / 20
