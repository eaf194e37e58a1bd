package fileoutput

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/pitchstream/pitchstream/schemas"
)

// Batters adds up the current rows into the aggregates of each batter. Rows without a batter count nowhere.
type Batters struct{ byID map[int64]*batter }

// batter holds the sums of one batter; averages and rates are computed at the end.
type batter struct {
	stats        schemas.Stats // without averages, rate and LastPitch
	exitVelocity sum
	batSpeed     sum // reliable ones
	attackAngle  sum // of confirmed swings
	last         lastPitch
	counts       schemas.PitchCounts
	candidates   schemas.SwingSums // of swings that are reliable or hit the ball hard
	reliable     []contactSwing
	hard         []float64 // the bat speeds at contact of those that hit the ball hard
	exits        []float64 // the exit velocities
	cutShort     []float64 // the bat speeds at contact of swings that were cut short
}

// contactSwing is a swing whose bat speed at contact is reliable. It has no sums if it hit the ball hard,
// because it is competitive then, however slow it was.
type contactSwing struct {
	speedMPH float64
	sums     schemas.SwingSums
}

type sum struct {
	n     int64
	total float64
	most  float64 // if n > 0
}

// lastPitch is schemas.LastPitch with an event time that may be missing, and with the version of its row.
type lastPitch struct {
	version schemas.Version

	PitchID         schemas.PitchID             `json:"pitch_id"`
	EventTime       schemas.Opt[schemas.TimeMS] `json:"event_time"`
	PitchResult     schemas.Text                `json:"pitch_result"`
	PitchAction     schemas.Text                `json:"pitch_action"`
	ExitVelocityMPH schemas.Opt[float64]        `json:"exit_velocity_mph"`
}

func lastPitchOf(r *Row, v schemas.Version) lastPitch {
	return lastPitch{v, r.PitchID, r.EventTime, r.PitchResult, r.PitchAction, r.ExitVelocityMPH}
}

// isBefore reports whether a row counts as later than the last pitch: by its event time, and then by its
// version, as in the stores.
func (p *lastPitch) isBefore(r *Row, v schemas.Version) bool {
	return cmp.Or(compareTimes(p.EventTime, r.EventTime), p.version.Compare(v)) < 0
}

// NewBatters returns an empty Batters.
func NewBatters() *Batters { return &Batters{byID: map[int64]*batter{}} }

// Len returns the number of batters.
func (b *Batters) Len() int { return len(b.byID) }

// Add counts a row. v is its version, because the last pitch is the newest one of those with the same event
// time.
func (b *Batters) Add(r *Row, v schemas.Version) {
	if !r.BatterID.Present {
		return
	}
	x := b.byID[r.BatterID.Value]
	if x == nil {
		x = &batter{stats: schemas.Stats{ByPitchType: map[string]schemas.TypeCounts{}}}
		b.byID[r.BatterID.Value] = x
	}
	x.add(r, v)
}

func (b *batter) add(r *Row, v schemas.Version) {
	s := &b.stats
	s.Pitches++
	s.SwingCount += one(r.IsSwing)
	s.WhiffCount += one(r.IsWhiff)
	s.ContactCount += one(r.IsContact)
	s.HardHitCount += one(r.ExitVelocityMPH.Present && r.ExitVelocityMPH.Value >= schemas.HardHitMPH)
	b.exitVelocity.add(r.ExitVelocityMPH, true)
	b.batSpeed.add(r.BatSpeedMPH, r.SpeedConfidence == schemas.SpeedReliable)
	b.attackAngle.add(r.AttackAngleDeg, r.SwingConfidence == schemas.SwingConfirmed)
	if r.ExitVelocityMPH.Present {
		b.exits = append(b.exits, r.ExitVelocityMPH.Value)
	}
	b.counts.Add(&r.Row)
	b.addContact(&r.Row)
	schemas.CountType(s.ByPitchType, &r.Row)
	// guard: process: a batter's last pitch is the latest | b.last.isBefore(r, v) -> true
	if s.Pitches == 1 || b.last.isBefore(r, v) {
		b.last = lastPitchOf(r, v)
	}
}

// addContact keeps a swing until all are known, because only then it is known which are the fastest.
func (b *batter) addContact(r *schemas.Row) {
	if !r.ContactBatSpeedMPH.Present {
		return
	}
	swing := contactSwing{speedMPH: r.ContactBatSpeedMPH.Value}
	if r.IsCutShort.Value {
		b.cutShort = append(b.cutShort, swing.speedMPH)
	}
	isReliable := r.ContactConfidence == schemas.SpeedReliable
	isHard := swing.speedMPH >= schemas.CompetitiveMPH && r.ExitVelocityMPH.Value >= schemas.CompetitiveExitMPH
	if isReliable || isHard {
		b.candidates.Add(r)
	}
	if isHard {
		b.hard = append(b.hard, swing.speedMPH)
	}
	if isReliable {
		if !isHard {
			swing.sums.Add(r)
		}
		b.reliable = append(b.reliable, swing)
	}
}

