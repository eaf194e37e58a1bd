package features

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
	"github.com/pitchstream/pitchstream/schemas"
)

// SwingPath returns the movement of bat and ball in a record that is a row, for drawing; false if no swing
// was tracked. It uses the same samples as the features, so that a drawing shows the numbers of its row. It
// takes milliseconds, so it is only for records that a person looks at.
func SwingPath(value []byte) (path schemas.SwingPath, ok bool) {
	d := decoders.Get().(*decoder)
	path, ok = swingPath(d, value)
	d.release()
	return path, ok
}

// swingPath is SwingPath with a decoder. The decoder keeps the bat's samples only, so the ball and the events
// are read once more.
func swingPath(d *decoder, value []byte) (path schemas.SwingPath, ok bool) {
	if d.decode(value) != nil || d.check() != nil {
		return path, false
	}
	d.bat.settle()
	d.ball.settle()
	path.Sampled = schemas.SampleCounts{Bat: d.bat.total, Ball: d.ball.total}
	track := unbroken(d.bat.samples)
	if !d.bat.isSwing() || len(track) == 0 {
		return path, false
	}
	speeds := pathSpeeds(track)
	path.PeakS = peak(track, speeds)
	bridge(track, speeds)
	path.Bat = drawnBat(track, speeds)
	ball := drawnBall(value)
	path.Contact = drawnContact(value, track, ball)
	pitch, hit := splitBall(ball, path.Contact)
	path.Pitch, path.Hit = thin(pitch, maxPitchPoints), thin(hit, maxHitPoints)
	return path, true
}

// Limits of a drawing. The points are about as many as a screen can show.
const (
	maxBatPoints   = 240
	maxPitchPoints = 60
	maxHitPoints   = 120

	// maxBreakS separates two pieces of a track. Samples of one track are 3 ms apart.
	maxBreakS = 0.1
	// maxReachFT is the distance from the plate beyond which no bat can be.
	maxReachFT = 30
	// maxFlightS is how long the ball is drawn after contact.
	maxFlightS = 6
	// maxLostS is the time without a sample after which the tracker has lost the ball.
	maxLostS = 0.3
)

// unbroken returns the longest piece of a settled track without a break. It leaves out a Hit that was
// recorded seconds away from its neighbours.
func unbroken(samples []batSample) []batSample {
	var best []batSample
	from := 0
	near := func(p point) bool {
		return math.Abs(p.x) < maxReachFT && math.Abs(p.y) < maxReachFT && math.Abs(p.z) < maxReachFT
	}
	var kept []batSample
	// A sample without a position, or with one far from the plate, is no part of the drawing.
	for _, s := range samples {
		if (s.hasHead || s.hasHandle) && near(s.head) && near(s.handle) {
			kept = append(kept, s)
		}
	}
	for i := range kept {
		// guard: api: what is thrown out of order is not drawn | > maxBreakS -> > 1e9
		if i+1 == len(kept) || kept[i+1].timeS-kept[i].timeS > maxBreakS {
			if i+1-from > len(best) {
				best = kept[from : i+1]
			}
			from = i + 1
		}
	}
	return best
}

// pathSpeeds returns the speed of the sweet spot at each sample, in mph, NaN where there is none. The windows
// are those of bat_speed_mph; the speed of a window belongs to the sample in its middle.
func pathSpeeds(track []batSample) []float64 {
	speeds := make([]float64, len(track))
	var spots []spot
	var at []int
	for i := range track {
		speeds[i] = math.NaN()
		if s, ok := sweetSpot(&track[i]); ok {
			spots, at = append(spots, s), append(at, i)
		}
	}
	for i := windowFrames; i < len(spots); i++ {
		if mph, ok := windowSpeed(spots[i-windowFrames], spots[i]); ok {
			speeds[at[i-windowFrames/2]] = mph
		}
	}
	return speeds
}

// peak returns the time at which the bat was fastest.
func peak(track []batSample, speeds []float64) (at schemas.Opt[float64]) {
	fastest := math.Inf(-1)
	for i, mph := range speeds {
		if mph > fastest {
			fastest, at = mph, schemas.Some(track[i].timeS)
		}
	}
	return at
}

// maxBridged is how many samples in a row get an interpolated speed. A Hit inserted between two frames spoils
// as many windows.
const maxBridged = 4

// bridge fills short gaps between two known speeds, in proportion to time.
func bridge(track []batSample, speeds []float64) {
	last := -1
	for i, mph := range speeds {
		if math.IsNaN(mph) {
			continue
		}
		if gap := i - last - 1; last >= 0 && gap > 0 && gap <= maxBridged {
			for j := last + 1; j < i; j++ {
				share := (track[j].timeS - track[last].timeS) / (track[i].timeS - track[last].timeS)
				speeds[j] = speeds[last] + (mph-speeds[last])*share
			}
		}
		last = i
	}
}

