package schemas

import (
	"maps"
	"slices"
)

// A pitcher tires. So his last pitches of a game are compared with his first ones. Both are of one type,
// because types differ in speed by far more than fatigue takes.
const (
	// FirstPitches and LastPitches are how many pitches of a type with a release speed are compared.
	FirstPitches = 15
	LastPitches  = 10
)

// ActionCalled is the action of a pitch that the umpire called. With ResultStrike it is a called strike.
const ActionCalled = "Called"

// PitcherStats are the aggregates of one pitcher, or of one pitcher in one game, over the current rows.
// PitcherStatsColumns describes each field.
//
// Fields that a batter has too have the same name and meaning, so that clients read both alike. All values
// but LastPitch are sums, maxima and means over the types of ByPitchType.
type PitcherStats struct {
	Pitches           int64                     `json:"pitches"`
	SwingCount        int64                     `json:"swing_count"`
	WhiffCount        int64                     `json:"whiff_count"`
	WhiffRatePct      Opt[float64]              `json:"whiff_rate_pct"`
	ContactCount      int64                     `json:"contact_count"`
	HardHitCount      int64                     `json:"hard_hit_count"`
	CalledStrikeCount int64                     `json:"called_strike_count"`
	CSWRatePct        Opt[float64]              `json:"csw_rate_pct"`
	ZoneRatePct       Opt[float64]              `json:"zone_rate_pct"`
	ChaseRatePct      Opt[float64]              `json:"chase_rate_pct"`
	AvgPitchSpeedMPH  Opt[float64]              `json:"avg_pitch_speed_mph"`
	MaxPitchSpeedMPH  Opt[float64]              `json:"max_pitch_speed_mph"`
	AvgSpinRateRPM    Opt[float64]              `json:"avg_spin_rate_rpm"`
	MaxSpinRateRPM    Opt[float64]              `json:"max_spin_rate_rpm"`
	LastPitch         *LastPitch                `json:"last_pitch"`
	ByPitchType       map[string]PitchTypeStats `json:"by_pitch_type"`
}

// Fields returns a pointer to each field, in the order of PitcherStatsColumns.
func (s *PitcherStats) Fields() []any { return FieldsOf(s) }

// PitchTypeStats are the aggregates of a pitcher's pitches of one type. PitchTypeColumns describes each
// field.
//
// The release speeds compare the first and the last pitches of one game. They are missing over all games, and
// where fewer than FirstPitches + LastPitches pitches of the type have one.
type PitchTypeStats struct {
	Pitches                   int64        `json:"pitches"`
	Swings                    int64        `json:"swings"`
	Whiffs                    int64        `json:"whiffs"`
	WhiffRatePct              Opt[float64] `json:"whiff_rate_pct"`
	Contacts                  int64        `json:"contacts"`
	HardHits                  int64        `json:"hard_hits"`
	CalledStrikes             int64        `json:"called_strikes"`
	CSWRatePct                Opt[float64] `json:"csw_rate_pct"`
	ZoneRatePct               Opt[float64] `json:"zone_rate_pct"`
	ChaseRatePct              Opt[float64] `json:"chase_rate_pct"`
	AvgPitchSpeedMPH          Opt[float64] `json:"avg_pitch_speed_mph"`
	MaxPitchSpeedMPH          Opt[float64] `json:"max_pitch_speed_mph"`
	AvgSpinRateRPM            Opt[float64] `json:"avg_spin_rate_rpm"`
	MaxSpinRateRPM            Opt[float64] `json:"max_spin_rate_rpm"`
	AvgInducedVerticalBreakIn Opt[float64] `json:"avg_induced_vertical_break_in"`
	AvgHorizontalBreakIn      Opt[float64] `json:"avg_horizontal_break_in"`
	AvgFirstReleaseSpeedMPH   Opt[float64] `json:"avg_first_release_speed_mph"`
	AvgLastReleaseSpeedMPH    Opt[float64] `json:"avg_last_release_speed_mph"`
	ReleaseSpeedChangeMPH     Opt[float64] `json:"release_speed_change_mph"`
}

// PitchSums are sums over a pitcher's pitches. Speeds, Spins and the breaks count the pitches with a value,
// because a mean is taken over those only. Sums add up over games, maxima are the greatest of games, and the
// first and the last pitches do neither.
type PitchSums struct {
	Pitches, Swings, Whiffs, Contacts, HardHits, CalledStrikes   int64
	InZone, OutOfZone, Chases                                    int64
	Speeds, Spins, InducedBreaks, HorizontalBreaks               int64
	SpeedMPH, SpinRPM, InducedVerticalBreakIn, HorizontalBreakIn float64
	MaxSpeedMPH, MaxSpinRPM                                      Opt[float64]
	// FirstMPH and LastMPH are sums over the first and the last pitches of the game; missing over all games.
	FirstMPH, LastMPH Opt[float64]
}