// competitive returns the sums without those of the slowest reliable swings, and the speeds, sorted.
func (b *batter) competitive() (total schemas.SwingSums, speeds []float64) {
	slices.SortFunc(b.reliable, func(a, b contactSwing) int { return cmp.Compare(a.speedMPH, b.speedMPH) })
	total, speeds = b.candidates, slices.Clone(b.hard)
	if len(b.reliable) > 0 {
		limit := b.reliable[schemas.SlowestTenth(len(b.reliable))].speedMPH
		for _, swing := range b.reliable {
			switch {
			case swing.speedMPH < limit:
				total = total.Minus(swing.sums)
			case swing.sums.Swings > 0:
				speeds = append(speeds, swing.speedMPH)
			}
		}
	}
	slices.Sort(speeds)
	return total, speeds
}

// swords returns how many of the swings that were cut short are not above the 10th percentile of the reliable
// ones, which competitive has sorted.
func (b *batter) swords() (n int64) {
	speeds := schemas.Map(b.reliable, func(s contactSwing) float64 { return s.speedMPH })
	tenth := schemas.Percentile(speeds, 0.1)
	for _, mph := range b.cutShort {
		if tenth.Present && mph <= tenth.Value {
			n++
		}
	}
	return n
}

func meanOf(values []float64) schemas.Opt[float64] {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return schemas.Mean(total, int64(len(values)))
}

func (s *sum) add(v schemas.Opt[float64], counts bool) {
	if !v.Present || !counts {
		return
	}
	if s.n++; s.n == 1 || v.Value > s.most {
		s.most = v.Value
	}
	s.total += v.Value
}

// results returns the maximum and the mean, both missing if there was no value.
func (s *sum) results() (most, mean schemas.Opt[float64]) {
	return schemas.Opt[float64]{Value: s.most, Present: s.n > 0}, schemas.Mean(s.total, s.n)
}

// compareTimes orders event times; an unknown one is before all known ones.
func compareTimes(a, b schemas.Opt[schemas.TimeMS]) int {
	return cmp.Or(cmp.Compare(one(a.Present), one(b.Present)), cmp.Compare(a.Value, b.Value))
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// BatterColumns are the columns of the table of batters. Those that analysts read most come first.
var BatterColumns = func() []schemas.Column {
	first := []string{"swing_count", "whiff_rate_pct", "max_exit_velocity_mph"}
	rank := func(c schemas.Column) int {
		if i := slices.Index(first, c.Name); i >= 0 {
			return i
		}
		return len(first)
	}
	all := slices.Clone(schemas.StatsColumns)
	slices.SortStableFunc(all, func(a, b schemas.Column) int { return rank(a) - rank(b) })
	return slices.Insert(all, 0, schemas.Column{
		Name: "batter_id", SQL: "bigint", Source: "the rows", Meaning: "The batter", Missing: "never",
	})
}()

// WriteCSV writes a line per batter, ordered by their numbers. last_pitch and by_pitch_type are JSON.
func (b *Batters) WriteCSV(w io.Writer) error {
	out := bufio.NewWriterSize(w, textBufferBytes) // keeps its first error for Flush
	_, _ = out.WriteString(headerOf(BatterColumns))
	for _, id := range slices.Sorted(maps.Keys(b.byID)) {
		values, err := b.byID[id].values()
		if err != nil {
			return err
		}
		line := strconv.AppendInt(nil, id, 10)
		for _, c := range BatterColumns[1:] {
			line = kinds[c.SQL].appendCSV(append(line, ','), values[c.Name])
		}
		_, _ = out.Write(append(line, '\n'))
	}
	return out.Flush()
}

// values returns the batter's aggregates by column name.
func (b *batter) values() (map[string]cell, error) {
	s := b.stats
	s.WhiffRatePct = schemas.RatePct(s.WhiffCount, s.SwingCount)
	s.MaxExitVelocityMPH, s.AvgExitVelocityMPH = b.exitVelocity.results()
	s.MaxBatSpeedMPH, s.AvgBatSpeedMPH = b.batSpeed.results()
	_, s.AvgAttackAngleDeg = b.attackAngle.results()
	b.counts.Fill(&s)
	swings, speeds := b.competitive()
	swings.Fill(&s)
	s.P10ContactBatSpeedMPH = schemas.Percentile(speeds, 0.1)
	s.P90ContactBatSpeedMPH = schemas.Percentile(speeds, 0.9)
	slices.Sort(b.exits)
	s.P90ExitVelocityMPH = schemas.Percentile(b.exits, 0.9)
	s.AvgEV50MPH = meanOf(b.exits[len(b.exits)/2:])
	s.SwordCount = b.swords()
	s.ByPitchType = maps.Clone(s.ByPitchType)
	schemas.BoundTypes(s.ByPitchType)

	return aggregateCells(schemas.StatsColumns, s.Fields(), b.last, s.ByPitchType)
}

// aggregateCells returns aggregates by column name: the fields of columns, in their order, and two that are
// JSON.
func aggregateCells(
	columns []schemas.Column, fields []any, last lastPitch, types any,
) (map[string]cell, error) {
	values := map[string]cell{}
	for i, field := range fields {
		switch v := field.(type) {
		case *int64:
			values[columns[i].Name] = count(*v)
		case *schemas.Opt[float64]:
			values[columns[i].Name] = cellOf(v)
		}
	}
	lastJSON, lastErr := jsonOf(last)
	typesJSON, typesErr := jsonOf(types)
	values["last_pitch"] = cell{present: true, s: string(lastJSON)}
	values["by_pitch_type"] = cell{present: true, s: string(typesJSON)}
	return values, errors.Join(lastErr, typesErr)
}
