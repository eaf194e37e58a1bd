package scoring

import (
	"errors"
	"fmt"
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// Archetypes are the groups of swings that look alike: k-means over standardised columns.
type Archetypes struct {
	Mean     []float64 `json:"mean"` // of the columns, in their units
	Scale    []float64 `json:"scale"`
	Clusters []Cluster `json:"clusters"`
}

// Cluster is one archetype.
type Cluster struct {
	Name   string    `json:"name"`
	Center []float64 `json:"center"` // standardised
	Share  float64   `json:"share"`  // of the rows that it was trained on
}

const maxClusters = 64

func (a *Archetypes) check(named []Column) error {
	columns := len(named)
	if len(a.Mean) != columns || len(a.Scale) != columns {
		return fmt.Errorf("mean has %d and scale %d values for %d columns", len(a.Mean), len(a.Scale), columns)
	}
	for i, scale := range a.Scale {
		if !(scale > 0) || math.IsInf(scale, 0) || math.IsNaN(a.Mean[i]) || math.IsInf(a.Mean[i], 0) {
			return fmt.Errorf("column %d: want a finite mean and a positive, finite scale", i)
		}
	}
	if len(a.Clusters) < 1 || len(a.Clusters) > maxClusters {
		return fmt.Errorf("%d clusters: want 1 to %d", len(a.Clusters), maxClusters)
	}
	names := map[string]bool{}
	for _, c := range a.Clusters {
		if len(c.Center) != columns {
			return fmt.Errorf("the cluster %q has %d values for %d columns", c.Name, len(c.Center), columns)
		}
		if c.Name == "" || len(c.Name) > 100 || names[c.Name] {
			return errors.New("want a name of 1–100 bytes for each cluster, and each name once")
		}
		names[c.Name] = true
	}
	return nil
}

// score labels a row with the nearest cluster. Value is the distance to it, as the root mean square over the
// columns in units of their scale. Margin is 1 minus the ratio to the distance of the next cluster: 0 between
// the two, 1 at a center, missing with one cluster. A row that lacks a column, or is too far to be measured,
// has none of the three.
func (a *Archetypes) score(_ *schemas.Row, values []value, s *schemas.Score) {
	var x [maxColumns]float64
	if !numbers(values, x[:]) {
		return
	}
	a.standardise(x[:len(values)])
	best, nearest, next := a.nearest(x[:len(values)])
	// guard: scoring: what is beyond all measure has no label
	if math.IsInf(nearest, 1) {
		return
	}
	s.Label = schemas.Text(a.Clusters[best].Name)
	s.Value = finite(math.Sqrt(nearest / float64(len(values))))
	switch {
	case math.IsInf(next, 1): // there is no other
	case next == 0: // two centers are one point
		s.Margin = schemas.Some(0.)
	default:
		s.Margin = finite(1 - math.Sqrt(nearest/next))
	}
}

func (a *Archetypes) standardise(x []float64) {
	for i := range x {
		x[i] = (x[i] - a.Mean[i]) / a.Scale[i]
	}
}

// nearest returns the index of the cluster nearest to x, its squared distance, and that of the next one. +Inf
// is a distance that no number holds, or that of no cluster.
func (a *Archetypes) nearest(x []float64) (best int, nearest, next float64) {
	nearest, next = math.Inf(1), math.Inf(1)
	for i := range a.Clusters {
		d := squaredDistance(x, a.Clusters[i].Center)
		if d < nearest {
			best, nearest, next = i, d, nearest
		} else if d < next {
			next = d
		}
	}
	return best, nearest, next
}

func squaredDistance(a, b []float64) (sum float64) {
	for i := range a {
		d := a[i] - b[i]
		sum += float64(d * d) // the conversion keeps other architectures from fusing, which rounds differently
	}
	return sum
}

// finite returns a missing value for what JSON and Postgres cannot hold alike.
func finite(v float64) schemas.Opt[float64] {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return schemas.Opt[float64]{}
	}
	return schemas.Some(v)
}
