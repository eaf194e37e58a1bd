package compare

import (
	"cmp"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// columns is the number of columns that are compared.
const columns = 16

// spec is one of our columns, and that of the CSV which is to be the same.
type spec struct {
	name   string
	unit   string
	savant string
	scale  float64 // makes the published value have the unit and sign of the stored one
	value  func(row *schemas.Row) schemas.Opt[float64]
	// confidence returns that of the value; nil: there is none.
	confidence func(row *schemas.Row) schemas.Text
}

func ofSpeed(r *schemas.Row) schemas.Text   { return r.SpeedConfidence }
func ofContact(r *schemas.Row) schemas.Text { return r.ContactConfidence }

// specs are the columns. The first is the one that lines are matched by.
var specs = [columns]spec{
	{"pitch_speed_mph", "mph", "release_speed", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.PitchSpeedMPH }, nil},
	{"release_speed_mph", "mph", "release_speed", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.ReleaseSpeedMPH }, nil},
	{"spin_rate_rpm", "rpm", "release_spin_rate", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.SpinRateRPM }, nil},
	{"plate_x_ft", "ft", "plate_x", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.PlateXFT }, nil},
	{"plate_z_ft", "ft", "plate_z", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.PlateZFT }, nil},
	{"horizontal_break_in", "in", "pfx_x", 12,
		func(r *schemas.Row) schemas.Opt[float64] { return r.HorizontalBreakIn }, nil},
	{"induced_vertical_break_in", "in", "pfx_z", 12,
		func(r *schemas.Row) schemas.Opt[float64] { return r.InducedVerticalBreakIn }, nil},
	{"exit_velocity_mph", "mph", "launch_speed", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.ExitVelocityMPH }, nil},
	{"launch_angle_deg", "deg", "launch_angle", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.LaunchAngleDeg }, nil},
	{"bat_speed_mph", "mph", "bat_speed", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.BatSpeedMPH }, ofSpeed},
	{"contact_bat_speed_mph", "mph", "bat_speed", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.ContactBatSpeedMPH }, ofContact},
	{"attack_angle_deg", "deg", "attack_angle", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.AttackAngleDeg }, nil},
	{"contact_attack_angle_deg", "deg", "attack_angle", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.ContactAttackAngleDeg }, ofContact},
	{"contact_attack_direction_pull_deg", "deg", "attack_direction", -1, // the CSV has the pull side negative
		func(r *schemas.Row) schemas.Opt[float64] { return r.ContactAttackDirectionPullDeg }, ofContact},
	{"swing_path_tilt_deg", "deg", "swing_path_tilt", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.SwingPathTiltDeg }, ofContact},
	{"swing_length_ft", "ft", "swing_length", 1,
		func(r *schemas.Row) schemas.Opt[float64] { return r.SwingLengthFT }, ofContact},
}

// Pair is one pitch of which both sides have a value.
type Pair struct {
	PitchID    schemas.PitchID `json:"pitch_id"`
	Stored     float64         `json:"stored"`
	Published  float64         `json:"published"`
	Difference float64         `json:"difference"` // stored − published
}

// Column is how one of our columns agrees with the CSV's.
type Column struct {
	Name   string  `json:"column"`
	Unit   string  `json:"unit"`
	Savant string  `json:"savant"`
	N      int64   `json:"n"`
	Bias   float64 `json:"bias"` // the mean of stored − published
	SD     float64 `json:"sd"`   // of the differences
	RMSE   float64 `json:"rmse"`
	// Low and High are the limits of agreement, bias ± 1.96 SD: 95 % of the differences are between them if they
	// are distributed normally.
	Low  float64 `json:"limit_low"`
	High float64 `json:"limit_high"`
	// Worst are the ten that are farthest from the bias.
	Worst []Pair `json:"worst"`

	index           int
	squares         float64 // of the differences' distances from the mean
	greatest, least []Pair  // worstOf each, sorted by how far they are
}

// worstOf is how many of the worst pairs are kept.
const worstOf = 10

func newColumns() (all []*Column) {
	for i, s := range specs {
		all = append(all, &Column{Name: s.name, Unit: s.unit, Savant: s.savant, Worst: []Pair{}, index: i})
	}
	return all
}

func (c *Column) add(l *line, row *schemas.StoredRow, all bool) {
	s := specs[c.index]
	stored, published := s.value(&row.Row), l.values[c.index]
	if !stored.Present || math.IsNaN(published) {
		return
	}
	// guard: compare: only reliable values count
	if !all && s.confidence != nil && s.confidence(&row.Row) != "reliable" {
		return
	}
	p := Pair{row.PitchID, stored.Value, published, stored.Value - published}
	// Welford's recurrence, which loses no digits where the bias is far greater than the spread.
	c.N++
	before := p.Difference - c.Bias
	c.Bias += before / float64(c.N)
	c.squares += before * (p.Difference - c.Bias)
	c.greatest = keep(c.greatest, p, func(a, b Pair) int { return cmp.Compare(b.Difference, a.Difference) })
	c.least = keep(c.least, p, func(a, b Pair) int { return cmp.Compare(a.Difference, b.Difference) })
}

// keep inserts a pair in a sorted list of at most worstOf.
func keep(list []Pair, p Pair, order func(a, b Pair) int) []Pair {
	at, _ := slices.BinarySearchFunc(list, p, order)
	// guard: compare: the worst pairs in memory are bounded | always
	if list = slices.Insert(list, at, p); len(list) > worstOf {
		list = list[:worstOf]
	}
	return list
}

// finish computes what is known at the end. The pairs that are farthest from the bias are among the greatest
// and the least.
func (c *Column) finish() {
	if c.N == 0 {
		return
	}
	c.RMSE = math.Sqrt(c.squares/float64(c.N) + c.Bias*c.Bias)
	if c.N > 1 {
		c.SD = math.Sqrt(c.squares / float64(c.N-1))
	}
	c.Low, c.High = c.Bias-1.96*c.SD, c.Bias+1.96*c.SD
	worst := slices.Clone(c.greatest)
	for _, p := range c.least {
		if !slices.Contains(worst, p) {
			worst = append(worst, p)
		}
	}
	slices.SortStableFunc(worst, func(a, b Pair) int {
		return cmp.Compare(abs(b.Difference-c.Bias), abs(a.Difference-c.Bias))
	})
	c.Worst = worst[:min(worstOf, len(worst))]
}

// Agreement is how in_zone agrees with the CSV's zone, of which 1 to 9 are in the strike zone.
type Agreement struct {
	N          int64   `json:"n"`
	OnlyStored int64   `json:"only_stored"` // in the zone by the stored row alone
	OnlySavant int64   `json:"only_savant"`
	SharePct   float64 `json:"agreement_pct"`
}

func (a *Agreement) add(l *line, row *schemas.StoredRow) {
	if !row.InZone.Present || math.IsNaN(l.zone) {
		return
	}
	a.N++
	switch isIn := l.zone >= 1 && l.zone <= 9; {
	case row.InZone.Value && !isIn:
		a.OnlyStored++
	case isIn && !row.InZone.Value:
		a.OnlySavant++
	}
}

func (a *Agreement) finish() {
	if a.N > 0 {
		a.SharePct = 100 * float64(a.N-a.OnlyStored-a.OnlySavant) / float64(a.N)
	}
}
