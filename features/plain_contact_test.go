package features

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// This file is the specification of flight and contact written plainly, for tests: every fit is a general one
// by Gaussian elimination, and every selection is a new slice.

const plainK = 22. / 15

// plainBall is a sample of the ball that counts.
type plainBall struct {
	t        float64
	pos, vel []float64
}

// plainFlight is the pitch's flight: polynomials of each coordinate, and the sample at which the ball
// departed.
type plainFlight struct {
	coef      [3][]float64
	last      float64
	departure *plainBall
	plate     *float64
}

func (f *plainFlight) pos(t float64) []float64 {
	return []float64{plainPoly(f.coef[0], t), plainPoly(f.coef[1], t), plainPoly(f.coef[2], t)}
}

func plainPoly(c []float64, t float64) (y float64) {
	for i := len(c) - 1; i >= 0; i-- {
		y = y*t + c[i]
	}
	return y
}

// plainFit returns the coefficients of the polynomial of least squares, constant first, and the first element
// of the inverse of the normal matrix.
func plainFit(degree int, ts, ys []float64) (coef []float64, first float64) {
	n := degree + 1
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n+2)
		for k, t := range ts {
			for j := range n {
				a[i][j] += math.Pow(t, float64(i+j))
			}
			a[i][n] += math.Pow(t, float64(i)) * ys[k]
		}
	}
	a[0][n+1] = 1
	for i := range n {
		best := i
		for r := i; r < n; r++ {
			if math.Abs(a[r][i]) > math.Abs(a[best][i]) {
				best = r
			}
		}
		a[i], a[best] = a[best], a[i]
		for r := range n {
			if r == i {
				continue
			}
			f := a[r][i] / a[i][i]
			for c := i; c < n+2; c++ {
				a[r][c] -= f * a[i][c]
			}
		}
	}
	for i := range n {
		coef = append(coef, a[i][n]/a[i][i])
	}
	return coef, a[0][n+1] / a[0][0]
}

func plainNumbers(v any) []float64 {
	return plainPosition(map[string]any{"pos": v})
}

func (p *plain) ballSamples() (ball []plainBall) {
	list, _ := p.at("samples_ball").([]any)
	seen := map[float64]bool{}
	for _, e := range list {
		m := e.(map[string]any)
		n, ok := m["time"].(plainNumber)
		if !ok || seen[n.f+0] {
			continue
		}
		seen[n.f+0] = true
		b := plainBall{n.f, plainNumbers(m["pos"]), plainNumbers(m["vel"])}
		if b.pos != nil && b.vel != nil {
			ball = append(ball, b)
		}
	}
	sort.SliceStable(ball, func(i, j int) bool { return ball[i].t < ball[j].t })
	return ball
}

// opt returns a value where it is a number at all.
func plainOpt(v float64) (o schemas.Opt[float64]) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return o
	}
	return schemas.Some(v + 0)
}

