package scoring

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/pitchstream/pitchstream/schemas"
)

// The columns of a batter's swing and of a pitcher's pitch: what is compared, then what moves it by itself.
var (
	SwingMeasures = ArchetypeColumns
	SwingMovers   = []string{
		"intercept_x_ft", "intercept_y_ft", "intercept_z_ft", "balls", "strikes", "pitch_speed_mph",
	}
	PitchMeasures = []string{"pitch_speed_mph", "spin_rate_rpm"}
	PitchMovers   = []string{"balls", "strikes"}
)

const (
	// A player's center counts as much as the league's with so many rows, and the scale with so many.
	rowsOfCenter, rowsOfScale = 3, 25
	leastRowsOfPlayer         = 8 // below, a player is compared with the league
	// Threshold is the p-value below which a row is unlike its player.
	Threshold = 0.001
	// madToDeviation makes a standard deviation of a median absolute deviation of normal values.
	madToDeviation = 1.4826
	clip           = 2.5 // standard deviations at which values are cut, for correlations and slopes
	// meanToDeviation makes a standard deviation of a mean absolute deviation of normal values.
	meanToDeviation = 1.2533
	// leastScale is the least scale of a type or a player, as a share of the league's. Because of it, who was
	// the same each time, in a few rows, is not unlike himself by a hair.
	leastScale = 0.02
)

// FitSelf trains a model of how each batter swings, or how each pitcher throws each type. The result does not
// depend on the order of the rows. It is deterministic: there is no seed.
func FitSelf(rows []schemas.StoredRow, of string) (*File, error) {
	f, err := newSelf(of)
	if err != nil {
		return nil, err
	}
	return f, f.fitSelf(f.used(rows))
}

// newSelf returns a file of self that is not trained yet.
func newSelf(of string) (*File, error) {
	f := &File{
		Format: Format, Kind: KindSelf, Figures: map[string]float64{}, Self: &Self{Of: of, Threshold: Threshold},
	}
	s := f.Self
	switch of {
	case OfBatter:
		f.Rows, s.Measures = RowsSwings, len(SwingMeasures)
		f.Columns = columnsNamed(slices.Concat(SwingMeasures, SwingMovers)...)
	case OfPitcher:
		f.Rows, s.Measures = RowsPitches, len(PitchMeasures)
		f.Columns = columnsNamed(slices.Concat(PitchMeasures, PitchMovers)...)
	default:
		return nil, fmt.Errorf("a model of %q: want %s or %s", of, OfBatter, OfPitcher)
	}
	return f, nil
}

// fitSelf trains the file on rows that it uses.
func (f *File) fitSelf(eligible []*schemas.StoredRow) error {
	s := f.Self
	data, used := f.usable(eligible)
	if len(data) < MinRows {
		return fmt.Errorf("%d rows have all columns of a %s's self: at least %d are needed",
			len(data), s.Of, MinRows)
	}
	for i := range s.Measures {
		// guard: self: a column that never varies is refused | slices.Min(values) == slices.Max(values) -> len(values) == 0
		if values := columnOf(data, i); slices.Min(values) == slices.Max(values) {
			return fmt.Errorf("all rows have the same %s: nothing can be unlike it", f.Columns[i].Name)
		}
	}
	f.Trained = trainedOn(used, 0)
	f.Trained.Inputs = f.inputs(eligible)
	keys := schemas.Map(used, func(r *schemas.StoredRow) playerKey { key, _ := s.keyOf(&r.Row); return key })
	s.fit(data, keys)
	f.Figures["players"] = float64(len(s.Players))
	f.Figures[figureCalibration] = s.calibrate(data, keys)
	return f.check()
}

