package fileoutput

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
)

// The table of batters is what the plain model of the aggregates makes of the same rows.
// guard: process: a batter's last pitch is the latest
func TestBattersAreThePlainAggregates(t *testing.T) {
	rows := simulatedRows(t, 700)
	shuffled := rand.New(rand.NewPCG(1, 2))
	shuffled.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	b := NewBatters()
	offsets := shuffled.Perm(len(rows)) // rows do not come in the order of their versions
	var stored []schemas.StoredRow
	for i := range rows {
		rows[i].EventTime.Value -= rows[i].EventTime.Value % 600_000 // so that some are equal
		if i%10 == 0 {
			rows[i].EventTime = schemas.Opt[schemas.TimeMS]{}
		}
		if i%7 == 0 {
			rows[i].PitchType = ""
		}
		b.Add(&rows[i], schemas.Version{Offset: int64(offsets[i])})
		if rows[i].BatterID.Present {
			at := rows[i].EventTime.Value
			if !rows[i].EventTime.Present {
				at = -1 << 60
			}
			from := schemas.Provenance{EventTime: at, SourceOffset: int64(offsets[i])}
			stored = append(stored, schemas.StoredRow{Row: rows[i].Row, Provenance: from})
		}
	}
	want, _ := reference.Fold(stored)
	require.Greater(t, len(want), 20)
	require.Equal(t, len(want), b.Len())

	var out bytes.Buffer
	require.NoError(t, b.WriteCSV(&out))
	lines, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Equal(t, names(BatterColumns), lines[0])
	require.Equal(t, []string{"batter_id", "swing_count", "whiff_rate_pct", "max_exit_velocity_mph"}, lines[0][:4])
	var ids []int64
	for _, line := range lines[1:] {
		id, err := strconv.ParseInt(line[0], 10, 64)
		require.NoError(t, err)
		ids = append(ids, id)
		requireStats(t, want[id], line)
	}
	require.Len(t, ids, len(want))
	require.True(t, slices.IsSorted(ids))
}

func requireStats(t *testing.T, want schemas.Stats, line []string) {
	t.Helper()
	own, err := json.Marshal(want)
	require.NoError(t, err)
	object := objectOf(t, own)
	if want.LastPitch.EventTime == -1<<60 {
		object["last_pitch"].(map[string]any)["event_time"] = nil
	}
	for i, c := range BatterColumns[1:] {
		requireCell(t, c, object[c.Name], line[i+1])
	}
}

// The table of pitchers is what the plain model makes of the same rows, however many types a record invents.
// guard: process: a pitcher's last pitch is the latest
func TestPitchersAreThePlainAggregates(t *testing.T) {
	rows := simulatedRows(t, 900)
	p := NewPitchers()
	offsets := rand.New(rand.NewPCG(1, 2)).Perm(len(rows)) // rows do not come in the order of their versions
	var stored []schemas.StoredRow
	for i := range rows {
		rows[i].EventTime = schemas.Some(schemas.TimeMS(i * 7919 % 1000))
		if i%3 > 0 {
			rows[i].PitchType = schemas.Text(fmt.Sprintf("invented %d", i%300))
		}
		p.Add(&rows[i], schemas.Version{Offset: int64(offsets[i])})
		from := schemas.Provenance{EventTime: rows[i].EventTime.Value, SourceOffset: int64(offsets[i])}
		stored = append(stored, schemas.StoredRow{Row: rows[i].Row, Provenance: from})
	}
	want, _ := reference.FoldPitchers(stored)
	require.Greater(t, len(want), 5)
	require.Equal(t, len(want), p.Len())

	var out bytes.Buffer
	require.NoError(t, p.WriteCSV(&out))
	lines, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Equal(t, names(PitcherColumns), lines[0])
	require.Equal(t, []string{"pitcher_id", "pitches"}, lines[0][:2])
	isBounded := false
	for _, line := range lines[1:] {
		id, err := strconv.ParseInt(line[0], 10, 64)
		require.NoError(t, err)
		own, err := json.Marshal(want[id])
		require.NoError(t, err)
		object := objectOf(t, own)
		for i, c := range PitcherColumns[1:] {
			requireCell(t, c, object[c.Name], line[i+1])
		}
		isBounded = isBounded || len(want[id].ByPitchType) > schemas.MaxPitchTypes
	}
	require.True(t, isBounded)
}

// requireCell compares means with a tolerance, because the order of a sum is not fixed.
func requireCell(t *testing.T, c schemas.Column, want any, cell string) {
	t.Helper()
	switch {
	case c.SQL == "jsonb":
		isEqual := cmp.Comparer(func(a, b json.Number) bool {
			x, _ := a.Float64()
			y, _ := b.Float64()
			return a == b || math.Abs(x-y) < 1e-9*max(1, math.Abs(x))
		})
		require.Empty(t, cmp.Diff(want, any(objectOf(t, []byte(cell))), isEqual), c.Name)
	case want != nil && strings.HasPrefix(c.Name, "avg_"):
		wanted, err := strconv.ParseFloat(csvOf(want), 64)
		require.NoError(t, err)
		is, err := strconv.ParseFloat(cell, 64)
		require.NoError(t, err)
		require.InEpsilon(t, wanted, is, 1e-9, c.Name)
	default:
		require.Equal(t, csvOf(want), cell, c.Name)
	}
}

