package scoring

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// thrown is a pitch of a pitcher.
func thrown(n int, pitcher int64, kind string, speed, spin float64) schemas.StoredRow {
	var row schemas.StoredRow
	row.PitchID = schemas.PitchID{byte(n >> 16), byte(n >> 8), byte(n), 1}
	row.PitcherID, row.PitchType = schemas.Some(pitcher), schemas.Text(kind)
	row.PitchSpeedMPH, row.SpinRateRPM = schemas.Some(speed), schemas.Some(spin)
	row.Balls, row.Strikes = schemas.Some(int16(n%4)), schemas.Some(int16(n/4%3))
	return row
}

// bullpen are n pitches of each of some pitchers, of two types.
func bullpen(pitchers, n int) (rows []schemas.StoredRow) {
	r := rand.New(rand.NewPCG(5, 5))
	for p := range pitchers {
		for i := range n {
			kind, speed, spin := "FourSeamFastball", 94.0, 2300.0
			if i%2 == 1 {
				kind, speed, spin = "Curveball", 79.0, 2600.0
			}
			rows = append(rows, thrown(len(rows), int64(p+1), kind, speed+r.NormFloat64(), spin+80*r.NormFloat64()))
		}
	}
	return rows
}

// A source that does not measure the spin sends one number for all. The training must end.
// guard: self: a column that never varies is refused
func TestSelfRefusesAColumnThatNeverVaries(t *testing.T) {
	rows := bullpen(10, 40)
	for i := range rows {
		rows[i].SpinRateRPM = schemas.Some(2200.)
	}
	_, err := FitSelf(rows, OfPitcher)
	require.ErrorContains(t, err, "all rows have the same spin_rate_rpm")
}

// Where the spin is measured of one pitch alone, it does not vary in most parts of the rows.
// guard: self: what does not vary in a part of the rows has no correlation
func TestSelfIsTrainedOnAColumnThatHardlyVaries(t *testing.T) {
	rows := bullpen(10, 40)
	for i := range rows {
		rows[i].SpinRateRPM = schemas.Some(2200.)
	}
	rows[7].SpinRateRPM = schemas.Some(2300.)
	f, err := FitSelf(rows, OfPitcher)
	require.NoError(t, err)
	s := scorerOf(t, f)
	like := s.Score(&rows[8].Row)[0]
	require.True(t, like.PValue.Present)
	require.Equal(t, schemas.Text("like himself"), like.Label)
	Calibration(rows, OfPitcher)
}

// guard: self: no half of the rows is empty
func TestSelfIsTrainedOnPlayersWithOneRowEach(t *testing.T) {
	f, err := FitSelf(bullpen(300, 1), OfPitcher)
	require.NoError(t, err)
	require.Empty(t, f.Self.Players)
}

// A type that was thrown once or twice says nothing about its spread.
// guard: self: a rare type has no tiny scale
func TestAPitchOfARareTypeIsNotUnlikeItsPitcher(t *testing.T) {
	rows := bullpen(10, 100)
	rows = append(rows, thrown(len(rows), 3, "Eephus", 62, 1500))
	f, err := FitSelf(rows, OfPitcher)
	require.NoError(t, err)
	score := scorerOf(t, f).Score(&nextOf(rows, "Eephus", 64, 1540).Row)[0]
	require.Greater(t, score.PValue.Value, 0.05)
	require.Equal(t, schemas.Text("like himself"), score.Label)

	// Who is always the same in a few rows is not unlike himself by a hair.
	same := bullpen(10, 100)
	for range 10 {
		same = append(same, thrown(len(same), 77, "FourSeamFastball", 94, 2300))
	}
	f, err = FitSelf(same, OfPitcher)
	require.NoError(t, err)
	score = scorerOf(t, f).Score(&nextOf(same, "FourSeamFastball", 94.3, 2310).Row)[0]
	require.Greater(t, score.PValue.Value, Threshold)
}

// nextOf is the next pitch of the last pitcher.
func nextOf(rows []schemas.StoredRow, kind string, speed, spin float64) *schemas.StoredRow {
	last := rows[len(rows)-1]
	next := thrown(len(rows), last.PitcherID.Value, kind, speed, spin)
	return &next
}

// guard: self: a p-value is a share
func TestATailThatIsNoShareIsRefused(t *testing.T) {
	for _, tails := range [][]float64{{1, 0}, {2, 1}, {-1, 0.5}} {
		own := Own{Center: []float64{0}, Scale: []float64{1}}
		s := Self{
			Of: OfBatter, Measures: 1, Slopes: []Slopes{{}}, Inverse: []float64{1}, League: own,
			Distances: []float64{1, 2}, Tails: tails,
		}
		require.ErrorContains(t, s.check(columnsNamed("bat_speed_mph")), "shares of the rows")
	}
}
