package scoring

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/pitchstream/pitchstream/schemas"
)

// Self says how unlike himself a player's swing or pitch is. The first columns of the file are the measures;
// the others are what moves a measure by itself, as the height of the contact or the count.
//
//  1. From each measure goes what the conditions explain: residual = measure − Σ slope · condition.
//  2. z = (residual − the player's center) / the player's scale. Both are robust. They are shrunk to the
//     league's, the more the fewer rows the player has.
//  3. distance² = zᵀ · inverse · z, where inverse is that of the league's correlations within players.
//  4. The p-value is the share of the league's rows that are at least as far from their players.
//
// A row whose player the model has not seen is compared with the league.
type Self struct {
	Of       string    `json:"of"` // batter, or pitcher and pitch type
	Measures int       `json:"measures"`
	Slopes   []Slopes  `json:"slopes"`  // of each measure
	Inverse  []float64 `json:"inverse"` // of the correlations of the measures, row by row
	League   Own       `json:"league"`
	// ByType are the league's figures for each pitch type, for a pitcher's unseen type.
	ByType  map[string]Own `json:"by_type,omitempty"`
	Players []Player       `json:"players"` // sorted by id, then type
	// Distances are those that a share of Tails of the league's rows reaches, ascending.
	Distances []float64 `json:"distances"`
	Tails     []float64 `json:"tails"`
	Threshold float64   `json:"threshold"` // the p-value below which a row is unlike the player
}

// The players that a Self is of.
const (
	OfBatter  = "batter"
	OfPitcher = "pitcher"
)

// Slopes are by how much a measure rises with each condition, which are centered at Means.
type Slopes struct {
	Means []float64 `json:"means"`
	Rise  []float64 `json:"rise"`
}

// Own are a player's center and scale of each measure.
type Own struct {
	Center []float64 `json:"center"`
	Scale  []float64 `json:"scale"`
}

// Player is what is known of a player, of a pitcher by pitch type.
type Player struct {
	ID   int64  `json:"id"`
	Type string `json:"type,omitempty"`
	Rows int    `json:"rows"`
	Own
}

const (
	maxMeasures = 16
	maxPlayers  = 50_000
)

func (s *Self) check(named []Column) error {
	columns := len(named)
	if s.Of != OfBatter && s.Of != OfPitcher {
		return fmt.Errorf("of is %q: want %s or %s", s.Of, OfBatter, OfPitcher)
	}
	if s.Measures < 1 || s.Measures > min(columns, maxMeasures) {
		return fmt.Errorf("%d measures of %d columns: want 1 to %d", s.Measures, columns, maxMeasures)
	}
	if len(s.Slopes) != s.Measures || len(s.Inverse) != s.Measures*s.Measures {
		return errors.New("want slopes of each measure, and a square inverse")
	}
	for _, slope := range s.Slopes {
		if n := columns - s.Measures; len(slope.Means) != n || len(slope.Rise) != n {
			return fmt.Errorf("want %d means and rises, one of each condition", n)
		}
	}
	if len(s.Players) > maxPlayers || len(s.ByType) > maxPlayers {
		return fmt.Errorf("%d players: at most %d are allowed", len(s.Players), maxPlayers)
	}
	all := append([]Own{s.League}, schemas.Map(s.Players, func(p Player) Own { return p.Own })...)
	for _, own := range s.ByType {
		all = append(all, own)
	}
	for _, own := range all {
		if len(own.Center) != s.Measures || len(own.Scale) != s.Measures ||
			slices.ContainsFunc(own.Scale, func(v float64) bool { return !(v > 0) }) {
			return errors.New("want a center and a positive scale of each measure, for the league and each player")
		}
	}
	if len(s.Distances) == 0 || len(s.Distances) != len(s.Tails) || !slices.IsSorted(s.Distances) {
		return errors.New("want ascending distances, and the tail of each")
	}
	isNoShare := func(v float64) bool { return v <= 0 || v > 1 }
	// guard: self: a p-value is a share
	if slices.ContainsFunc(s.Tails, isNoShare) || s.Threshold < 0 || s.Threshold > 1 {
		return errors.New("want tails that are shares of the rows, more than 0, and a threshold from 0 to 1")
	}
	return nil
}