func (p *plain) fillFlight() *plainFlight {
	r := &p.row
	top, bottom := p.zone()
	ball := p.ballSamples()
	first := slices.IndexFunc(ball, func(b plainBall) bool { return b.vel[1] < 0 })
	if first < 0 {
		return nil
	}
	ball = ball[first:]
	n := 1
	f := &plainFlight{}
	for ; n < len(ball); n++ {
		b, before := ball[n], ball[n-1]
		change := plainDistance(b.vel, before.vel)
		if b.vel[1] < 0 && b.pos[1] > -1 && b.t-ball[0].t < 1 && change <= 15 {
			continue
		}
		if change > 15 && b.t-before.t < 0.05 {
			f.departure = &b
		}
		break
	}
	flight := ball[:n]
	if n < 6 {
		return nil
	}
	f.last = flight[n-1].t
	t0 := flight[0].t
	var ts []float64
	for _, b := range flight {
		ts = append(ts, b.t-t0)
	}
	sum := 0.0
	var local [3][]float64
	for k := range 3 {
		var ys []float64
		for _, b := range flight {
			ys = append(ys, b.pos[k])
		}
		local[k], _ = plainFit(2, ts, ys)
		for i, y := range ys {
			d := y - plainPoly(local[k], ts[i])
			sum += d * d
		}
		c := local[k]
		f.coef[k] = []float64{c[0] - c[1]*t0 + c[2]*t0*t0, c[1] - 2*c[2]*t0, c[2]}
	}
	rms := math.Sqrt(sum / (3 * max(float64(n-3), 1)))
	r.FlightRMSFT = plainOpt(rms)
	if !(rms <= 0.05) {
		return nil
	}
	arrives := func(y float64) float64 {
		c := f.coef[1]
		d := c[1]*c[1] - 4*c[2]*(c[0]-y)
		if c[2] == 0 {
			return (y - c[0]) / c[1]
		}
		return (-c[1] - math.Sqrt(d)) / (2 * c[2])
	}
	tP, tR := arrives(17./12), arrives(50)
	if !(0 < tP-tR && tP-tR < 1) {
		return f
	}
	f.plate = &tP
	velocity := func(t float64) (v []float64) {
		for k := range 3 {
			v = append(v, f.coef[k][1]+2*f.coef[k][2]*t)
		}
		return v
	}
	v, at := velocity(tP), f.pos(tP)
	zero := []float64{0, 0, 0}
	T := tP - tR
	deg := 180 / math.Pi
	r.ReleaseSpeedMPH = p.within("release_speed_mph", schemas.Some(plainDistance(velocity(tR), zero)/plainK), 0, 125)
	r.PlateSpeedMPH = p.within("plate_speed_mph", schemas.Some(plainDistance(v, zero)/plainK), 0, 125)
	r.PlateTimeS, r.PlateXFT, r.PlateZFT = plainOpt(tP), plainOpt(at[0]), plainOpt(at[2])
	r.VerticalApproachDeg = p.within("vertical_approach_deg", schemas.Some(math.Atan2(v[2], -v[1])*deg), -90, 90)
	r.HorizontalApproachDeg = p.within("horizontal_approach_deg", schemas.Some(math.Atan2(v[0], -v[1])*deg), -90, 90)
	ax, az := 2*f.coef[0][2], 2*f.coef[2][2]
	r.HorizontalBreakIn = p.within("horizontal_break_in", schemas.Some(ax*T*T/2*12), -40, 40)
	r.InducedVerticalBreakIn = p.within("induced_vertical_break_in", schemas.Some((az+32.174)*T*T/2*12), -40, 40)
	const radius = 1.45 / 12
	in := math.Abs(at[0]) <= 17./24+radius && bottom-radius <= at[2] && at[2] <= top+radius
	r.InZone = schemas.Some(in)
	if r.IsSwing {
		r.IsChase = schemas.Some(!in)
	}
	return f
}

func (p *plain) zone() (top, bottom float64) {
	read := func(name string) (v float64, there, ok bool) {
		text := p.headers[name]
		if text == "" {
			return 0, false, false
		}
		v, err := strconv.ParseFloat(text, 64)
		return v, true, err == nil && jsonNumberForm.MatchString(text) && 0.5 <= v && v <= 6
	}
	top, topThere, topOK := read("zone_top_ft")
	bottom, bottomThere, bottomOK := read("zone_bottom_ft")
	if topOK && bottomOK && bottom < top {
		return top, bottom
	}
	if topThere && !topOK || bottomThere && !bottomOK || topOK && bottomOK {
		p.issue("in_zone", "type")
	}
	return 3.5, 1.5
}

// plainTimed is a position at a time.
type plainTimed struct {
	t   float64
	pos []float64
}

func plainUntil(all []plainTimed, from, to float64) (kept []plainTimed) {
	for _, s := range all {
		if from <= s.t && s.t <= to {
			kept = append(kept, s)
		}
	}
	return kept
}

// plainAt fits a cubic through positions and returns its value and its velocity at tc; nil with too few.
func plainAt(all []plainTimed, tc float64, atLeast int) (pos, vel []float64) {
	if len(all) < atLeast {
		return nil, nil
	}
	for k := range 3 {
		var ts, ys []float64
		for _, s := range all {
			ts, ys = append(ts, (s.t-tc)/0.02), append(ys, s.pos[k])
		}
		c, _ := plainFit(3, ts, ys)
		pos, vel = append(pos, c[0]), append(vel, c[1]/0.02)
	}
	return pos, vel
}