// fit fills everything but the distances and tails.
func (s *Self) fit(data [][]float64, keys []playerKey) {
	conditions := len(data[0]) - s.Measures
	s.Slopes = make([]Slopes, s.Measures)
	groups := groupsOf(keys)
	for i := range s.Slopes {
		s.Slopes[i] = slopesOf(data, groups, i, s.Measures, conditions)
	}
	residuals := schemas.Map(data, func(x []float64) []float64 {
		r := slices.Clone(x)
		s.residuals(r)
		return r[:s.Measures]
	})
	s.fitOwn(residuals, keys, groups)
	s.Inverse = inverseOf(s.correlations(residuals, keys), s.Measures)
}

// group are the rows of a player.
type group struct {
	key  playerKey
	rows []int
}

func groupsOf(keys []playerKey) []group {
	at := map[playerKey]int{}
	var groups []group
	for i, key := range keys {
		j, ok := at[key]
		if !ok {
			j = len(groups)
			at[key] = j
			groups = append(groups, group{key: key})
		}
		groups[j].rows = append(groups[j].rows, i)
	}
	slices.SortFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.key.id, b.key.id), cmp.Compare(a.key.pitchType, b.key.pitchType))
	})
	return groups
}

// slopesOf regresses a measure on the conditions within players, by least squares. The players' medians go
// first, and what is left is cut at clip, so that a few odd swings do not turn it.
func slopesOf(data [][]float64, groups []group, measure, measures, conditions int) Slopes {
	s := Slopes{Means: make([]float64, conditions), Rise: make([]float64, conditions)}
	for _, x := range data {
		for j := range conditions {
			s.Means[j] += x[measures+j] / float64(len(data))
		}
	}
	// Within players: the median of the measure and the means of the conditions go.
	y := make([]float64, len(data))
	within := mat.NewDense(len(data), max(1, conditions), nil)
	for _, g := range groups {
		values := schemas.Map(g.rows, func(i int) float64 { return data[i][measure] })
		center := median(values)
		for _, i := range g.rows {
			y[i] = data[i][measure] - center
		}
		for j := range conditions {
			mean := 0.0
			for _, i := range g.rows {
				mean += data[i][measures+j] / float64(len(g.rows))
			}
			for _, i := range g.rows {
				within.Set(i, j, data[i][measures+j]-mean)
			}
		}
	}
	scale := deviation(y, 0)
	for i := range y {
		y[i] = max(-clip*scale, min(clip*scale, y[i]))
	}
	var square mat.SymDense
	square.SymOuterK(1, within.T())
	for j := range conditions {
		// A condition that never varies explains nothing.
		square.SetSym(j, j, square.At(j, j)+1e-6*float64(len(data)))
	}
	var product, rise mat.VecDense
	product.MulVec(within.T(), mat.NewVecDense(len(y), y))
	var c mat.Cholesky
	if conditions == 0 || !c.Factorize(&square) || c.SolveVecTo(&rise, &product) != nil {
		return s
	}
	for j := range conditions {
		s.Rise[j] = rise.AtVec(j)
	}
	return s
}