type playerKey struct {
	id        int64
	pitchType string
}

func (s *Self) keyOf(row *schemas.Row) (key playerKey, known bool) {
	if s.Of == OfPitcher {
		return playerKey{row.PitcherID.Value, string(row.PitchType)}, row.PitcherID.Present
	}
	return playerKey{id: row.BatterID.Value}, row.BatterID.Present
}

// scorer returns the function that scores a row. Value is the distance, in standard deviations. A row that
// lacks a column has neither distance nor p-value.
func (s *Self) scorer() func(*schemas.Row, []value, *schemas.Score) {
	players := make(map[playerKey]*Own, len(s.Players))
	for i := range s.Players {
		p := &s.Players[i]
		players[playerKey{p.ID, p.Type}] = &p.Own
	}
	return func(row *schemas.Row, values []value, score *schemas.Score) {
		var x [maxColumns]float64
		if !numbers(values, x[:]) {
			return
		}
		own := &s.League
		if of, ok := s.ByType[string(row.PitchType)]; ok {
			own = &of
		}
		// guard: models: a row is compared with its own player
		if key, known := s.keyOf(row); known && players[key] != nil {
			own = players[key]
		}
		var z [maxMeasures]float64
		s.residuals(x[:len(values)])
		distance := s.distance(own, x[:s.Measures], z[:s.Measures])
		score.Value, score.PValue, score.Shift = finite(distance), finite(s.tail(distance)), finite(z[0])
		if score.PValue.Present {
			score.Label = "like himself"
			if score.PValue.Value < s.Threshold {
				score.Label = "unlike himself"
			}
		}
	}
}

// residuals takes from the measures what the conditions explain.
func (s *Self) residuals(x []float64) {
	conditions := x[s.Measures:]
	for i := range s.Slopes {
		for j, c := range conditions {
			x[i] -= float64(s.Slopes[i].Rise[j] * (c - s.Slopes[i].Means[j]))
		}
	}
}

// distance fills z with the standardised residuals and returns their Mahalanobis distance.
func (s *Self) distance(own *Own, residuals, z []float64) float64 {
	for i, r := range residuals {
		z[i] = (r - own.Center[i]) / own.Scale[i]
	}
	sum := 0.0
	for i := range z {
		for j := range z {
			sum += float64(float64(z[i]*s.Inverse[i*s.Measures+j]) * z[j])
		}
	}
	return math.Sqrt(max(0, sum))
}

// tail returns the share of the league's rows that are at least this far away. Between two distances it is
// interpolated in its logarithm; beyond the last one it is that one's.
func (s *Self) tail(distance float64) float64 {
	i, _ := slices.BinarySearch(s.Distances, distance)
	switch {
	case math.IsNaN(distance):
		return distance
	case i == 0:
		return 1
	case i == len(s.Distances):
		return s.Tails[i-1]
	}
	a, b := s.Distances[i-1], s.Distances[i]
	la, lb := math.Log(s.Tails[i-1]), math.Log(s.Tails[i])
	return math.Exp(la + float64((lb-la)*((distance-a)/(b-a))))
}

// inverseOf returns the inverse of a symmetric matrix of n rows, shrunk to its diagonal until it has one.
func inverseOf(correlations []float64, n int) []float64 {
	for shrink := 0.02; ; shrink = min(1, shrink*2) {
		m := mat.NewSymDense(n, nil)
		for i := range n {
			for j := range i + 1 {
				v := correlations[i*n+j] * (1 - shrink)
				if i == j {
					v = 1
				}
				m.SetSym(i, j, v)
			}
		}
		var c mat.Cholesky
		if !c.Factorize(m) {
			continue
		}
		var inverse mat.SymDense
		if err := c.InverseTo(&inverse); err != nil {
			continue
		}
		out := make([]float64, 0, n*n)
		for i := range n {
			for j := range n {
				out = append(out, inverse.At(i, j))
			}
		}
		return out
	}
}