// Plus returns the sums over both, without the first and the last pitches.
func (s PitchSums) Plus(o PitchSums) PitchSums {
	return PitchSums{
		Pitches: s.Pitches + o.Pitches, Swings: s.Swings + o.Swings, Whiffs: s.Whiffs + o.Whiffs,
		Contacts: s.Contacts + o.Contacts, HardHits: s.HardHits + o.HardHits,
		CalledStrikes: s.CalledStrikes + o.CalledStrikes,
		InZone:        s.InZone + o.InZone, OutOfZone: s.OutOfZone + o.OutOfZone, Chases: s.Chases + o.Chases,
		Speeds: s.Speeds + o.Speeds, Spins: s.Spins + o.Spins,
		InducedBreaks:    s.InducedBreaks + o.InducedBreaks,
		HorizontalBreaks: s.HorizontalBreaks + o.HorizontalBreaks,
		SpeedMPH:         s.SpeedMPH + o.SpeedMPH, SpinRPM: s.SpinRPM + o.SpinRPM,
		InducedVerticalBreakIn: s.InducedVerticalBreakIn + o.InducedVerticalBreakIn,
		HorizontalBreakIn:      s.HorizontalBreakIn + o.HorizontalBreakIn,
		MaxSpeedMPH:            greater(s.MaxSpeedMPH, o.MaxSpeedMPH),
		MaxSpinRPM:             greater(s.MaxSpinRPM, o.MaxSpinRPM),
	}
}

// greater returns the greater value; one that is missing is less than any other.
func greater(a, b Opt[float64]) Opt[float64] {
	if !a.Present || b.Present && b.Value > a.Value {
		return b
	}
	return a
}

// Stats returns the aggregates of the sums of one type.
func (s PitchSums) Stats() PitchTypeStats {
	st := PitchTypeStats{
		Pitches: s.Pitches, Swings: s.Swings, Whiffs: s.Whiffs, WhiffRatePct: RatePct(s.Whiffs, s.Swings),
		Contacts: s.Contacts, HardHits: s.HardHits, CalledStrikes: s.CalledStrikes,
		CSWRatePct:       RatePct(s.CalledStrikes+s.Whiffs, s.Pitches),
		ZoneRatePct:      RatePct(s.InZone, s.InZone+s.OutOfZone),
		ChaseRatePct:     RatePct(s.Chases, s.OutOfZone),
		AvgPitchSpeedMPH: Mean(s.SpeedMPH, s.Speeds), MaxPitchSpeedMPH: s.MaxSpeedMPH,
		AvgSpinRateRPM: Mean(s.SpinRPM, s.Spins), MaxSpinRateRPM: s.MaxSpinRPM,
		AvgInducedVerticalBreakIn: Mean(s.InducedVerticalBreakIn, s.InducedBreaks),
		AvgHorizontalBreakIn:      Mean(s.HorizontalBreakIn, s.HorizontalBreaks),
	}
	if s.FirstMPH.Present && s.LastMPH.Present {
		first, last := s.FirstMPH.Value/FirstPitches, s.LastMPH.Value/LastPitches
		st.AvgFirstReleaseSpeedMPH, st.AvgLastReleaseSpeedMPH = Some(first), Some(last)
		st.ReleaseSpeedChangeMPH = Some(last - first)
	}
	return st
}

// PitcherStatsOf returns the aggregates of the sums by type, nil if there is none. Rates are rounded as
// RatePct does. So Go, Postgres and the reference agree on every digit of them; means may differ in their
// last bits.
func PitcherStatsOf(types map[string]PitchSums, last *LastPitch) *PitcherStats {
	if len(types) == 0 {
		return nil
	}
	var all PitchSums
	byType := make(map[string]PitchTypeStats, len(types))
	for _, name := range slices.Sorted(maps.Keys(types)) { // the order of float sums is that of the view
		all = all.Plus(types[name])
		byType[name] = types[name].Stats()
	}
	of := all.Stats()
	return &PitcherStats{
		Pitches: of.Pitches, SwingCount: of.Swings, WhiffCount: of.Whiffs, WhiffRatePct: of.WhiffRatePct,
		ContactCount: of.Contacts, HardHitCount: of.HardHits, CalledStrikeCount: of.CalledStrikes,
		CSWRatePct: of.CSWRatePct, ZoneRatePct: of.ZoneRatePct, ChaseRatePct: of.ChaseRatePct,
		AvgPitchSpeedMPH: of.AvgPitchSpeedMPH, MaxPitchSpeedMPH: of.MaxPitchSpeedMPH,
		AvgSpinRateRPM: of.AvgSpinRateRPM, MaxSpinRateRPM: of.MaxSpinRateRPM,
		LastPitch: last, ByPitchType: byType,
	}
}
