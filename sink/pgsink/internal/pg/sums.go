package pg

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/pitchstream/pitchstream/schemas"
)

// The columns of batter_totals and batter_game_totals, beside keys and pitches.
//
// Candidates are the swings that may be competitive: those with a reliable bat speed at contact, and those
// that hit the ball hard. The slow ones among them are not competitive. Which swings of a batter are slow
// depends on all of them. So the slow columns do not add up over games, as all others do but the maxima.
var (
	pitchCounts = strings.Fields(`swing_count whiff_count contact_count hard_hit_count
		exit_velocity_count bat_speed_count attack_angle_count
		in_zone_count zone_swing_count zone_contact_count out_of_zone_count chase_count
		batted_ball_count barrel_count launch_count sweet_spot_count`)
	pitchSums = strings.Fields(`exit_velocity_sum bat_speed_sum attack_angle_sum`)
	// swingColumns are the fields of schemas.SwingSums, in their order; the sums are behind the counts.
	swingColumns = strings.Fields(`count fast_count length_count attack_count ideal_count
		hit_count squared_up_count blast_count speed_sum length_sum attack_sum`)
	candidates  = named("candidate_", swingColumns)
	slow        = named("slow_", swingColumns)
	swingCounts = append([]string{"reliable_count"}, candidates[:8]...)
	swingSums   = candidates[8:]
	maxima      = []string{"exit_velocity_max", "bat_speed_max"}
	// spread is computed of all rows at each change: no difference of games moves a percentile.
	spread = strings.Fields(`contact_speed_p10 contact_speed_p90 exit_velocity_p90 exit_velocity_top_sum
		sword_count`)

	lastPitch = strings.Fields(`last_pitch_id last_event_time last_revision last_record_ts_ms
		last_offset last_partition last_pitch_result last_pitch_action last_exit_velocity_mph`)
	newestPitch = lastPitch[1:6]
	shownLast   = append([]string{"last_pitch_id", "last_event_time"}, lastPitch[6:]...)
	typeCounts  = strings.Fields(`type_names type_pitches type_swings type_whiffs`)
)

// columnLists are the lists that a statement can write out.
var columnLists = map[string][]string{
	"pitch counts": pitchCounts,
	"pitch totals": slices.Concat(pitchCounts, pitchSums),
	"swing totals": slices.Concat(swingCounts, swingSums),
	"candidates":   candidates,
	"slow":         slow,
	"counts":       slices.Concat(pitchCounts, swingCounts),
	"sums":         slices.Concat(pitchSums, swingSums),
	"totals":       slices.Concat(pitchCounts, pitchSums, swingCounts, swingSums),
	"maxima":       maxima,
	"spread":       spread,
	"last":         lastPitch,
	"types":        typeCounts,
	"newest":       newestPitch,
	"shown last":   shownLast,
	"at bat":       strings.Fields(`at_bat_number pitch_number batter_side pitcher_hand`),

	"type counts":   thrownCounts,
	"type sums":     thrownSums,
	"type maxima":   thrownMaxima,
	"type ends":     thrownEnds,
	"type totals":   slices.Concat(thrownCounts, thrownSums),
	"type measures": slices.Concat(thrownSums, thrownMaxima),
	"type columns":  slices.Concat([]string{"type_names"}, thrownCounts, thrownSums, thrownMaxima),
}

// StatsColumns are the columns of batter_totals and batter_game_totals that StatsRow.Into receives.
var StatsColumns = WriteLists(`pitches, {pitch totals: @}, {maxima: @}, {candidates: @}, {slow: @},
	{shown last: @}, {types: @}, {spread: @}`)

// lastRow receives the last pitch of a player, which is NULL where no row is current.
type lastRow struct {
	id   *[16]byte
	last schemas.LastPitch
}

func (l *lastRow) into() []any {
	return []any{&l.id, Time(&l.last.EventTime), Text(&l.last.PitchResult), Text(&l.last.PitchAction),
		Float(&l.last.ExitVelocityMPH)}
}

func (l *lastRow) pitch() *schemas.LastPitch {
	if l.id == nil {
		return nil
	}
	last := l.last // a copy, because the next row is read into l
	last.PitchID = *l.id
	// guard: a last pitch is not that of the next row | &last -> &l.last
	return &last
}

// Sums receives the sums of one player, or of one in a game. It may receive one row after the other, because
// a row sets all destinations, and Fill keeps none of them.
type Sums interface {
	// Into returns the destinations of a row: the given ones, then those of SumColumns or GameSumColumns.
	Into(keys ...any) []any
	// Fill writes the aggregates of the sums into g. It writes none if no row is current.
	Fill(g *schemas.GameStats)
}

// NewSums returns an empty receiver of a side.
func NewSums(side schemas.Side) Sums {
	if side == schemas.Pitcher {
		return &PitchingRow{}
	}
	return &StatsRow{}
}

