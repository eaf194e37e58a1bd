package schemas

import "math"

// The limits of the aggregates' definitions. They are those of the public Statcast glossary.
const (
	// FastSwingMPH is the bat speed at contact from which a swing counts as fast.
	FastSwingMPH = 75.0
	// A swing with a reliable bat speed at contact is competitive unless it is in the slowest tenth of the
	// batter's (SlowestTenth). One of at least CompetitiveMPH is competitive also if the ball leaves the bat
	// with CompetitiveExitMPH or more, whatever the batter's other swings are.
	CompetitiveMPH     = 60.0
	CompetitiveExitMPH = 90.0
	// An attack angle at contact of IdealAttackLowDeg to IdealAttackHighDeg is ideal.
	IdealAttackLowDeg  = 5.0
	IdealAttackHighDeg = 20.0
	// A launch angle of SweetSpotLowDeg to SweetSpotHighDeg is in the sweet spot.
	SweetSpotLowDeg  = 8.0
	SweetSpotHighDeg = 32.0
)

// SlowestTenth returns how many of n > 0 different speeds are below their 10th percentile (PERCENTILE_CONT).
// In ascending order, it is also the index of the first one that is not. The percentile is at place
// (n - 1) / 10, so this is that place rounded up. It counts in integers, so that Go and Postgres agree on
// every swing.
func SlowestTenth(n int) int { return (n + 8) / 10 }

// PitchCounts count what the rates of pitches and of batted balls are computed from. BattedBalls are the rows
// for which a barrel is known, LaunchAngles those with a launch angle. The columns in sink/pgsink/internal/pg
// (sums.go) have the order of the fields.
type PitchCounts struct {
	InZone, ZoneSwings, ZoneContacts int64
	OutOfZone, Chases                int64
	BattedBalls, Barrels             int64
	LaunchAngles, SweetSpots         int64
}

// Add counts a row.
func (p *PitchCounts) Add(r *Row) {
	inZone := r.InZone.Present && r.InZone.Value
	p.InZone += one(inZone)
	p.ZoneSwings += one(inZone && r.IsSwing)
	p.ZoneContacts += one(inZone && r.IsSwing && r.IsContact)
	outOfZone := r.InZone.Present && !r.InZone.Value
	p.OutOfZone += one(outOfZone)
	p.Chases += one(outOfZone && r.IsChase.Value)
	p.BattedBalls += one(r.IsBarrel.Present)
	p.Barrels += one(r.IsBarrel.Value)
	p.LaunchAngles += one(r.LaunchAngleDeg.Present)
	p.SweetSpots += one(within(r.LaunchAngleDeg, SweetSpotLowDeg, SweetSpotHighDeg))
}

// Fill writes the rates into st.
func (p *PitchCounts) Fill(st *Stats) {
	st.ChaseRatePct = RatePct(p.Chases, p.OutOfZone)
	st.ZoneSwingRatePct = RatePct(p.ZoneSwings, p.InZone)
	st.ZoneContactRatePct = RatePct(p.ZoneContacts, p.ZoneSwings)
	st.BarrelRatePct = RatePct(p.Barrels, p.BattedBalls)
	st.SweetSpotRatePct = RatePct(p.SweetSpots, p.LaunchAngles)
}

// SwingSums are sums over swings that have a bat speed at contact. Lengths, AttackAngles and WithSquaredUp
// count those for which a length, an attack angle and squared-up are known, as denominators. The columns in
// sink/pgsink/internal/pg (sums.go) have the order of the fields.
type SwingSums struct {
	Swings, Fast                     int64
	Lengths                          int64
	AttackAngles, Ideal              int64
	WithSquaredUp, SquaredUp, Blasts int64
	SpeedMPH, LengthFT, AttackDeg    float64
}

// Add adds a swing. A value that is missing adds 0, as Opt guarantees.
func (s *SwingSums) Add(r *Row) {
	s.Swings++
	s.Fast += one(r.ContactBatSpeedMPH.Value >= FastSwingMPH)
	s.Lengths += one(r.SwingLengthFT.Present)
	s.AttackAngles += one(r.ContactAttackAngleDeg.Present)
	s.Ideal += one(within(r.ContactAttackAngleDeg, IdealAttackLowDeg, IdealAttackHighDeg))
	s.WithSquaredUp += one(r.IsSquaredUp.Present)
	s.SquaredUp += one(r.IsSquaredUp.Value)
	s.Blasts += one(r.IsBlast.Value)
	s.SpeedMPH += r.ContactBatSpeedMPH.Value
	s.LengthFT += r.SwingLengthFT.Value
	s.AttackDeg += r.ContactAttackAngleDeg.Value
}

// Minus returns the sums over the swings of s that are not in o. It gives the sums over competitive swings,
// because those over all swings that may be competitive add up over games, and those over slow ones do not.
func (s SwingSums) Minus(o SwingSums) SwingSums {
	return SwingSums{
		Swings: s.Swings - o.Swings, Fast: s.Fast - o.Fast, Lengths: s.Lengths - o.Lengths,
		AttackAngles: s.AttackAngles - o.AttackAngles, Ideal: s.Ideal - o.Ideal,
		WithSquaredUp: s.WithSquaredUp - o.WithSquaredUp, SquaredUp: s.SquaredUp - o.SquaredUp,
		Blasts: s.Blasts - o.Blasts, SpeedMPH: s.SpeedMPH - o.SpeedMPH,
		LengthFT: s.LengthFT - o.LengthFT, AttackDeg: s.AttackDeg - o.AttackDeg,
	}
}

// Fill writes the aggregates of competitive swings, of which s are the sums, into st.
func (s *SwingSums) Fill(st *Stats) {
	st.CompetitiveSwings = s.Swings
	st.AvgContactBatSpeedMPH = Mean(s.SpeedMPH, s.Swings)
	st.FastSwingRatePct = RatePct(s.Fast, s.Swings)
	st.AvgSwingLengthFT = Mean(s.LengthFT, s.Lengths)
	st.AvgContactAttackAngleDeg = Mean(s.AttackDeg, s.AttackAngles)
	st.IdealAttackAngleRatePct = RatePct(s.Ideal, s.AttackAngles)
	st.SquaredUpRatePct = RatePct(s.SquaredUp, s.Swings)
	st.SquaredUpContactRatePct = RatePct(s.SquaredUp, s.WithSquaredUp)
	st.BlastRatePct = RatePct(s.Blasts, s.Swings)
}

// Percentile returns what PERCENTILE_CONT does, of sorted values. It is missing if there are none.
func Percentile(sorted []float64, fraction float64) Opt[float64] {
	if len(sorted) == 0 {
		return Opt[float64]{}
	}
	at := fraction * float64(len(sorted)-1)
	low, high := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
	// float64 keeps a compiler from fusing product and sum, because Postgres does not.
	return Some(low + float64((at-math.Floor(at))*(high-low)))
}

// BestHalf returns how many of n values are the best half. If n is odd, the one in the middle is in it.
func BestHalf(n int64) int64 { return (n + 1) / 2 }

// Mean returns sum / n, missing if n is 0.
func Mean(sum float64, n int64) Opt[float64] {
	if n == 0 {
		return Opt[float64]{}
	}
	return Some(sum / float64(n))
}

func within(v Opt[float64], low, high float64) bool {
	return v.Present && low <= v.Value && v.Value <= high
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
