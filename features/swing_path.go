package features

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// SwingPath reads, for drawing, how bat and ball moved in a record that is a row; false where no swing was tracked. The
// track is the one that the features are computed from. It is for the few records that somebody looks at: it takes some
// milliseconds, and as much memory as the record again and again.
func SwingPath(value []byte) (path schemas.SwingPath, ok bool) {
	d := decoders.Get().(*decoder)
	path, ok = d.swingPath(value)
	d.release()
	return path, ok
}

func (d *decoder) swingPath(value []byte) (path schemas.SwingPath, ok bool) {
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

const (
	maxBatPoints   = 240
	maxPitchPoints = 60
	maxHitPoints   = 120

	maxBreakS  = 0.1 // between two samples of one track, which are 3 ms apart
	maxReachFT = 30  // from the plate: farther is no bat
	maxFlightS = 6
	maxLostS   = 0.3 // without a sample the ball is lost
)

// unbroken is the longest piece of a settled track without a break. (A Hit that was thrown out of order stands alone.)
func unbroken(samples []batSample) []batSample {
	var best []batSample
	from := 0
	near := func(p point) bool {
		return math.Abs(p.x) < maxReachFT && math.Abs(p.y) < maxReachFT && math.Abs(p.z) < maxReachFT
	}
	var kept []batSample
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

// pathSpeeds are the speeds of the sweet spot in mph: of the windows that count for bat_speed_mph, each at a sample in its
// middle; not a number where there is none.
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

func peak(track []batSample, speeds []float64) (at schemas.Opt[float64]) {
	fastest := math.Inf(-1)
	for i, mph := range speeds {
		if mph > fastest {
			fastest, at = mph, schemas.Some(track[i].timeS)
		}
	}
	return at
}

// maxBridged is how many samples in a row get a speed between those of their neighbours: a Hit that was put between two
// frames spoils so many windows.
const maxBridged = 4

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

// thin keeps at most so many, evenly, the first and the last among them.
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

// splitBall tells the pitch from what follows it: the ball after the contact, where that is known, else after its way
// turned. Later samples are throws.
func splitBall(ball []schemas.BallPoint, contact *schemas.Contact) (pitch, hit []schemas.BallPoint) {
	n := min(1, len(ball))
	for n < len(ball) && onItsWay(ball, n) && (contact == nil || ball[n].TimeS < contact.TimeS) {
		n++
	}
	end := n
	for end > 0 && end < len(ball) && ball[end].TimeS-ball[end-1].TimeS <= maxLostS && ball[end].TimeS-ball[n].TimeS <= maxFlightS {
		end++
	}
	return ball[:n], ball[n:end]
}

// onItsWay says that sample n of the ball follows on those before it without a turn: nearer, and not to the side.
func onItsWay(ball []schemas.BallPoint, n int) bool {
	const straight = 0.8 // the cosine of 37°
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

// loose is a record as JSON has it, for what the core does not keep.
type loose map[string]any

func looseRecord(value []byte) (l loose) {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber() // one that is no double spoils only itself
	if dec.Decode(&l) != nil {
		return nil
	}
	return l
}

func (l loose) samples(name string) (samples []map[string]any) {
	list, _ := l[name].([]any)
	for _, s := range list {
		if m, ok := s.(map[string]any); ok {
			samples = append(samples, m)
		}
	}
	return samples
}

// ball are the samples that have a time and a position, by time, each time once.
func (l loose) ball() (ball []schemas.BallPoint) {
	for _, s := range l.samples("samples_ball") {
		t, timed := numberOf(s["time"])
		if pos, ok := pointOf(s["pos"]); timed && ok {
			ball = append(ball, schemas.BallPoint{TimeS: t, Pos: pos})
		}
	}
	slices.SortStableFunc(ball, func(a, b schemas.BallPoint) int {
		switch {
		case a.TimeS < b.TimeS:
			return -1
		case a.TimeS > b.TimeS:
			return 1
		}
		return 0
	})
	return slices.CompactFunc(ball, func(a, b schemas.BallPoint) bool { return a.TimeS == b.TimeS })
}

// contact is where the record says that the ball was hit, or nearest; where the ball was then, else the sweet spot.
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

// nearestBall is the sample within a hundredth of a second of t; -1 where there is none.
func nearestBall(ball []schemas.BallPoint, t float64) int {
	best, within := -1, 0.01
	for i, b := range ball {
		if d := math.Abs(b.TimeS - t); d < within {
			best, within = i, d
		}
	}
	return best
}

func numberOf(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

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
