package scoring

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/pitchstream/pitchstream/schemas"
)

// ArchetypeColumns are the columns of the archetypes: how a swing is, whatever it met.
var ArchetypeColumns = []string{
	"contact_bat_speed_mph", "contact_attack_angle_deg", "contact_attack_direction_pull_deg",
	"swing_path_tilt_deg", "swing_length_ft", "time_to_contact_s",
}

// words name a column's low and its high end.
var words = map[string][2]string{
	"contact_bat_speed_mph":             {"slow bat", "fast bat"},
	"contact_attack_angle_deg":          {"level", "uppercut"},
	"contact_attack_direction_pull_deg": {"opposite field", "pull side"},
	"swing_path_tilt_deg":               {"flat plane", "steep plane"},
	"swing_length_ft":                   {"short", "long"},
	"time_to_contact_s":                 {"quick", "late"},
}

// MinRows is the least number of usable rows that a model is trained on.
const MinRows = 200

const (
	maxFitRows        = 10_000 // k-means looks at no more, chosen evenly
	silhouetteRows    = 600
	restarts          = 8
	stabilityFits     = 4
	leastStability    = 0.95
	leastClusters     = 2
	mostClusters      = 8
	mostIterations    = 200
	clearlyBetter     = 0.01 // a silhouette that is less than this higher does not justify more clusters
	figureSilhouette  = "silhouette"
	figureStability   = "stability"
	figureClusters    = "clusters"
	figureCalibration = "calibration_error"
)

// FitArchetypes trains archetypes on rows, with k clusters, or for k = 0 with as many as serve best. It
// leaves out rows that lack a column, and those with questionable values at contact. The order of the rows
// does not matter.
func FitArchetypes(rows []schemas.StoredRow, k int, seed uint64) (*File, error) {
	f := &File{
		Format: Format, Kind: KindArchetypes, Rows: RowsSwings, Columns: columnsNamed(ArchetypeColumns...),
		Figures: map[string]float64{}, Archetypes: &Archetypes{},
	}
	eligible := f.used(rows)
	data, used := f.usable(eligible)
	if len(data) < MinRows {
		return nil, fmt.Errorf("%d swings have all columns of archetypes, and reliable: at least %d are needed",
			len(data), MinRows)
	}
	f.Trained = trainedOn(used, seed)
	f.Trained.Inputs = f.inputs(eligible)
	if k < 0 || k > maxClusters {
		return nil, fmt.Errorf("%d clusters: want 1 to %d, or 0 to choose", k, maxClusters)
	}
	data = evenly(data, maxFitRows)
	a := f.Archetypes
	for i := range f.Columns {
		mean, scale := stat.MeanStdDev(columnOf(data, i), nil)
		if !(scale > 0) {
			return nil, fmt.Errorf("all swings have the same %s: nothing can be told apart by it", f.Columns[i].Name)
		}
		a.Mean, a.Scale = append(a.Mean, mean), append(a.Scale, scale)
	}
	for _, x := range data {
		a.standardise(x)
	}
	chosen := chooseClusters(data, k, seed)
	a.Clusters = chosen.clusters(f.Columns)
	f.Figures[figureClusters] = float64(len(a.Clusters))
	f.Figures[figureSilhouette], f.Figures[figureStability] = round(chosen.silhouette), round(chosen.stability)
	return f, f.check()
}

func trainedOn(rows []*schemas.StoredRow, seed uint64) Trained {
	t := Trained{Rows: len(rows), Seed: seed}
	from, to := rows[0].EventTime, rows[0].EventTime
	for _, r := range rows {
		from, to = min(from, r.EventTime), max(to, r.EventTime)
		t.CoreVersion = max(t.CoreVersion, r.CoreVersion)
	}
	t.From, t.To = from.String(), to.String()
	return t
}

