package fileoutput

import (
	"bufio"
	"cmp"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/pitchstream/pitchstream/schemas"
)

// Pitchers adds up the current rows into the aggregates of each pitcher over all games. Rows without a
// pitcher count nowhere.
type Pitchers struct{ byID map[int64]*pitcher }

// pitcher holds the sums of one pitcher by type; averages and rates are computed at the end.
type pitcher struct {
	types map[string]*schemas.PitchSums
	last  lastPitch
}

// NewPitchers returns an empty Pitchers.
func NewPitchers() *Pitchers { return &Pitchers{byID: map[int64]*pitcher{}} }

// Len returns the number of pitchers.
func (p *Pitchers) Len() int { return len(p.byID) }

// Add counts a row. v is its version, because the last pitch is the newest one of those with the same event
// time.
func (p *Pitchers) Add(r *Row, v schemas.Version) {
	if !r.PitcherID.Present {
		return
	}
	x := p.byID[r.PitcherID.Value]
	isFirst := x == nil
	if isFirst {
		x = &pitcher{types: map[string]*schemas.PitchSums{}}
		p.byID[r.PitcherID.Value] = x
	}
	name := cmp.Or(string(r.PitchType), schemas.UnknownPitchType)
	if x.types[name] == nil {
		x.types[name] = &schemas.PitchSums{}
	}
	addPitch(x.types[name], &r.Row)
	// guard: process: a pitcher's last pitch is the latest | x.last.isBefore(r, v) -> true
	if isFirst || x.last.isBefore(r, v) {
		x.last = lastPitchOf(r, v)
	}
}

func addPitch(s *schemas.PitchSums, r *schemas.Row) {
	isCalled := r.PitchResult == schemas.ResultStrike && r.PitchAction == schemas.ActionCalled
	s.Pitches++
	s.Swings += one(r.IsSwing)
	s.Whiffs += one(r.IsWhiff)
	s.Contacts += one(r.IsContact)
	s.HardHits += one(r.ExitVelocityMPH.Present && r.ExitVelocityMPH.Value >= schemas.HardHitMPH)
	s.CalledStrikes += one(isCalled && !r.IsWhiff)
	s.InZone += one(r.InZone == schemas.Some(true))
	s.OutOfZone += one(r.InZone == schemas.Some(false))
	s.Chases += one(r.IsChase == schemas.Some(true))
	for _, v := range []struct {
		of    schemas.Opt[float64]
		n     *int64
		total *float64
		most  *schemas.Opt[float64] // nil: not asked for
	}{
		{r.PitchSpeedMPH, &s.Speeds, &s.SpeedMPH, &s.MaxSpeedMPH},
		{r.SpinRateRPM, &s.Spins, &s.SpinRPM, &s.MaxSpinRPM},
		{r.InducedVerticalBreakIn, &s.InducedBreaks, &s.InducedVerticalBreakIn, nil},
		{r.HorizontalBreakIn, &s.HorizontalBreaks, &s.HorizontalBreakIn, nil},
	} {
		if !v.of.Present {
			continue
		}
		*v.n++
		*v.total += v.of.Value
		if v.most != nil && (!v.most.Present || v.of.Value > v.most.Value) {
			*v.most = v.of
		}
	}
}

// PitcherColumns are the columns of the table of pitchers.
var PitcherColumns = slices.Insert(slices.Clone(schemas.PitcherStatsColumns), 0, schemas.Column{
	Name: "pitcher_id", SQL: "bigint", Source: "the rows", Meaning: "The pitcher", Missing: "never",
})

// WriteCSV writes a line per pitcher, ordered by their numbers. last_pitch and by_pitch_type are JSON.
func (p *Pitchers) WriteCSV(w io.Writer) error {
	out := bufio.NewWriterSize(w, textBufferBytes) // keeps its first error for Flush
	_, _ = out.WriteString(headerOf(PitcherColumns))
	for _, id := range slices.Sorted(maps.Keys(p.byID)) {
		s := p.byID[id].stats()
		values, err := aggregateCells(schemas.PitcherStatsColumns, s.Fields(), p.byID[id].last, s.ByPitchType)
		if err != nil {
			return err
		}
		line := strconv.AppendInt(nil, id, 10)
		for _, c := range PitcherColumns[1:] {
			line = kinds[c.SQL].appendCSV(append(line, ','), values[c.Name])
		}
		_, _ = out.Write(append(line, '\n'))
	}
	return out.Flush()
}

// stats returns the aggregates without LastPitch. Types beyond schemas.MaxPitchTypes are one.
func (p *pitcher) stats() *schemas.PitcherStats {
	named := map[string]schemas.TypeCounts{}
	for name, sums := range p.types {
		named[name] = schemas.TypeCounts{Pitches: sums.Pitches}
	}
	schemas.BoundTypes(named)
	types := map[string]schemas.PitchSums{}
	for _, name := range slices.Sorted(maps.Keys(p.types)) {
		as := name
		if _, isNamed := named[name]; !isNamed {
			as = schemas.OtherPitchTypes
		}
		types[as] = types[as].Plus(*p.types[name])
	}
	return schemas.PitcherStatsOf(types, nil)
}