// EachGame reads rows with player, game, sequence number and GameSumColumns.
func EachGame(side schemas.Side, rows pgx.Rows, read func(player int64, game schemas.GameStats)) error {
	var player, seq int64
	var key string
	sums := NewSums(side)
	into := sums.Into(&player, &key, &seq) // once, because a row has some seventy destinations
	return Each(rows, func() error {
		err := rows.Scan(into...)
		if err == nil {
			game := schemas.GameStats{GamePK: key, Seq: seq}
			sums.Fill(&game)
			read(player, game)
		}
		return err
	})
}

// SumColumns returns the columns of a side's totals.
func SumColumns(side schemas.Side) string {
	if side == schemas.Pitcher {
		return pitcherColumns
	}
	return StatsColumns
}

// GameSumColumns returns the columns of a side's totals of games.
func GameSumColumns(side schemas.Side) string {
	if side == schemas.Pitcher {
		return pitcherGameColumns
	}
	return StatsColumns
}

// StatsRow receives the sums of one batter or batter-game.
type StatsRow struct {
	stats                               schemas.Stats
	counts                              schemas.PitchCounts
	candidates, slow                    schemas.SwingSums
	last                                lastRow
	exitCount, batCount, attackCount    int64
	exitSum, batSum, attackSum          float64
	topSum                              schemas.Opt[float64]
	types                               []string
	typePitches, typeSwings, typeWhiffs []int64
}

// Into returns the destinations of a row: the given ones, then those of StatsColumns.
func (s *StatsRow) Into(keys ...any) []any {
	st := &s.stats
	into := append(keys,
		&st.Pitches, &st.SwingCount, &st.WhiffCount, &st.ContactCount, &st.HardHitCount,
		&s.exitCount, &s.batCount, &s.attackCount)
	into = append(into, schemas.FieldsOf(&s.counts)...)
	into = append(into, &s.exitSum, &s.batSum, &s.attackSum,
		Float(&st.MaxExitVelocityMPH), Float(&st.MaxBatSpeedMPH))
	into = append(into, schemas.FieldsOf(&s.candidates)...)
	into = append(into, schemas.FieldsOf(&s.slow)...)
	into = append(into, s.last.into()...)
	return append(into, &s.types, &s.typePitches, &s.typeSwings, &s.typeWhiffs,
		Float(&st.P10ContactBatSpeedMPH), Float(&st.P90ContactBatSpeedMPH), Float(&st.P90ExitVelocityMPH),
		Float(&s.topSum), &st.SwordCount)
}

// Fill writes the aggregates of the sums into g. It writes none if no row is current.
func (s *StatsRow) Fill(g *schemas.GameStats) {
	st := s.stats
	if st.Pitches == 0 {
		return
	}
	st.WhiffRatePct = schemas.RatePct(st.WhiffCount, st.SwingCount)
	st.AvgExitVelocityMPH = schemas.Mean(s.exitSum, s.exitCount)
	st.AvgBatSpeedMPH = schemas.Mean(s.batSum, s.batCount)
	st.AvgAttackAngleDeg = schemas.Mean(s.attackSum, s.attackCount)
	st.AvgEV50MPH = schemas.Mean(s.topSum.Value, schemas.BestHalf(s.exitCount))
	s.counts.Fill(&st)
	competitive := s.candidates.Minus(s.slow)
	competitive.Fill(&st)
	st.LastPitch = s.last.pitch()
	st.ByPitchType = make(map[string]schemas.TypeCounts, len(s.types))
	for i, name := range s.types {
		st.ByPitchType[name] = schemas.TypeCounts{
			Pitches: s.typePitches[i], Swings: s.typeSwings[i], Whiffs: s.typeWhiffs[i],
		}
	}
	g.Stats = &st
}

// AtBatColumns are the columns of pitches that the identified register of r alone names.
var AtBatColumns = WriteLists(`{at bat: ` + atBatOf + ` AS @}`)

const atBatOf = `CASE WHEN r.identified_at_bat_version = ARRAY[r.identified_revision, r.identified_record_ts_ms,
	r.identified_source_offset, r.identified_source_partition] THEN r.identified_@ END`

func named(prefix string, names []string) (all []string) {
	for _, name := range names {
		all = append(all, prefix+name)
	}
	return all
}

var listPattern = regexp.MustCompile(`\{([a-z ]+): ((?:[^{}]|\{\})+)\}`)

// WriteLists replaces {LIST: TEXT} in a statement by TEXT for each column of the list, with the column's name
// in place of @, separated by commas. It panics on a list that is not there.
func WriteLists(sql string) string {
	return listPattern.ReplaceAllStringFunc(sql, func(hole string) string {
		match := listPattern.FindStringSubmatch(hole)
		columns, ok := columnLists[match[1]]
		if !ok {
			panic(fmt.Sprintf("a statement names the unknown list %q", match[1]))
		}
		texts := make([]string, len(columns))
		for i, column := range columns {
			texts[i] = strings.ReplaceAll(match[2], "@", column)
		}
		return strings.Join(texts, ", ")
	})
}
