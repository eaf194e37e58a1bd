package fileoutput

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// Survey computes the figures of a report from the current rows. It holds 8 bytes per reliable bat speed, and
// with percentiles 8 bytes per number in the rows, about 70 numbers per row.
type Survey struct {
	f         Findings // the counts of rows so far
	games     map[schemas.Text]struct{}
	present   []int64 // by column
	issues    map[string]int64
	types     map[string]schemas.TypeCounts
	batSpeeds []float64   // reliable ones
	values    [][]float64 // by column; nil without percentiles
}

// NewSurvey returns an empty Survey.
func NewSurvey(percentiles bool) *Survey {
	s := &Survey{
		games: map[schemas.Text]struct{}{}, present: make([]int64, len(columns)), issues: map[string]int64{},
		types: map[string]schemas.TypeCounts{},
	}
	if percentiles {
		s.values = make([][]float64, len(columns))
	}
	return s
}

// Add counts a row.
func (s *Survey) Add(r *Row) {
	s.f.Pitches++
	s.f.Swings += one(r.IsSwing)
	s.f.Whiffs += one(r.IsWhiff)
	s.f.SwingsConfirmed += one(r.SwingConfidence == schemas.SwingConfirmed)
	s.f.SwingsSuspected += one(r.SwingConfidence == schemas.SwingSuspected)
	s.f.SwingsWithoutBatter += one(r.IsSwing && !r.BatterID.Present)
	if r.GamePK != "" {
		s.games[r.GamePK] = struct{}{}
	}
	for _, issue := range r.Issues {
		s.issues[issue]++
	}
	schemas.CountType(s.types, &r.Row)
	if r.BatSpeedMPH.Present && r.SpeedConfidence == schemas.SpeedReliable {
		s.batSpeeds = append(s.batSpeeds, r.BatSpeedMPH.Value)
	}
	for i, c := range columns {
		v := c.of(r)
		s.present[i] += one(v.present)
		switch { // the numbers of other kinds are only identifiers
		case s.values == nil || !v.present:
		case c.kind == floatKind:
			s.values[i] = append(s.values[i], v.f)
		case c.kind == int16Kind || c.kind == int32Kind:
			s.values[i] = append(s.values[i], float64(v.n))
		}
	}
}

// Findings are the figures of a survey, named as in the views dataset_stats and pitch_type_breakdown.
type Findings struct {
	Pitches                int64                `json:"pitches"`
	Games                  int64                `json:"games"`
	Swings                 int64                `json:"swings"`
	SwingsConfirmed        int64                `json:"swings_confirmed"`
	SwingsSuspected        int64                `json:"swings_suspected"`
	SwingsWithoutBatter    int64                `json:"swings_without_batter"`
	SwingsWithoutBatterPct schemas.Opt[float64] `json:"swings_without_batter_pct"`
	Whiffs                 int64                `json:"whiffs"`
	WhiffRatePct           schemas.Opt[float64] `json:"whiff_rate_pct"` // of all swings, with or without a batter
	ReliableBatSpeeds      int64                `json:"reliable_bat_speeds"`
	MedianBatSpeedMPH      schemas.Opt[float64] `json:"median_bat_speed_mph"` // of reliable ones, PERCENTILE_CONT
	Coverage               []Coverage           `json:"coverage"`
	Issues                 []Issue              `json:"issues"`
	PitchTypes             []PitchType          `json:"pitch_types"`
	Percentiles            []Percentiles        `json:"percentiles,omitempty"`
}

// Coverage says how many rows have a value in a column.
type Coverage struct {
	Column     string               `json:"column"`
	Present    int64                `json:"present"`
	PresentPct schemas.Opt[float64] `json:"present_pct"`
}

// Issue says how many rows have an issue.
type Issue struct {
	Column string `json:"column"`
	Kind   string `json:"kind"` // type, range, unknown, conflict
	Rows   int64  `json:"rows"`
}

// PitchType holds the counts of one pitch type; pitches without one are unknown.
type PitchType struct {
	PitchType string `json:"pitch_type"`
	schemas.TypeCounts
	WhiffRatePct schemas.Opt[float64] `json:"whiff_rate_pct"`
}

// Percentiles are those of the values that are present in a column.
type Percentiles struct {
	Column string  `json:"column"`
	Count  int64   `json:"count"`
	Mean   float64 `json:"mean"`
	Min    float64 `json:"min"`
	P5     float64 `json:"p5"`
	P25    float64 `json:"p25"`
	P50    float64 `json:"p50"`
	P75    float64 `json:"p75"`
	P95    float64 `json:"p95"`
	Max    float64 `json:"max"`
}

// Findings computes the figures. No row may be added after it.
func (s *Survey) Findings() Findings {
	f := s.f
	f.Games, f.ReliableBatSpeeds = int64(len(s.games)), int64(len(s.batSpeeds))
	percent := schemas.RatePct // two decimals, missing if the whole is 0
	f.SwingsWithoutBatterPct = percent(f.SwingsWithoutBatter, f.Swings)
	f.WhiffRatePct = percent(f.Whiffs, f.Swings)
	f.Issues, f.PitchTypes, f.Percentiles = []Issue{}, []PitchType{}, s.percentiles()
	if slices.Sort(s.batSpeeds); len(s.batSpeeds) > 0 {
		f.MedianBatSpeedMPH = schemas.Some(percentile(s.batSpeeds, 0.5))
	}
	for i, c := range columns {
		f.Coverage = append(f.Coverage, Coverage{c.Name, s.present[i], percent(s.present[i], f.Pitches)})
	}
	for _, issue := range slices.Sorted(maps.Keys(s.issues)) {
		column, kind, _ := strings.Cut(issue, ":")
		f.Issues = append(f.Issues, Issue{column, kind, s.issues[issue]})
	}
	types := maps.Clone(s.types)
	// guard: bytes: the pitch types of a report are bounded
	schemas.BoundTypes(types)
	for _, name := range slices.Sorted(maps.Keys(types)) {
		t := types[name]
		f.PitchTypes = append(f.PitchTypes, PitchType{name, t, percent(t.Whiffs, t.Swings)})
	}
	return f
}

func (s *Survey) percentiles() (all []Percentiles) {
	for i, values := range s.values {
		if len(values) == 0 {
			continue
		}
		slices.Sort(values)
		var total float64
		for _, v := range values {
			total += v
		}
		at := func(share float64) float64 { return percentile(values, share) }
		all = append(all, Percentiles{
			Column: columns[i].Name, Count: int64(len(values)), Mean: total / float64(len(values)),
			Min: at(0), P5: at(0.05), P25: at(0.25), P50: at(0.5), P75: at(0.75), P95: at(0.95), Max: at(1),
		})
	}
	return all
}

// percentile returns the PERCENTILE_CONT of Postgres of at least one sorted value: it interpolates linearly.
func percentile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
