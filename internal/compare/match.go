package compare

import (
	"cmp"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// how says how a line was found among our pitches.
type how int

const (
	byNone how = iota
	byID
	byFeed
	byOrder
)

// matched is our pitch of a line.
type matched struct {
	by  how
	row *schemas.StoredRow
}

// match finds our pitch of each line of a game. A play id decides. Without one, the lines of each batter,
// pitcher and inning are laid beside our pitches of the same, in order; see align.
func match(lines []line, rows []schemas.StoredRow, plays map[place]schemas.PitchID) []matched {
	out := make([]matched, len(lines))
	byPitch := map[schemas.PitchID]*schemas.StoredRow{}
	for i := range rows {
		byPitch[rows[i].PitchID] = &rows[i]
	}
	take := func(i int, by how, id schemas.PitchID) {
		if row := byPitch[id]; row != nil {
			out[i] = matched{by, row}
			// guard: compare: a pitch is that of one line
			delete(byPitch, id)
		}
	}
	for i := range lines {
		if lines[i].id != (schemas.PitchID{}) {
			take(i, byID, lines[i].id)
		} else if id, ok := plays[lines[i].at]; ok {
			take(i, byFeed, id)
		}
	}
	matchByOrder(lines, byPitch, plays, out)
	return out
}

// group is what line and pitch must agree in, to be the same by order.
type group struct {
	batter, pitcher, inning int64
}

func matchByOrder(
	lines []line, left map[schemas.PitchID]*schemas.StoredRow, plays map[place]schemas.PitchID, out []matched,
) {
	named, stored := map[group][]int{}, map[group][]*schemas.StoredRow{}
	for i := range lines {
		l := &lines[i]
		_, isKnown := plays[l.at]
		// guard: compare: whose play id is known is not guessed | always
		if out[i].by == byNone && l.id == (schemas.PitchID{}) && !isKnown {
			g := group{l.batter, l.pitcher, l.inning}
			named[g] = append(named[g], i)
		}
	}
	for _, row := range left {
		if row.BatterID.Present && row.PitcherID.Present && row.Inning.Present {
			g := group{row.BatterID.Value, row.PitcherID.Value, int64(row.Inning.Value)}
			stored[g] = append(stored[g], row)
		}
	}
	for g, indexes := range named {
		slices.SortFunc(indexes, func(a, b int) int {
			x, y := lines[a].at, lines[b].at
			return cmp.Or(cmp.Compare(x.atBat, y.atBat), cmp.Compare(x.pitch, y.pitch))
		})
		slices.SortFunc(stored[g], func(a, b *schemas.StoredRow) int {
			return cmp.Or(cmp.Compare(a.EventTime, b.EventTime), slices.Compare(a.PitchID[:], b.PitchID[:]))
		})
		for _, pair := range align(lines, indexes, stored[g]) {
			out[pair.line] = matched{byOrder, pair.row}
		}
	}
}

type pair struct {
	line int
	row  *schemas.StoredRow
}

// Costs of align. Two pitches of an at-bat differ by some mph; the same pitch has the same speed to its last
// digit in both, so 0.6 mph are not the same pitch.
const (
	skipCost       = 0.5
	farthestMPH    = 0.6
	noSpeedCost    = 0.3
	maxOfAGroup    = 200 // pitches of a batter against a pitcher in an inning
	pitchSpeedSpec = 0   // of specs
)

// costOf returns what it costs to take a line and a pitch for the same; +Inf if they are not.
func costOf(l *line, row *schemas.StoredRow) float64 {
	// guard: compare: another result is another pitch
	if l.result != "" && row.PitchResult != "" && l.result != row.PitchResult {
		return math.Inf(1)
	}
	published := l.values[pitchSpeedSpec]
	if math.IsNaN(published) || !row.PitchSpeedMPH.Present {
		return noSpeedCost
	}
	far := abs(published - row.PitchSpeedMPH.Value)
	// guard: compare: another speed is another pitch
	if far > farthestMPH {
		return math.Inf(1)
	}
	return far
}

// align pairs lines and pitches in their orders at the least cost; either may be skipped. It is the alignment
// of two sequences by dynamic programming.
func align(lines []line, indexes []int, rows []*schemas.StoredRow) (pairs []pair) {
	n, m := len(indexes), len(rows)
	if n == 0 || m == 0 || n > maxOfAGroup || m > maxOfAGroup {
		return nil
	}
	least := make([][]float64, n+1) // of the lines from i on and the pitches from k on
	for i := range least {
		least[i] = make([]float64, m+1)
	}
	for i := n; i >= 0; i-- {
		for k := m; k >= 0; k-- {
			if i == n || k == m {
				least[i][k] = float64(n-i+m-k) * skipCost
				continue
			}
			skip := min(least[i+1][k], least[i][k+1]) + skipCost
			least[i][k] = min(skip, least[i+1][k+1]+costOf(&lines[indexes[i]], rows[k]))
		}
	}
	for i, k := 0, 0; i < n && k < m; {
		switch least[i][k] {
		case least[i+1][k+1] + costOf(&lines[indexes[i]], rows[k]):
			pairs = append(pairs, pair{indexes[i], rows[k]})
			i, k = i+1, k+1
		case least[i+1][k] + skipCost:
			i++
		default:
			k++
		}
	}
	return pairs
}