// fitOwn fills the centers and scales of the league, of the types, and of the players.
func (s *Self) fitOwn(residuals [][]float64, keys []playerKey, groups []group) {
	newOwn := func() Own { return Own{Center: make([]float64, s.Measures), Scale: make([]float64, s.Measures)} }
	s.League = newOwn()
	s.Players = nil
	raw := schemas.Map(groups, func(group) Own { return newOwn() })
	byType := map[string][]int{}
	for i, key := range keys {
		if key.pitchType != "" {
			byType[key.pitchType] = append(byType[key.pitchType], i)
		}
	}
	s.ByType = map[string]Own{}
	for name := range byType {
		s.ByType[name] = newOwn()
	}
	for m := range s.Measures {
		all := columnOf(residuals, m)
		s.League.Center[m] = median(all)
		s.League.Scale[m] = max(1e-9, deviation(all, s.League.Center[m]))
		least := leastScale * s.League.Scale[m]
		for name, rows := range byType {
			values := schemas.Map(rows, func(i int) float64 { return residuals[i][m] })
			of := s.ByType[name]
			of.Center[m] = median(values)
			// The scale of a few pitches is too small, most of all that of one.
			own := max(least, deviation(values, of.Center[m]))
			// guard: self: a rare type has no tiny scale | rowsOfScale -> 0
			of.Scale[m] = shrunk(own, s.League.Scale[m], len(values), rowsOfScale)
		}
		var within, weights []float64 // logarithms of the players' scales
		for g := range groups {
			values := schemas.Map(groups[g].rows, func(i int) float64 { return residuals[i][m] })
			raw[g].Center[m] = median(values)
			// A median absolute deviation of few values is too small on average: by about n / (n − 0.8).
			n := float64(len(values))
			raw[g].Scale[m] = max(least, deviation(values, raw[g].Center[m])*n/max(1, n-0.8))
			if len(values) >= leastRowsOfPlayer {
				within, weights = append(within, math.Log(raw[g].Scale[m])), append(weights, n)
			}
		}
		typical := math.Log(s.League.Scale[m])
		if len(within) > 0 {
			typical = weightedMean(within, weights)
		}
		for g := range groups {
			n := float64(len(groups[g].rows))
			league := s.leagueOf(groups[g].key)
			raw[g].Center[m] = (n*raw[g].Center[m] + rowsOfCenter*league.Center[m]) / (n + rowsOfCenter)
			raw[g].Scale[m] = shrunk(raw[g].Scale[m], math.Exp(typical), len(groups[g].rows), rowsOfScale)
		}
	}
	for g := range groups {
		if len(groups[g].rows) >= leastRowsOfPlayer {
			key := groups[g].key
			p := Player{ID: key.id, Type: key.pitchType, Rows: len(groups[g].rows), Own: raw[g]}
			s.Players = append(s.Players, p)
		}
	}
	if len(s.ByType) == 0 {
		s.ByType = nil
	}
}

func (s *Self) leagueOf(key playerKey) Own {
	if own, ok := s.ByType[key.pitchType]; ok {
		return own
	}
	return s.League
}

// owns returns what each row is compared with.
func (s *Self) owns(keys []playerKey) []*Own {
	players := map[playerKey]*Own{}
	for i := range s.Players {
		players[playerKey{s.Players[i].ID, s.Players[i].Type}] = &s.Players[i].Own
	}
	return schemas.Map(keys, func(key playerKey) *Own {
		if own := players[key]; own != nil {
			return own
		}
		return new(s.leagueOf(key))
	})
}

// correlations returns those of the standardised residuals, cut at clip.
func (s *Self) correlations(residuals [][]float64, keys []playerKey) []float64 {
	sums := make([]float64, s.Measures*s.Measures)
	z := make([]float64, s.Measures)
	owns := s.owns(keys)
	for i, r := range residuals {
		for m := range z {
			z[m] = max(-clip, min(clip, (r[m]-owns[i].Center[m])/owns[i].Scale[m]))
		}
		for a := range z {
			for b := range z {
				sums[a*s.Measures+b] += z[a] * z[b]
			}
		}
	}
	out := make([]float64, len(sums))
	for a := range z {
		for b := range z {
			root := math.Sqrt(sums[a*s.Measures+a] * sums[b*s.Measures+b])
			// guard: self: what does not vary in a part of the rows has no correlation | root > 0 -> true
			if root > 0 {
				out[a*s.Measures+b] = sums[a*s.Measures+b] / root
			}
		}
	}
	return out
}

// The odd rows themselves are among those that a model is trained on. So only the bulk of the distances, up
// to this tail, is taken as it is. Beyond it the tail is that of the chi-squared distribution that fits the
// bulk.
const bulkTail = 0.05