func TestASurveyCounts(t *testing.T) {
	rows := simulatedRows(t, 400)
	for i := range rows {
		if i%4 != 0 {
			rows[i].BatterID = schemas.Opt[int64]{}
		}
		if i%5 == 0 {
			rows[i].Issues = append(rows[i].Issues, "batter_id:type", "pitch_result:unknown")
		}
	}
	s := NewSurvey(true)
	var swings, whiffs, batterless, suspected int64
	for i := range rows {
		s.Add(&rows[i])
		swings += one(rows[i].IsSwing)
		whiffs += one(rows[i].IsWhiff)
		batterless += one(rows[i].IsSwing && !rows[i].BatterID.Present)
		suspected += one(rows[i].SwingConfidence == schemas.SwingSuspected)
	}
	f := s.Findings()
	require.EqualValues(t, 400, f.Pitches)
	require.EqualValues(t, 3, f.Games)
	require.Equal(t, swings, f.Swings)
	require.Equal(t, swings, f.SwingsConfirmed+f.SwingsSuspected)
	require.Equal(t, suspected, f.SwingsSuspected)
	require.Equal(t, batterless, f.SwingsWithoutBatter)
	require.Equal(t, whiffs, f.Whiffs)
	require.Equal(t, schemas.RatePct(whiffs, swings), f.WhiffRatePct)
	require.Len(t, f.Coverage, len(Columns))
	for _, c := range f.Coverage {
		if c.Column == "batter_id" {
			require.Equal(t, Coverage{"batter_id", 100, schemas.Some(25.0)}, c)
		}
	}
	require.Contains(t, f.Issues, Issue{"batter_id", "type", 80})
	require.Contains(t, f.Issues, Issue{"pitch_result", "unknown", 80})
	var pitches int64
	for _, x := range f.PitchTypes {
		pitches += x.Pitches
		require.Equal(t, schemas.RatePct(x.Whiffs, x.Swings), x.WhiffRatePct)
	}
	require.EqualValues(t, 400, pitches)
	requirePercentiles(t, rows, f)
}

func requirePercentiles(t *testing.T, rows []Row, f Findings) {
	var speeds, reliable []float64
	for _, r := range rows {
		if r.BatSpeedMPH.Present {
			speeds = append(speeds, r.BatSpeedMPH.Value)
			if r.SpeedConfidence == schemas.SpeedReliable {
				reliable = append(reliable, r.BatSpeedMPH.Value)
			}
		}
	}
	slices.Sort(reliable)
	median := (reliable[(len(reliable)-1)/2] + reliable[len(reliable)/2]) / 2
	require.InDelta(t, median, f.MedianBatSpeedMPH.Value, 1e-12)
	require.EqualValues(t, len(reliable), f.ReliableBatSpeeds)
	var measured []string
	for _, p := range f.Percentiles {
		measured = append(measured, p.Column)
		if p.Column == "bat_speed_mph" {
			require.EqualValues(t, len(speeds), p.Count)
			require.Equal(t, slices.Min(speeds), p.Min)
			require.Equal(t, slices.Max(speeds), p.Max)
		}
		require.True(t, slices.IsSorted([]float64{p.Min, p.P5, p.P25, p.P50, p.P75, p.P95, p.Max}), p.Column)
	}
	require.Equal(t, []string{ // those of the first core; the second's are behind them
		"inning", "balls", "strikes", "outs", "pitch_speed_mph", "spin_rate_rpm", "exit_velocity_mph", "hit_spin_rpm", "launch_angle_deg",
		"spray_angle_deg", "attack_angle_deg", "bat_speed_mph", "bat_samples", "ball_samples", "duplicate_samples",
	}, measured[:15])
}

// The values are those of Postgres: select percentile_cont(…) within group (order by x).
func TestPercentilesAreThoseOfPostgres(t *testing.T) {
	values := []float64{1, 2, 4, 8}
	for share, want := range map[float64]float64{0: 1, 0.25: 1.75, 0.5: 3, 0.75: 5, 0.95: 7.4, 1: 8} {
		require.InDelta(t, want, percentile(values, share), 1e-12)
	}
	require.Equal(t, 5.0, percentile([]float64{5}, 0.3))
}

func TestASurveyOfNothing(t *testing.T) {
	f := NewSurvey(true).Findings()
	require.False(t, f.MedianBatSpeedMPH.Present)
	require.False(t, f.SwingsWithoutBatterPct.Present)
	text, err := json.Marshal(f)
	require.NoError(t, err)
	require.Contains(t, string(text), `"issues":[],"pitch_types":[]`)
	var out bytes.Buffer
	require.NoError(t, NewBatters().WriteCSV(&out))
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("\n")))
}

// guard: bytes: the pitch types of a report are bounded
func TestThePitchTypesOfAReportAreBounded(t *testing.T) {
	s := NewSurvey(false)
	for i := range 50_000 {
		r := &Row{}
		r.PitchType = schemas.Text(fmt.Sprintf("type %d", i))
		s.Add(r)
	}
	types := s.Findings().PitchTypes
	require.Len(t, types, schemas.MaxPitchTypes+1)
	sum := int64(0)
	for _, p := range types {
		sum += p.Pitches
	}
	require.EqualValues(t, 50_000, sum)
}
