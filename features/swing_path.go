package features

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// SwingPath returns the movement of bat and ball in a record that is a row, for drawing; false if no swing
// was tracked. It uses the same samples as the features, so that a drawing shows the numbers of its row. It
// takes milliseconds and several times the record's size in memory, so it is only for records that somebody
// looks at.
func SwingPath(value []byte) (path schemas.SwingPath, ok bool) {
	d := decoders.Get().(*decoder)
	path, ok = swingPath(d, value)
	d.release()
	return path, ok
}

// swingPath is SwingPath with a decoder. The decoder keeps the bat's samples only, so the ball and the events
// are read once more, by encoding/json.
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
	loose := looseRecord(value)
	speeds := pathSpeeds(track)
	path.PeakS = peak(track, speeds)
	bridge(track, speeds)
	path.Bat = drawnBat(track, speeds)
	ball := loose.ball()
	path.Contact = loose.contact(track, ball)
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

// loose is a record as encoding/json decodes it, for members that decoder does not keep.
type loose map[string]any

// looseRecord decodes a record, which is known to be valid JSON.
func looseRecord(value []byte) (l loose) {
	dec := json.NewDecoder(bytes.NewReader(value))
	// A number outside of the range of a double must not fail the whole record.
	dec.UseNumber()
	if dec.Decode(&l) != nil {
		return nil
	}
	return l
}

// samples returns the objects of an array, and leaves out anything else.
func (l loose) samples(name string) (samples []map[string]any) {
	list, _ := l[name].([]any)
	for _, s := range list {
		if m, ok := s.(map[string]any); ok {
			samples = append(samples, m)
		}
	}
	return samples
}

// ball returns the ball's samples that have a time and a position, by time, each time once.
func (l loose) ball() (ball []schemas.BallPoint) {
	for _, s := range l.samples("samples_ball") {
		t, timed := numberOf(s["time"])
		if pos, ok := pointOf(s["pos"]); timed && ok {
			ball = append(ball, schemas.BallPoint{TimeS: t, Pos: pos})
		}
	}
	// Duplicates have equal times; the first in the record stays, as for the features.
	slices.SortStableFunc(ball, func(a, b schemas.BallPoint) int { return cmp.Compare(a.TimeS, b.TimeS) })
	return slices.CompactFunc(ball, func(a, b schemas.BallPoint) bool { return a.TimeS == b.TimeS })
}

// contact returns when and how the record says that ball and bat met, or were nearest. Its place is that of
// the ball at that time, or of the bat's sweet spot if the ball was not tracked then.
func (l loose) contact(track []batSample, ball []schemas.BallPoint) *schemas.Contact {
	kinds := map[string]string{"Hit": schemas.ContactHit, "Nearest": schemas.ContactNearest}
	for _, s := range l.samples("samples_bat") {
		word, _ := s["event"].(string)
		t, timed := numberOf(s["time"])
		i := slices.IndexFunc(track, func(b batSample) bool { return b.timeS == t })
		if kinds[word] == "" || !timed || i < 0 {
			continue
		}
		c := &schemas.Contact{TimeS: t, Kind: kinds[word]}
		if at := nearestBall(ball, t); at >= 0 {
			c.Pos = ball[at].Pos
			return c
		}
		if spot, ok := sweetSpot(&track[i]); ok {
			c.Pos = schemas.Point{spot.x, spot.y, spot.z}
			return c
		}
	}
	return nil
}

// nearestBall returns the index of the sample nearest to t, within 0.01 s; −1 if there is none.
func nearestBall(ball []schemas.BallPoint, t float64) int {
	best, within := -1, 0.01
	for i, b := range ball {
		if d := math.Abs(b.TimeS - t); d < within {
			best, within = i, d
		}
	}
	return best
}

// numberOf returns a number within the range of a double.
func numberOf(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// pointOf returns a position: an array of exactly three numbers.
func pointOf(v any) (p schemas.Point, ok bool) {
	list, _ := v.([]any)
	if len(list) != len(p) {
		return p, false
	}
	for i := range p {
		if p[i], ok = numberOf(list[i]); !ok {
			return p, false
		}
	}
	return p, true
}
