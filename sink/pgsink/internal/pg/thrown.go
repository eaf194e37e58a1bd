package pg

import (
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// The columns of pitcher_totals and pitcher_game_totals: arrays with an element for each type of pitch, in
// the order of type_names. Only a pitcher's games have the last two, which do not add up.
var (
	thrownCounts = strings.Fields(`type_pitches type_swings type_whiffs type_contacts type_hard_hits
		type_called_strikes type_in_zone type_out_of_zone type_chases
		type_speeds type_spins type_induced_breaks type_horizontal_breaks`)
	thrownSums = strings.Fields(`type_speed_sums type_spin_sums type_induced_break_sums
		type_horizontal_break_sums`)
	thrownMaxima = strings.Fields(`type_speed_maxima type_spin_maxima`)
	thrownEnds   = strings.Fields(`type_first_sums type_last_sums`)
)

// Columns of pitcher_game_totals and of pitcher_totals that PitchingRow.Into receives.
var (
	pitcherGameColumns = WriteLists(`{type columns: @}, {type ends: @}, {shown last: @}`)
	pitcherColumns     = WriteLists(`{type columns: @}, {type ends: '{}'::float8[]}, {shown last: @}`)
)

// PitchingRow receives the sums of one pitcher, or of one in a game.
type PitchingRow struct {
	names  []string
	counts [13][]int64
	sums   [4][]float64
	others [4][]*float64 // maxima, then the first and the last pitches
	last   lastRow
}

// Into returns the destinations of a row: the given ones, then those of pitcherGameColumns.
func (p *PitchingRow) Into(keys ...any) []any {
	into := append(keys, &p.names)
	for i := range p.counts {
		into = append(into, &p.counts[i])
	}
	for i := range p.sums {
		into = append(into, &p.sums[i])
	}
	for i := range p.others {
		into = append(into, &p.others[i])
	}
	return append(into, p.last.into()...)
}

// Fill writes the aggregates of the sums into g. It writes none if no row is current.
func (p *PitchingRow) Fill(g *schemas.GameStats) {
	types := make(map[string]schemas.PitchSums, len(p.names))
	for i, name := range p.names {
		types[name] = p.of(i)
	}
	g.Pitching = schemas.PitcherStatsOf(types, p.last.pitch())
}

// of returns the sums of the type at an index.
func (p *PitchingRow) of(i int) schemas.PitchSums {
	n, sum := func(k int) int64 { return p.counts[k][i] }, func(k int) float64 { return p.sums[k][i] }
	other := func(k int) (v schemas.Opt[float64]) {
		if i < len(p.others[k]) {
			v = schemas.FromPointer(p.others[k][i])
		}
		return v
	}
	return schemas.PitchSums{
		Pitches: n(0), Swings: n(1), Whiffs: n(2), Contacts: n(3), HardHits: n(4), CalledStrikes: n(5),
		InZone: n(6), OutOfZone: n(7), Chases: n(8),
		Speeds: n(9), Spins: n(10), InducedBreaks: n(11), HorizontalBreaks: n(12),
		SpeedMPH: sum(0), SpinRPM: sum(1), InducedVerticalBreakIn: sum(2), HorizontalBreakIn: sum(3),
		MaxSpeedMPH: other(0), MaxSpinRPM: other(1), FirstMPH: other(2), LastMPH: other(3),
	}
}
