package scoring

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// planted is a league of 60 batters in 4 archetypes, whose truth is known.
type planted struct {
	rows      []schemas.StoredRow
	archetype []int
	isOdd     []bool
}

// plant makes swings of 60 batters. A batter differs from his archetype by half of what his swings differ
// from him. Depth and height of the contact move a swing as they do in the game. A share of the
// swings is odd: 3 standard deviations from the batter's mean in each column.
func plant(seed uint64, swings int, odd float64) (p planted) {
	r := rand.New(rand.NewPCG(seed, 20))
	centers := [4][6]float64{
		{76, 14, 12, 36, 8.1, 0.162},
		{69, 4, -6, 27, 6.7, 0.146},
		{72, 18, 4, 40, 7.2, 0.150},
		{65, 8, 14, 30, 7.6, 0.170},
	}
	scale := [6]float64{2, 3.5, 4.5, 2, 0.22, 0.005}
	for batter := range 60 {
		a := batter % 4
		own := centers[a]
		for i := range own {
			own[i] += scale[i] * 0.5 * r.NormFloat64()
		}
		for range swings {
			isOdd := r.Float64() < odd
			depth, height, speed := r.NormFloat64()*0.5+1.5, r.NormFloat64()*0.5+2.5, 92+4*r.NormFloat64()
			var x [6]float64
			for i := range x {
				x[i] = own[i] + scale[i]*r.NormFloat64()
				if isOdd {
					x[i] = own[i] + 3*scale[i]*float64(1-2*r.IntN(2))
				}
			}
			x[0] += 1.5 * (depth - 1.5)
			x[1] += 4*(depth-1.5) - 3*(height-2.5)
			x[2] += 9 * (depth - 1.5)
			x[3] -= 3 * (height - 2.5)
			var row schemas.StoredRow
			n := len(p.rows)
			row.PitchID = schemas.PitchID{byte(n >> 16), byte(n >> 8), byte(n), byte(r.Uint32())}
			row.IsSwing, row.ContactConfidence = true, schemas.SpeedReliable
			row.BatterID = schemas.Some(int64(1000 + batter))
			row.Balls, row.Strikes = schemas.Some(int16(r.IntN(4))), schemas.Some(int16(r.IntN(3)))
			row.PitchSpeedMPH = schemas.Some(speed)
			row.InterceptXFT = schemas.Some(r.NormFloat64())
			row.InterceptYFT, row.InterceptZFT = schemas.Some(depth), schemas.Some(height)
			for i, to := range []*schemas.Opt[float64]{
				&row.ContactBatSpeedMPH, &row.ContactAttackAngleDeg, &row.ContactAttackDirectionPullDeg,
				&row.SwingPathTiltDeg, &row.SwingLengthFT, &row.TimeToContactS,
			} {
				*to = schemas.Some(x[i])
			}
			p.rows = append(p.rows, row)
			p.archetype, p.isOdd = append(p.archetype, a), append(p.isOdd, isOdd)
		}
	}
	return p
}

func scorerOf(t *testing.T, f *File) schemas.Scorer {
	t.Helper()
	content, err := f.Encode()
	require.NoError(t, err)
	s, err := New([]schemas.Model{{Name: "m", Version: 1, Content: content}})
	require.NoError(t, err)
	return s
}

func labelsOf(s schemas.Scorer, rows []schemas.StoredRow) []int {
	at := map[schemas.Text]int{}
	return schemas.Map(rows, func(r schemas.StoredRow) int {
		label := s.Score(&r.Row)[0].Label
		if _, ok := at[label]; !ok {
			at[label] = len(at)
		}
		return at[label]
	})
}

func TestPlantedArchetypesAreFound(t *testing.T) {
	p := plant(1, 60, 0)
	f, err := FitArchetypes(p.rows, 0, 1)
	require.NoError(t, err)
	labels := labelsOf(scorerOf(t, f), p.rows)
	rand := AdjustedRand(labels, p.archetype)
	names := schemas.Map(f.Archetypes.Clusters, func(c Cluster) string { return c.Name })
	t.Logf("adjusted Rand index %.4f, %d clusters %q, figures %v", rand, len(names), names, f.Figures)
	require.Len(t, f.Archetypes.Clusters, 4)
	require.GreaterOrEqual(t, rand, 0.9)
	for seed := range uint64(2) {
		other, err := FitArchetypes(p.rows, 0, 100+seed)
		require.NoError(t, err)
		agree := AdjustedRand(labels, labelsOf(scorerOf(t, other), p.rows))
		t.Logf("seed %d agrees by %.4f", 100+seed, agree)
		require.GreaterOrEqual(t, agree, 0.95)
	}
}

func TestTheSameRowsGiveTheSameBytes(t *testing.T) {
	p := plant(2, 20, 0.01)
	fits := map[string]func([]schemas.StoredRow) (*File, error){
		"archetypes": func(rows []schemas.StoredRow) (*File, error) { return FitArchetypes(rows, 0, 7) },
		"self":       func(rows []schemas.StoredRow) (*File, error) { return FitSelf(rows, OfBatter) },
	}
	for name, fit := range fits {
		t.Run(name, func(t *testing.T) {
			encoded := func(rows []schemas.StoredRow) []byte {
				f, err := fit(rows)
				require.NoError(t, err)
				b, err := f.Encode()
				require.NoError(t, err)
				parsed, err := Parse(b)
				require.NoError(t, err)
				again, err := parsed.Encode()
				require.NoError(t, err)
				require.Equal(t, string(b), string(again))
				return b
			}
			first := encoded(p.rows)
			shuffled := slices.Clone(p.rows)
			rand.New(rand.NewPCG(3, 3)).Shuffle(len(shuffled), func(i, j int) {
				shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
			})
			require.True(t, bytes.Equal(first, encoded(shuffled)))
		})
	}
}

