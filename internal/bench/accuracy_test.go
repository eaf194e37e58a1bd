package bench

import (
	"bytes"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// figuresOf returns the figures of a column in one setting.
func figuresOf(t *testing.T, s *Setting, column string) *ColumnAccuracy {
	t.Helper()
	for _, a := range s.Columns {
		if a.Column == column {
			return a
		}
	}
	t.Fatalf("no figures of %s", column)
	return nil
}

// TestColumnsAreAsAccurateAsSpecified holds the limits of the specification, contact, section 3.
func TestColumnsAreAsAccurateAsSpecified(t *testing.T) {
	r, err := Accuracy(t.Context(), AccuracyOptions{Pitches: 4000, Seed: 71, Rates: []float64{300}})
	require.NoError(t, err)
	clean, tracked := r.Settings[0], r.Settings[1]
	for column, limit := range map[string]float64{
		"contact_bat_speed_mph": 0.6, "contact_attack_angle_deg": 0.7, "contact_attack_direction_deg": 0.8,
		"plate_x_ft": 0.25 / 12, "plate_z_ft": 0.25 / 12, "release_speed_mph": 0.2, "contact_time_s": 0.0015,
	} {
		e := figuresOf(t, clean, column).All
		assert.LessOrEqual(t, *e.RMSE, limit, column)
		assert.Greater(t, e.N, 1500, column)
	}
	assert.LessOrEqual(t, math.Abs(*figuresOf(t, clean, "contact_bat_speed_mph").All.Bias), 0.2)

	assert.LessOrEqual(t, *figuresOf(t, tracked, "contact_bat_speed_mph").Reliable.RMSE, 2.0)
	assert.LessOrEqual(t, *figuresOf(t, tracked, "contact_attack_angle_deg").Reliable.RMSE, 2.0)
	assert.LessOrEqual(t, *figuresOf(t, tracked, "contact_attack_direction_deg").Reliable.RMSE, 2.0)
	assert.GreaterOrEqual(t, tracked.Reliable, tracked.Swings/2)
	assert.Zero(t, tracked.ImpossibleReliable)
	assert.GreaterOrEqual(t, *tracked.SpreadTellsPct, 90.0)
	for _, s := range r.Settings {
		e := figuresOf(t, s, "is_cut_short").All
		assert.GreaterOrEqual(t, e.recall.of, 10, s.Name)
		assert.GreaterOrEqual(t, *e.PrecisionPct, 90.0, s.Name)
		assert.GreaterOrEqual(t, *e.RecallPct, 90.0, s.Name)
	}
	// Faults of the tracks are there to be seen: without them the figures would say nothing.
	assert.Greater(t, *figuresOf(t, tracked, "contact_bat_speed_mph").All.RMSE, 3.0)
}

func TestSlowCamerasHaveNoSpeedAtContact(t *testing.T) {
	r, err := Accuracy(t.Context(), AccuracyOptions{Pitches: 60, Seed: 72, Rates: []float64{150}})
	require.NoError(t, err)
	for _, s := range r.Settings {
		assert.NotZero(t, s.Swings)
		assert.Zero(t, s.Measured)
		assert.Nil(t, s.SpreadTellsPct)
	}
}

// TestThePublishedAccuracyIsThatOfTheCommand compares the tables of docs/DATA.md with those of their seed.
func TestThePublishedAccuracyIsThatOfTheCommand(t *testing.T) {
	if runtime.GOARCH != "amd64" && os.Getenv("CI") == "" {
		t.Skip("the figures are of amd64, which does not fuse multiplications and additions")
	}
	page, err := os.ReadFile("../../docs/DATA.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "pitchstream bench accuracy --seed 1 --pitches 2000\n```\n\n")
	require.True(t, found, "docs/DATA.md names the command of its tables")
	r, err := Accuracy(t.Context(), AccuracyOptions{Pitches: 2000, Seed: 1, Rates: AccuracyRates})
	require.NoError(t, err)
	var tables bytes.Buffer
	r.Print(&tables)
	published, _, _ := strings.Cut(rest, "\n\n###")
	require.True(t, strings.HasPrefix(published, strings.TrimSpace(tables.String())), "want in docs/DATA.md:\n%s", tables.String())
}

func columnOf(t *testing.T, name string) schemas.Column {
	t.Helper()
	at := columnAt(name)
	require.GreaterOrEqual(t, at, 0)
	return schemas.RowColumns[at]
}

func some(f float64) schemas.Opt[float64] { return schemas.Some(f) }

func TestWhatIsRareHasAPrecisionAndARecall(t *testing.T) {
	s := &Setting{}
	a := s.column(columnOf(t, "is_cut_short"))
	for i := range 100 {
		// Three are true; two of these are found, and one that is false.
		want, got := schemas.Some(i < 3), schemas.Some(1 <= i && i < 4)
		a.add(&want, &got, i%2 == 0, schemas.Opt[float64]{})
	}
	s.conclude()
	assert.Equal(t, "precision 66.7 %, recall 66.7 % of 3", s.text("is_cut_short"))
	assert.InDelta(t, 98, *a.All.AgreePct, 1e-12)
	want, got := schemas.Some(true), schemas.Some(true)
	for range 10 {
		a.add(&want, &got, true, schemas.Opt[float64]{})
	}
	s.conclude()
	assert.False(t, a.All.isRare(), "13 of 110")
}

func TestErrorsAreCountedOnce(t *testing.T) {
	s := &Setting{}
	a := s.column(columnOf(t, "contact_attack_direction_deg"))
	require.Same(t, a, s.column(columnOf(t, "contact_attack_direction_deg")))
	want, got := some(179), some(-179)
	a.add(&want, &got, true, some(1))
	got = some(175)
	a.add(&want, &got, false, some(5))
	missing := got
	missing.Present = false
	a.add(&want, &missing, true, some(1))
	s.conclude()
	assert.Equal(t, 2, a.All.N)
	assert.InDelta(t, -1, *a.All.Bias, 1e-12, "2° over the limit of ±180°, and −4°")
	assert.InDelta(t, math.Sqrt(10), *a.All.RMSE, 1e-12)
	assert.InDelta(t, 50, *a.All.Within1Pct, 1e-12)
	assert.InDelta(t, 100, *a.All.Within2Pct, 1e-12)
	assert.Equal(t, 1, a.Reliable.N)
	assert.InDelta(t, 2, *a.Reliable.Bias, 1e-12)
}