// drawnBat returns the bat's track with its speeds, thinned.
func drawnBat(track []batSample, speeds []float64) []schemas.BatPoint {
	points := make([]schemas.BatPoint, len(track))
	for i, s := range track {
		p := schemas.BatPoint{TimeS: s.timeS}
		if s.hasHead {
			p.Head = schemas.Some(schemas.Point{s.head.x, s.head.y, s.head.z})
		}
		if s.hasHandle {
			p.Handle = schemas.Some(schemas.Point{s.handle.x, s.handle.y, s.handle.z})
		}
		if !math.IsNaN(speeds[i]) {
			p.SpeedMPH = schemas.Some(speeds[i])
		}
		points[i] = p
	}
	return thin(points, maxBatPoints)
}

// thin keeps at most limit elements, evenly spaced, the first and the last among them.
func thin[T any](all []T, limit int) []T {
	if len(all) <= limit {
		return all
	}
	kept := make([]T, limit)
	for i := range kept {
		kept[i] = all[i*(len(all)-1)/(limit-1)]
	}
	return kept
}

// splitBall splits the ball's track into the pitch and the hit. The hit begins at the contact, or at the turn
// of the ball's path if no contact is known. It ends when the tracker loses the ball; later samples are
// throws.
func splitBall(ball []schemas.BallPoint, contact *schemas.Contact) (pitch, hit []schemas.BallPoint) {
	n := min(1, len(ball))
	// The pitch ends at the contact, or where the ball turns.
	for n < len(ball) && onItsWay(ball, n) && (contact == nil || ball[n].TimeS < contact.TimeS) {
		n++
	}
	// The hit ends at a gap, because the tracker has lost the ball there, or after six seconds.
	end := n
	for end > 0 && end < len(ball) &&
		ball[end].TimeS-ball[end-1].TimeS <= maxLostS && ball[end].TimeS-ball[n].TimeS <= maxFlightS {
		end++
	}
	return ball[:n], ball[n:end]
}

// onItsWay reports whether sample n continues the pitch: nearer to the plate than the one before, without a
// turn.
func onItsWay(ball []schemas.BallPoint, n int) bool {
	// straight is the cosine of 37°, the greatest turn of a pitch between samples.
	const straight = 0.8
	now, before := ball[n], ball[n-1]
	if now.Pos[1] >= before.Pos[1] || now.TimeS-before.TimeS > maxLostS {
		return false
	}
	if n < 2 {
		return true
	}
	var dot, one, other float64
	for i := range now.Pos {
		d, e := now.Pos[i]-before.Pos[i], before.Pos[i]-ball[n-2].Pos[i]
		dot, one, other = dot+d*e, one+d*d, other+e*e
	}
	// guard: api: a foul is not the pitch | dot >= straight*math.Sqrt(one*other) -> true
	return dot >= straight*math.Sqrt(one*other)
}

// looseSample is what a drawing needs of a sample, for members that decoder does not keep. A value of another
// type counts as missing.
type looseSample struct {
	timeS     float64
	isTimed   bool
	pos       schemas.Point
	hasPos    bool
	isHit     bool // the event is Hit
	isNearest bool // the event is Nearest
}

// eachSample calls do with the objects of an array in a record, which is known to be valid JSON. It keeps
// nothing, because a record can hold a million samples, and as a tree of values they would take 500 MB.
func eachSample(record []byte, name string, do func(looseSample)) {
	list := lastMember(record, name)
	if len(list) == 0 || list[0] != '[' {
		return
	}
	i := jsonscan.FirstElement(list, 0)
	// A negative cursor would be a syntax error, which the decoder has ruled out.
	for i >= 0 && list[i] != ']' {
		end := jsonscan.SkipValue(list, i, 0)
		if list[i] == '{' {
			do(readLoose(list[i:end]))
		}
		i = jsonscan.NextElement(list, end)
	}
}

// lastMember returns the value of a member of an object that is valid JSON, the last one of that name; nil if
// there is none.
func lastMember(object []byte, name string) (value []byte) {
	i := jsonscan.Blanks(object, 0)
	if i == len(object) || object[i] != '{' {
		return nil
	}
	for i = jsonscan.FirstMember(object, i); i >= 0 && object[i] != '}'; i = jsonscan.NextMember(object, i) {
		end, escaped := jsonscan.SkipString(object, i)
		from := jsonscan.AfterName(object, end)
		// The last one counts, as it does for encoding/json and for the decoder.
		matches := textIs(object[i+1:end-1], escaped, name)
		i = jsonscan.SkipValue(object, from, 0)
		if matches {
			value = object[from:i]
		}
	}
	return value
}