func plainMinus(a, b []float64) []float64 {
	return []float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]}
}

func plainDot(a, b []float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

// plainSegment returns the distance of a point from a segment, and how far along the line from a it is
// nearest.
func plainSegment(point, a, b []float64) (distance, along float64) {
	d := plainMinus(b, a)
	f := plainDot(plainMinus(point, a), d) / plainDot(d, d)
	if plainDot(d, d) == 0 {
		f = 0
	}
	cut := min(max(f, 0), 1)
	near := []float64{a[0] + d[0]*cut, a[1] + d[1]*cut, a[2] + d[2]*cut}
	return plainDistance(point, near), f * math.Sqrt(plainDot(d, d))
}

func (p *plain) fillContact(exitVelocity schemas.Opt[float64]) {
	flight := p.fillFlight()
	r := &p.row
	if !r.IsSwing {
		return
	}
	bat, _, _ := plainDedup(plainSamples(p.at("samples_bat")))
	bat = slices.DeleteFunc(bat, func(s plainSample) bool { return s.time == nil })
	isMark := func(s plainSample) bool { return s.event == "Hit" || s.event == "Nearest" }
	inOrder := slices.Clone(bat)
	bat = slices.DeleteFunc(bat, isMark)
	sort.SliceStable(bat, func(i, j int) bool { return *bat[i].time < *bat[j].time })
	var spots, heads, handles []plainTimed
	var both []plainSample
	for _, s := range bat {
		if s.head != nil {
			heads = append(heads, plainTimed{*s.time, s.head})
		}
		if s.handle != nil {
			handles = append(handles, plainTimed{*s.time, s.handle})
		}
		if s.head == nil || s.handle == nil {
			continue
		}
		both = append(both, s)
		if l := plainDistance(s.head, s.handle); l >= 1.5 && l <= 4 {
			spot := make([]float64, 3)
			for k := range spot {
				spot[k] = s.head[k] + (s.handle[k]-s.head[k])/l*0.5
			}
			spots = append(spots, plainTimed{*s.time, spot})
		}
	}
	if len(spots) < 10 {
		return
	}
	lo, hi := spots[0].t+0.05, spots[len(spots)-1].t-0.02
	inThere := func(t float64) bool {
		return lo <= t && t <= hi && (flight == nil || flight.plate == nil || math.Abs(t-*flight.plate) <= 0.06)
	}
	tc, source := plainContactTime(inOrder, both, flight, inThere, lo, hi)
	if source == "" {
		return
	}
	r.ContactTimeS, r.ContactSource = plainOpt(tc), schemas.Text(source)
	p.fillEnd(bat, spots, tc)
	seven := plainUntil(spots, tc-0.035, tc+1e-9)
	seven = seven[max(0, len(seven)-7):]
	if len(seven) < 7 {
		return
	}
	p.fillVelocity(seven, spots, tc)
	p.fillBody(flight, both, heads, handles, tc)
	p.fillQuality(flight, exitVelocity)
	p.fillDoubts(seven, both, tc)
	issues := maps.Clone(p.issues)
	if p.checkContactRanges(); flight == nil {
		p.issues = issues
	}
}

func plainContactTime(
	inOrder, both []plainSample, flight *plainFlight, inThere func(float64) bool, lo, hi float64,
) (float64, string) {
	for _, s := range inOrder {
		if (s.event == "Hit" || s.event == "Nearest") && inThere(*s.time) {
			return *s.time, "event"
		}
	}
	if flight == nil {
		return 0, ""
	}
	if d := flight.departure; d != nil {
		best, at := math.Inf(1), 0.0
		for k := range 201 {
			t := flight.last + (d.t-flight.last)*float64(k)/200
			line := make([]float64, 3)
			for i := range line {
				line[i] = d.pos[i] + d.vel[i]*plainK*(t-d.t)
			}
			if distance := plainDistance(line, flight.pos(t)); distance < best {
				best, at = distance, t
			}
		}
		if lo <= at && at <= hi {
			return at, "ball"
		}
	}
	best, at := math.Inf(1), 0.0
	for _, s := range both {
		if !inThere(*s.time) {
			continue
		}
		if d, _ := plainSegment(flight.pos(*s.time), s.head, s.handle); d < best {
			best, at = d, *s.time
		}
	}
	if math.IsInf(best, 1) {
		return 0, ""
	}
	return at, "nearest"
}

// plainFrames are the velocities between neighbours, in mph.
func plainFrames(spots []plainTimed) (times []float64, velocities [][]float64) {
	for i := 1; i < len(spots); i++ {
		dt := spots[i].t - spots[i-1].t
		v := plainMinus(spots[i].pos, spots[i-1].pos)
		for k := range v {
			v[k] /= dt * plainK
		}
		times, velocities = append(times, (spots[i].t+spots[i-1].t)/2), append(velocities, v)
	}
	return times, velocities
}

func plainLength(v []float64) float64 { return plainDistance(v, []float64{0, 0, 0}) }

// fillEnd looks at the end of the swing: the last sweet spot, and the newest one 8 ms before it. The heads
// are on one side or the other of the line 22 inches from the plate's tip.
func (p *plain) fillEnd(bat []plainSample, spots []plainTimed, tc float64) {
	r := &p.row
	last := spots[len(spots)-1]
	if last.t >= tc+0.2 {
		before := slices.DeleteFunc(slices.Clone(spots), func(s plainTimed) bool { return last.t-s.t < 0.008 })
		if n := len(before); n > 0 && last.t-before[n-1].t <= 0.035 {
			mph := plainDistance(last.pos, before[n-1].pos) / (last.t - before[n-1].t) / plainK
			if mph <= 125 {
				r.EndBatSpeedMPH = plainOpt(mph)
			}
		}
	}
	action := p.at("summary_acts.pitch.action")
	if r.IsContact || action == "FoulTip" || action == "Called" {
		r.IsCutShort = schemas.Some(false)
		return
	}
	if r.PitchResult == "" || !r.EndBatSpeedMPH.Present {
		return
	}
	sides := "" // b behind the line, f in front of it
	for _, s := range bat {
		if s.head == nil || s.handle == nil {
			continue
		}
		if l := plainDistance(s.head, s.handle); l < 1.5 || l > 4 {
			continue
		}
		if side := string("bf"[map[bool]int{true: 1}[s.head[1] >= 22./12]]); !strings.HasSuffix(sides, side) {
			sides += side
		}
	}
	once := strings.TrimPrefix(sides, "f") == "bf"
	r.IsCutShort = schemas.Some(r.PitchResult == "Strike" && r.EndBatSpeedMPH.Value <= 20 && once)
}

func (p *plain) fillVelocity(seven, spots []plainTimed, tc float64) {
	r := &p.row
	deg := 180 / math.Pi
	times, velocities := plainFrames(seven)
	var ts, speeds, attacks, directions []float64
	for i, v := range velocities {
		ts = append(ts, (times[i]-tc)/0.02)
		speeds = append(speeds, plainLength(v))
		attacks = append(attacks, math.Atan2(v[2], math.Hypot(v[0], v[1]))*deg)
		d := math.Atan2(v[0], v[1]) * deg
		if i > 0 {
			for d-directions[i-1] > 180 {
				d -= 360
			}
			for d-directions[i-1] < -180 {
				d += 360
			}
		}
		directions = append(directions, d)
	}
	speed, first := plainFit(2, ts, speeds)
	sum := 0.0
	for i, s := range speeds {
		d := s - plainPoly(speed, ts[i])
		sum += d * d
	}
	attack, _ := plainFit(2, ts, attacks)
	direction, _ := plainFit(2, ts, directions)
	d := math.Remainder(direction[0], 360)
	r.ContactBatSpeedMPH = schemas.Some(speed[0])
	r.ContactBatSpeedErrorMPH = plainOpt(math.Sqrt(sum/3) * math.Sqrt(first))
	r.ContactAttackAngleDeg, r.ContactAttackDirectionDeg = schemas.Some(attack[0]), schemas.Some(d)
	three := (speeds[3] + speeds[4] + speeds[5]) / 3
	readings := []float64{speed[0], three}
	if _, v := plainAt(plainUntil(spots, tc-0.020, tc), tc, 6); v != nil {
		readings = append(readings, plainLength(v)/plainK)
	}
	r.ContactBatSpeedSpreadMPH = plainOpt(slices.Max(readings) - slices.Min(readings))
}

func (p *plain) fillBody(flight *plainFlight, both []plainSample, heads, handles []plainTimed, tc float64) {
	r := &p.row
	if near := plainUntil(handles, tc-0.020, tc); len(near) > 0 {
		sum := 0.0
		for _, h := range near {
			sum += h.pos[0]
		}
		r.BatSide, r.ContactAttackDirectionPullDeg = "L", r.ContactAttackDirectionDeg
		if sum/float64(len(near)) < 0 {
			r.BatSide, r.ContactAttackDirectionPullDeg = "R", schemas.Some(-r.ContactAttackDirectionDeg.Value)
		}
	}
	if late := plainUntil(heads, tc-0.040, tc); len(late) >= 8 {
		r.SwingPathTiltDeg = plainOpt(plainTilt(late))
	}
	before := plainUntil(heads, math.Inf(-1), tc)
	if len(before) > 0 {
		start := before[0].t
		for i := 0; i+3 < len(before); i++ {
			a, b := before[i], before[i+3]
			if plainDistance(a.pos, b.pos)/(b.t-a.t)/plainK < 30 {
				start = b.t
			}
		}
		length := 0.0
		path := plainUntil(before, start, tc)
		for i := 1; i < len(path); i++ {
			length += plainDistance(path[i].pos, path[i-1].pos)
		}
		r.SwingLengthFT, r.TimeToContactS = schemas.Some(length), plainOpt(tc-start)
	}
	if flight == nil {
		return
	}
	ball := flight.pos(tc)
	r.InterceptXFT, r.InterceptYFT = schemas.Some(ball[0]), schemas.Some(ball[1])
	r.InterceptZFT = schemas.Some(ball[2])
	head, _ := plainAt(plainUntil(heads, tc-0.020, tc), tc, 4)
	handle, _ := plainAt(plainUntil(handles, tc-0.020, tc), tc, 4)
	if head != nil && handle != nil {
		distance, along := plainSegment(ball, head, handle)
		r.ContactFromHeadIn, r.MissDistanceIn = plainOpt(along*12), schemas.Some(distance*12)
	}
}

// plainTilt finds the normal of least variance by trying many directions, ever finer.
func plainTilt(all []plainTimed) float64 {
	mean := make([]float64, 3)
	for _, s := range all {
		for k := range mean {
			mean[k] += s.pos[k] / float64(len(all))
		}
	}
	var m [3][3]float64
	for _, s := range all {
		d := plainMinus(s.pos, mean)
		for i := range 3 {
			for j := range 3 {
				m[i][j] += d[i] * d[j]
			}
		}
	}
	// The eigenvalues of a symmetric matrix by Jacobi's rotations.
	v := [3][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	for range 50 {
		for i := range 3 {
			for j := i + 1; j < 3; j++ {
				if m[i][j] == 0 {
					continue
				}
				theta := math.Atan2(2*m[i][j], m[j][j]-m[i][i]) / 2
				s, c := math.Sincos(theta)
				for k := range 3 {
					a, b := m[k][i], m[k][j]
					m[k][i], m[k][j] = c*a-s*b, s*a+c*b
				}
				for k := range 3 {
					a, b := m[i][k], m[j][k]
					m[i][k], m[j][k] = c*a-s*b, s*a+c*b
					a, b = v[k][i], v[k][j]
					v[k][i], v[k][j] = c*a-s*b, s*a+c*b
				}
			}
		}
	}
	least := 0
	for i := range 3 {
		if m[i][i] < m[least][least] {
			least = i
		}
	}
	return math.Acos(min(math.Abs(v[2][least]), 1)) * 180 / math.Pi
}

func (p *plain) fillQuality(flight *plainFlight, exit schemas.Opt[float64]) {
	r := &p.row
	speed := r.ContactBatSpeedMPH.Value
	inRange := exit.Present && 0 <= exit.Value && exit.Value <= 125
	if inRange && speed >= 30 && flight != nil && flight.plate != nil && r.PlateSpeedMPH.Present {
		pct := 100 * exit.Value / (1.23*speed + 0.23*r.PlateSpeedMPH.Value)
		r.SquaredUpPct = plainOpt(pct)
		r.IsSquaredUp, r.IsBlast = schemas.Some(pct >= 80), schemas.Some(min(pct, 100)+speed >= 164)
	}
	if launch := r.LaunchAngleDeg; inRange && launch.Present {
		ev, la := exit.Value, launch.Value
		r.IsBarrel = schemas.Some(ev >= 98 && la <= 50 && 1.5*ev-la >= 117 && ev+la >= 124)
	}
}

func (p *plain) fillDoubts(seven []plainTimed, both []plainSample, tc float64) {
	r := &p.row
	doubts := map[string]bool{}
	var last []plainSample
	for _, s := range both {
		if tc-0.035 <= *s.time && *s.time <= tc+1e-9 {
			last = append(last, s)
		}
	}
	last = last[max(0, len(last)-7):]
	if n := len(last); n >= 4 {
		var handle, turn float64
		for i := n - 3; i < n; i++ {
			a, b := last[i-1], last[i]
			dt := *b.time - *a.time
			handle += plainDistance(a.handle, b.handle) / dt / plainK / 3
			one, other := plainMinus(a.head, a.handle), plainMinus(b.head, b.handle)
			cross := []float64{
				one[1]*other[2] - one[2]*other[1], one[2]*other[0] - one[0]*other[2], one[0]*other[1] - one[1]*other[0],
			}
			turn += math.Atan2(plainLength(cross), plainDot(one, other)) * 180 / math.Pi / dt / 3
		}
		doubts["handle_speed"], doubts["turn_rate"] = handle > 45, turn > 3300
		byLength := func(a, b plainSample) int {
			return cmp.Compare(plainDistance(a.head, a.handle), plainDistance(b.head, b.handle))
		}
		long, short := slices.MaxFunc(last, byLength), slices.MinFunc(last, byLength)
		doubts["bat_length"] = plainDistance(long.head, long.handle)-plainDistance(short.head, short.handle) > 0.4/12
	}
	times, velocities := plainFrames(seven)
	near := 0
	for i, t := range times {
		if math.Abs(t-(tc-0.015)) < math.Abs(times[near]-(tc-0.015)) {
			near = i
		}
	}
	speed := r.ContactBatSpeedMPH.Value
	doubts["late_change"] = math.Abs(speed-plainLength(velocities[near])) > 12
	doubts["spread"] = r.ContactBatSpeedSpreadMPH.Value > 5
	doubts["speed"] = speed > 95
	doubts["tilt"] = r.SwingPathTiltDeg.Value > 60
	miss := r.MissDistanceIn
	doubts["ball"] = r.IsContact && !(miss.Present && 1.5 <= miss.Value && miss.Value <= 4)
	r.ContactDoubts = []string{}
	for name, is := range doubts {
		if is {
			r.ContactDoubts = append(r.ContactDoubts, name)
		}
	}
	slices.Sort(r.ContactDoubts)
	r.ContactConfidence = "reliable"
	if len(r.ContactDoubts) > 0 {
		r.ContactConfidence = "questionable"
	}
}

func (p *plain) checkContactRanges() {
	r := &p.row
	check := func(name string, v *schemas.Opt[float64], low, high float64) { *v = p.within(name, *v, low, high) }
	check("contact_bat_speed_mph", &r.ContactBatSpeedMPH, 0, 125)
	check("contact_attack_angle_deg", &r.ContactAttackAngleDeg, -90, 90)
	check("contact_attack_direction_deg", &r.ContactAttackDirectionDeg, -180, 180)
	check("contact_attack_direction_pull_deg", &r.ContactAttackDirectionPullDeg, -180, 180)
	check("swing_path_tilt_deg", &r.SwingPathTiltDeg, -90, 90)
	check("swing_length_ft", &r.SwingLengthFT, 0, 20)
	check("intercept_x_ft", &r.InterceptXFT, -10, 10)
	check("intercept_y_ft", &r.InterceptYFT, -10, 10)
	check("intercept_z_ft", &r.InterceptZFT, -10, 10)
	check("miss_distance_in", &r.MissDistanceIn, 0, 60)
	check("squared_up_pct", &r.SquaredUpPct, 0, 150)
}