// table returns distances and the shares of ordinary rows that reach them. sorted are the distances of rows,
// most of which are ordinary.
func table(sorted []float64) (distances, tails []float64) {
	n := len(sorted)
	at := func(p float64) float64 { return sorted[min(n-1, int(math.Floor((1-p)*float64(n))))] }
	add := func(d, p float64) {
		if len(distances) == 0 || d > distances[len(distances)-1] {
			distances, tails = append(distances, d), append(tails, p)
		}
	}
	for p := 100; p > 100*bulkTail; p-- {
		add(at(float64(p)/100), float64(p)/100)
	}
	freedom := freedomOf(at(0.1) * at(0.1) / (at(0.5) * at(0.5)))
	of := distuv.ChiSquared{K: freedom}
	scale := at(2*bulkTail) * at(2*bulkTail) / of.Quantile(1-2*bulkTail)
	for p := bulkTail; p > 1e-6; p /= 1.25 {
		add(math.Sqrt(scale*of.Quantile(1-p)), p)
	}
	return distances, tails
}

// freedomOf returns the degrees of freedom of the chi-squared distribution whose 90th percentile is so many
// times its median.
func freedomOf(ratio float64) float64 {
	low, high := 0.5, 200.0
	for range 60 {
		middle := (low + high) / 2
		of := distuv.ChiSquared{K: middle}
		if of.Quantile(0.9)/of.Quantile(0.5) > ratio {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// calibrate fills the distances and tails from rows that did not train what they are compared with: each half
// of the rows is compared with the other half's players. It returns the greatest difference, above the first
// percent, between the p-values of the one half's table and the shares of the other half's rows.
func (s *Self) calibrate(data [][]float64, keys []playerKey) (worst float64) {
	var halves [2][]float64
	for half := range 2 {
		var train, test [][]float64
		var trainKeys, testKeys []playerKey
		turns := map[playerKey]int{}
		for i, x := range data {
			turn, isKnown := turns[keys[i]]
			// Every second player begins with the other half, because each may have one row alone.
			// guard: self: no half of the rows is empty
			if !isKnown {
				turn = len(turns)
			}
			turns[keys[i]] = turn + 1
			if turn%2 == half {
				test, testKeys = append(test, x), append(testKeys, keys[i])
			} else {
				train, trainKeys = append(train, x), append(trainKeys, keys[i])
			}
		}
		other := Self{Of: s.Of, Measures: s.Measures}
		other.fit(train, trainKeys)
		owns, z := other.owns(testKeys), make([]float64, s.Measures)
		for i, x := range test {
			r := slices.Clone(x)
			other.residuals(r)
			halves[half] = append(halves[half], other.distance(owns[i], r[:s.Measures], z))
		}
		slices.Sort(halves[half])
	}
	all := slices.Concat(halves[0], halves[1])
	slices.Sort(all)
	s.Distances, s.Tails = table(all)
	first := Self{}
	first.Distances, first.Tails = table(halves[0])
	for i, d := range halves[1] {
		share := 1 - float64(i)/float64(len(halves[1]))
		worst = max(worst, math.Abs(first.tail(d)-share))
	}
	return round(worst)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// deviation returns the standard deviation of values around a center, if they are normal. It is that of their
// median distance, or that of their mean distance if more than half of them are the center itself.
func deviation(values []float64, center float64) float64 {
	if d := madToDeviation * medianDistance(values, center); d > 0 {
		return d
	}
	sum := 0.0
	for _, v := range values {
		sum += math.Abs(v - center)
	}
	return meanToDeviation * sum / float64(len(values))
}

// shrunk returns a scale of n rows that is drawn toward another one, which counts as so many rows.
func shrunk(scale, toward float64, n int, rows float64) float64 {
	return math.Exp((float64(n)*math.Log(scale) + rows*math.Log(toward)) / (float64(n) + rows))
}

func medianDistance(values []float64, center float64) float64 {
	return median(schemas.Map(values, func(v float64) float64 { return math.Abs(v - center) }))
}

func weightedMean(values, weights []float64) float64 {
	sum, weight := 0.0, 0.0
	for i, v := range values {
		sum, weight = sum+v*weights[i], weight+weights[i]
	}
	return sum / weight
}