// textIs reports whether the inside of a JSON string stands for a text.
func textIs(raw []byte, escaped bool, text string) bool {
	// A longer one cannot be it, so that no long text is unescaped.
	if !escaped || len(raw) > len(text)*jsonscan.MaxEscapeBytes {
		return string(raw) == text
	}
	unescaped, ok := jsonscan.AppendUnescaped(nil, raw)
	return ok && string(unescaped) == text
}

// readLoose reads the members of one sample. It looks for each of them from the beginning, because a sample
// has some ten members, and drawing is no hot path.
func readLoose(object []byte) (s looseSample) {
	s.timeS, s.isTimed = numberOf(lastMember(object, "time"))
	s.pos, s.hasPos = pointOf(lastMember(object, "pos"))
	if event := lastMember(object, "event"); len(event) > 0 && event[0] == '"' {
		inside := event[1 : len(event)-1]
		s.isHit, s.isNearest = textIs(inside, true, "Hit"), textIs(inside, true, "Nearest")
	}
	return s
}

// drawnBall returns the ball's samples that have a time and a position, by time, each time once.
func drawnBall(record []byte) (ball []schemas.BallPoint) {
	eachSample(record, "samples_ball", func(s looseSample) {
		if s.isTimed && s.hasPos {
			ball = append(ball, schemas.BallPoint{TimeS: s.timeS, Pos: s.pos})
		}
	})
	// Duplicates have equal times; the first in the record stays, as for the features.
	slices.SortStableFunc(ball, func(a, b schemas.BallPoint) int { return cmp.Compare(a.TimeS, b.TimeS) })
	return slices.CompactFunc(ball, func(a, b schemas.BallPoint) bool { return a.TimeS == b.TimeS })
}

// drawnContact returns when and how the record says that ball and bat met, or were nearest. Its place is that
// of the ball at that time, or of the bat's sweet spot if the ball was not tracked then.
func drawnContact(record []byte, track []batSample, ball []schemas.BallPoint) (c *schemas.Contact) {
	eachSample(record, "samples_bat", func(s looseSample) {
		if c != nil || !s.isTimed || !s.isHit && !s.isNearest {
			return
		}
		// guard: api: samples are not compared each with each | instead i, inTrack := slices.IndexFunc(track, func(b batSample) bool { return b.timeS == s.timeS }), true
		i, inTrack := slices.BinarySearchFunc(track, s.timeS, batSample.compareTime)
		if !inTrack {
			return
		}
		found := &schemas.Contact{TimeS: s.timeS, Kind: schemas.ContactNearest}
		if s.isHit {
			found.Kind = schemas.ContactHit
		}
		if at := nearestBall(ball, s.timeS); at >= 0 {
			found.Pos = ball[at].Pos
			c = found
		} else if spot, ok := sweetSpot(&track[i]); ok {
			found.Pos = schemas.Point{spot.x, spot.y, spot.z}
			c = found
		}
	})
	return c
}

// compareTime orders a sample and a time, for the search in a track.
func (s batSample) compareTime(t float64) int { return cmp.Compare(s.timeS, t) }

// nearestBall returns the index of the sample nearest to t, within 0.01 s; −1 if there is none. The samples
// are sorted by time, each with a time of its own.
func nearestBall(ball []schemas.BallPoint, t float64) int {
	best, within := -1, 0.01
	after, _ := slices.BinarySearchFunc(ball, t, func(b schemas.BallPoint, t float64) int {
		return cmp.Compare(b.TimeS, t)
	})
	for i := max(0, after-1); i < min(len(ball), after+1); i++ {
		if d := math.Abs(ball[i].TimeS - t); d < within {
			best, within = i, d
		}
	}
	return best
}

// numberOf returns a number within the range of a double.
func numberOf(value []byte) (float64, bool) {
	if len(value) == 0 || value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(value), 64)
	return f, err == nil
}

// pointOf returns a position: an array of exactly three numbers.
func pointOf(value []byte) (p schemas.Point, ok bool) {
	if len(value) == 0 || value[0] != '[' {
		return p, false
	}
	n, i := 0, jsonscan.FirstElement(value, 0)
	for ; i >= 0 && value[i] != ']'; n++ {
		end := jsonscan.SkipValue(value, i, 0)
		if n == len(p) {
			return p, false
		}
		if p[n], ok = numberOf(value[i:end]); !ok {
			return p, false
		}
		i = jsonscan.NextElement(value, end)
	}
	return p, n == len(p)
}