// guard: models: a row is compared with its own player
func TestPlantedAnomaliesAreFound(t *testing.T) {
	trained := plant(3, 200, 0.01)
	f, err := FitSelf(trained.rows, OfBatter)
	require.NoError(t, err)
	s := scorerOf(t, f)
	found, wrong, missed := 0, 0, 0
	var small int
	for i := range trained.rows {
		score := s.Score(&trained.rows[i].Row)[0]
		isFound := score.PValue.Value < Threshold
		switch {
		case isFound && trained.isOdd[i]:
			found++
		case isFound:
			wrong++
		case trained.isOdd[i]:
			missed++
		}
		if score.PValue.Value < 0.1 {
			small++
		}
	}
	precision, recall := float64(found)/float64(found+wrong), float64(found)/float64(found+missed)
	t.Logf("precision %.3f, recall %.3f at p < %v; %.4f of the swings have p < 0.1; figures %v",
		precision, recall, f.Self.Threshold, float64(small)/float64(len(trained.rows)), f.Figures)
	require.GreaterOrEqual(t, precision, 0.8)
	require.GreaterOrEqual(t, recall, 0.8)
	require.InDelta(t, 0.1, float64(small)/float64(len(trained.rows)), 0.02, "p-values are calibrated")
}

// guard: models: a column that does not exist is refused
func TestAModelThatReadsAnotherColumnIsRefusedByName(t *testing.T) {
	good := func() *File {
		return &File{
			Format: Format, Kind: KindArchetypes, Rows: RowsSwings, Columns: columnsNamed("bat_speed_mph"),
			Archetypes: &Archetypes{
				Mean: []float64{70}, Scale: []float64{5}, Clusters: []Cluster{{Name: "one", Center: []float64{0}, Share: 1}},
			},
		}
	}
	for want, change := range map[string]func(*File){
		`no column bat_speed that a model can read (is it bat_speed_mph?)`: func(f *File) { f.Columns[0].Name = "bat_speed" },
		`in "km/h": the row has it in "mph"`:                               func(f *File) { f.Columns[0].Unit = "km/h" },
		`format is "other"`:                                                func(f *File) { f.Format = "other" },
		`rows are "games"`:                                                 func(f *File) { f.Rows = "games" },
		`kind is "magic"`:                                                  func(f *File) { f.Kind = "magic" },
		`a positive, finite scale`:                                         func(f *File) { f.Archetypes.Scale[0] = 0 },
		`0 clusters`:                                                       func(f *File) { f.Archetypes.Clusters = nil },
		`names the column bat_speed_mph twice`:                             func(f *File) { f.Columns = append(f.Columns, f.Columns[0]) },
	} {
		f := good()
		change(f)
		b, err := f.Encode()
		require.NoError(t, err)
		_, err = Parse(b)
		require.ErrorContains(t, err, want)
	}
	_, err := Parse(make([]byte, MaxFileBytes+1))
	require.ErrorContains(t, err, "at most")
	_, err = Parse([]byte("{} x"))
	require.ErrorContains(t, err, "something behind")
}

func TestARowThatLacksAColumnHasAScoreWithoutValues(t *testing.T) {
	p := plant(4, 10, 0)
	f, err := FitArchetypes(p.rows, 4, 1)
	require.NoError(t, err)
	row := p.rows[0].Row
	row.SwingLengthFT = schemas.Opt[float64]{}
	require.Equal(t, []schemas.Score{{Model: "m", Version: 1}}, scorerOf(t, f).Score(&row))
	row.IsSwing = false
	require.Empty(t, scorerOf(t, f).Score(&row))
}

func TestTheAdjustedRandIndex(t *testing.T) {
	require.Equal(t, 1.0, AdjustedRand([]int{0, 0, 1, 1}, []int{5, 5, 2, 2}))
	// The example of scikit-learn's documentation.
	require.InDelta(t, 0.57, AdjustedRand([]int{0, 0, 1, 1}, []int{0, 0, 1, 2}), 0.005)
	require.Less(t, math.Abs(AdjustedRand([]int{0, 1, 0, 1}, []int{0, 0, 1, 1})), 0.6)
}

func ExampleFitArchetypes() {
	f, _ := FitArchetypes(plant(1, 30, 0).rows, 4, 1)
	for _, c := range f.Archetypes.Clusters {
		fmt.Println(c.Name)
	}
}

// guard: scoring: what is beyond all measure has no label
func TestArchetypesNearestIsKnownOrMissing(t *testing.T) {
	score := func(center float64, x float64) (s schemas.Score) {
		a := &Archetypes{Mean: []float64{0}, Scale: []float64{1}, Clusters: []Cluster{{Name: "a", Center: []float64{center}}, {Name: "b", Center: []float64{center}}}}
		a.score(nil, []value{{number: x}}, &s)
		return s
	}
	require.Equal(t, schemas.Score{}, score(1e200, 0), "too far to be measured")
	at := score(3, 3)
	require.Equal(t, schemas.Some(0.), at.Margin, "between two centers that are one point")
	require.Equal(t, schemas.Some(0.), at.Value)
}