// evenly returns at most n elements, evenly spaced.
func evenly[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	some := make([]T, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}

func columnOf(data [][]float64, i int) []float64 {
	return schemas.Map(data, func(x []float64) float64 { return x[i] })
}

// clustering is one result of k-means.
type clustering struct {
	centers               [][]float64
	labels                []int // of each row
	inertia               float64
	silhouette, stability float64
}

// chooseClusters returns the clustering with the best silhouette among those of which fits with other seeds
// agree. If none is stable, it returns the most stable one.
func chooseClusters(data [][]float64, k int, seed uint64) clustering {
	low, high := leastClusters, mostClusters
	if k > 0 {
		low, high = k, k
	}
	var best clustering
	for k := low; k <= high; k++ {
		c := kMeans(data, k, seed)
		c.silhouette = silhouette(data, c.labels, k)
		c.stability = 1
		for i := range uint64(stabilityFits) {
			other := kMeans(data, k, seed+1+i)
			c.stability = min(c.stability, AdjustedRand(c.labels, other.labels))
		}
		isStable, bestIsStable := c.stability >= leastStability, best.stability >= leastStability
		switch {
		case best.centers == nil, isStable && !bestIsStable,
			isStable && c.silhouette > best.silhouette+clearlyBetter,
			!isStable && !bestIsStable && c.stability > best.stability:
			best = c
		}
	}
	return best
}

// kMeans returns the best of several runs of Lloyd's algorithm, each from starts of k-means++.
func kMeans(data [][]float64, k int, seed uint64) (best clustering) {
	r := rand.New(rand.NewPCG(seed, uint64(k)))
	best.inertia = math.Inf(1)
	for range restarts {
		c := lloyd(data, starts(data, k, r))
		if c.inertia < best.inertia {
			best = c
		}
	}
	return best
}

func starts(data [][]float64, k int, r *rand.Rand) [][]float64 {
	centers := [][]float64{slices.Clone(data[r.IntN(len(data))])}
	nearest := make([]float64, len(data))
	for i, x := range data {
		nearest[i] = squaredDistance(x, centers[0])
	}
	for len(centers) < k {
		sum := 0.0
		for _, d := range nearest {
			sum += d
		}
		at, left := len(data)-1, r.Float64()*sum
		for i, d := range nearest {
			if left -= d; left <= 0 {
				at = i
				break
			}
		}
		centers = append(centers, slices.Clone(data[at]))
		for i, x := range data {
			nearest[i] = min(nearest[i], squaredDistance(x, data[at]))
		}
	}
	return centers
}

func lloyd(data, centers [][]float64) clustering {
	c := clustering{centers: centers, labels: make([]int, len(data))}
	for range mostIterations {
		moved := false
		c.inertia = 0
		for i, x := range data {
			best, nearest := 0, math.Inf(1)
			for j := range centers {
				if d := squaredDistance(x, centers[j]); d < nearest {
					best, nearest = j, d
				}
			}
			moved = moved || best != c.labels[i]
			c.labels[i] = best
			c.inertia += nearest
		}
		counts := make([]int, len(centers))
		sums := make([][]float64, len(centers))
		for j := range sums {
			sums[j] = make([]float64, len(data[0]))
		}
		for i, x := range data {
			counts[c.labels[i]]++
			for d, v := range x {
				sums[c.labels[i]][d] += v
			}
		}
		for j := range centers {
			if counts[j] == 0 {
				continue // an empty cluster stays where it is
			}
			for d := range centers[j] {
				centers[j][d] = sums[j][d] / float64(counts[j])
			}
		}
		if !moved {
			break
		}
	}
	return c
}

// silhouette returns the mean silhouette of some of the rows, −1 to 1.
func silhouette(data [][]float64, labels []int, k int) float64 {
	order := make([]int, len(data))
	for i := range order {
		order[i] = i
	}
	some := evenly(order, silhouetteRows)
	total := 0.0
	for _, i := range some {
		sums, counts := make([]float64, k), make([]int, k)
		for _, j := range some {
			if i != j {
				sums[labels[j]] += math.Sqrt(squaredDistance(data[i], data[j]))
				counts[labels[j]]++
			}
		}
		own, other := 0.0, math.Inf(1)
		for c := range sums {
			switch {
			case counts[c] == 0:
			case c == labels[i]:
				own = sums[c] / float64(counts[c])
			default:
				other = min(other, sums[c]/float64(counts[c]))
			}
		}
		if counts[labels[i]] > 0 && !math.IsInf(other, 1) {
			total += (other - own) / max(own, other)
		}
	}
	return total / float64(len(some))
}

// AdjustedRand returns by how much two labellings of the same things agree. It is 1 if they are the same but
// for the names of the labels, and about 0 if they have nothing to do with each other.
func AdjustedRand(a, b []int) float64 {
	both := map[[2]int]int{}
	for i := range a {
		both[[2]int{a[i], b[i]}]++
	}
	return AdjustedRandOf(both)
}

// AdjustedRandOf is AdjustedRand of counts: how many things have each pair of labels.
func AdjustedRandOf[L comparable](both map[[2]L]int) float64 {
	pairs := func(n int) float64 {
		return float64(n) * float64(n-1) / 2
	}
	all, ofA, ofB := 0, map[L]int{}, map[L]int{}
	for labels, n := range both {
		all += n
		ofA[labels[0]] += n
		ofB[labels[1]] += n
	}
	sum := func(counts map[L]int) (s float64) {
		for _, n := range counts {
			s += pairs(n)
		}
		return s
	}
	together, inA, inB := 0.0, sum(ofA), sum(ofB)
	for _, n := range both {
		together += pairs(n)
	}
	expected := inA * inB / pairs(all)
	if most := (inA + inB) / 2; most != expected {
		return (together - expected) / (most - expected)
	}
	return 1
}

// clusters returns the clusters, the largest first, named by what is farthest from the mean.
func (c *clustering) clusters(columns []Column) []Cluster {
	counts := make([]int, len(c.centers))
	for _, label := range c.labels {
		counts[label]++
	}
	var all []Cluster
	for j, center := range c.centers {
		if counts[j] > 0 {
			share := round(float64(counts[j]) / float64(len(c.labels)))
			all = append(all, Cluster{Center: center, Share: share})
		}
	}
	slices.SortFunc(all, func(a, b Cluster) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), slices.Compare(a.Center, b.Center))
	})
	used := map[string]bool{}
	for i := range all {
		all[i].Name = nameOf(all[i].Center, columns, used)
		used[all[i].Name] = true
	}
	return all
}

// nameOf names a cluster by the words of its columns, from the one that is farthest from the mean on. It
// takes as few as make a new name, and two at least if the second is far, too.
func nameOf(center []float64, columns []Column, used map[string]bool) string {
	order := make([]int, len(center))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(math.Abs(center[b]), math.Abs(center[a]))
	})
	const average, far = 0.25, 0.5 // standard deviations
	var parts []string
	for _, i := range order {
		distance := math.Abs(center[i])
		if len(parts) == 0 && distance < average && !used["average"] {
			return "average"
		}
		name := strings.Join(parts, ", ")
		isEnough := len(parts) > 1 || len(parts) == 1 && distance < far
		if isEnough && !used[name] {
			return name
		}
		end := 0
		if center[i] > 0 {
			end = 1
		}
		parts = append(parts, words[columns[i].Name][end])
	}
	name := strings.Join(parts, ", ")
	for n := 2; used[name]; n++ {
		name = fmt.Sprintf("%s %d", strings.Join(parts, ", "), n)
	}
	return name
}

// round rounds a figure to 4 decimals, for people.
func round(v float64) float64 { return math.Round(v*1e4) / 1e4 }
