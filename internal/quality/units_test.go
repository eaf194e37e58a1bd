package quality

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// A column whose values are in another unit says in which, also where most of them are out of range and
// missing then. A column that is off otherwise names no unit.
//
// guard: quality: the unit that a column looks like is named
// guard: quality: angles in radians are found by their deviation
func TestTheUnitOfAShiftedColumnIsNamed(t *testing.T) {
	exit := func(r *schemas.Row) *schemas.Opt[float64] { return &r.ExitVelocityMPH }
	spray := func(r *schemas.Row) *schemas.Opt[float64] { return &r.SprayAngleDeg }
	launch := func(r *schemas.Row) *schemas.Opt[float64] { return &r.LaunchAngleDeg }
	speed := func(r *schemas.Row) *schemas.Opt[float64] { return &r.PitchSpeedMPH }
	for name, c := range map[string]struct {
		column    string
		of        func(*schemas.Row) *schemas.Opt[float64]
		factor    float64
		low, high float64
		want      string
	}{
		"kilometres":    {"exit_velocity_mph", exit, 1.609344, 0, 125, "kilometres an hour"},
		"metres":        {"exit_velocity_mph", exit, 0.44704, 0, 125, "metres a second"},
		"radians":       {"launch_angle_deg", launch, math.Pi / 180, -90, 90, "radians"},
		"spray":         {"spray_angle_deg", spray, math.Pi / 180, -180, 180, "radians"},
		"another fault": {"pitch_speed_mph", speed, 0.9, 50, 110, ""},
	} {
		t.Run(name, func(t *testing.T) {
			games := week(t, 8, 8, simulate.Options{Seed: 83})
			newest(games, func(_ int, r *schemas.StoredRow) {
				v := c.of(&r.Row)
				if v.Value *= c.factor; v.Value < c.low || v.Value > c.high {
					*v = schemas.Opt[float64]{}
				}
			})
			f := judged(Judge(factsOfAll(games), ""), ColumnShift, everywhere, c.column)
			require.True(t, f.Abnormal)
			_, like, _ := strings.Cut(f.What, ", whose values look like ")
			require.Equal(t, c.want, like, "%+v", f)
			require.NotZero(t, f.Games)
			require.Less(t, len(f.What), 200)
		})
	}
}

// A ball that flies sideways, because a vendor swapped the axes, loses the columns of its flight, and the
// finding says why.
// guard: quality: a ball that flies sideways is named
func TestABallThatFliesSidewaysIsNamed(t *testing.T) {
	s, err := simulate.New(simulate.Options{Seed: 84, Games: 4, Parallel: 1, FeedIDs: true})
	require.NoError(t, err)
	byGame := map[string][]schemas.StoredRow{}
	days := map[schemas.Text]bool{}
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		rec := schemas.Record{Key: m.Key, Headers: m.Headers, Value: m.Value}
		plain, rej := features.Transform(rec, features.Limits{})
		require.Nil(t, rej)
		if plain.Row == nil {
			continue
		}
		days[plain.Row.GameDate] = true
		row := *plain.Row
		if len(days) == 4 {
			turned := rec
			turned.Value = sideways(t, rec.Value)
			change, rej := features.Transform(turned, features.Limits{})
			require.Nil(t, rej)
			row = *change.Row
		}
		byGame[string(row.GamePK)] = append(byGame[string(row.GamePK)], schemas.StoredRow{Row: row})
	}
	r := Judge(factsOfAll(byGame), "")
	f := judged(r, MissingValues, everywhere, "release_speed_mph")
	require.NotNil(t, f, "%v", abnormal(r))
	require.Contains(t, f.What, "axes are swapped")
}

// sideways swaps x and y of the ball.
func sideways(t *testing.T, value []byte) []byte {
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	require.NoError(t, d.Decode(&doc))
	balls, _ := doc["samples_ball"].([]any)
	for _, b := range balls {
		for _, v := range b.(map[string]any) {
			if p, is := v.([]any); is && len(p) == 3 {
				p[0], p[1] = p[1], p[0]
			}
		}
	}
	out, err := json.Marshal(doc)
	require.NoError(t, err)
	return out
}
