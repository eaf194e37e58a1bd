package drift

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// value is one value of a measure.
type value struct {
	at        schemas.TimeMS
	pitchType string
	x         float64
	off       float64 // from the mean of its type on other days, clipped
}

// game are the values of a game, in order.
type game struct {
	pk     string
	last   schemas.TimeMS
	values []value
}

// series is a measure of a player, game by game; the newest game is the last one.
type series struct {
	measure string
	typical typical
	games   []game
}

// seriesOf puts the values of a measure into games. The newest game is there even if it has no value.
func seriesOf(pitches []schemas.DriftPitch, measure int, name string) *series {
	s := &series{measure: name, typical: typicals[name]}
	at := map[string]int{}
	for i := range pitches {
		p := &pitches[i]
		// guard: drift: pitches without a game are kept apart by day | dayOf(p.EventTime) -> ""
		pk := cmp.Or(p.GamePK, dayOf(p.EventTime))
		j, ok := at[pk]
		if !ok {
			j = len(s.games)
			at[pk] = j
			s.games = append(s.games, game{pk: pk})
		}
		s.games[j].last = p.EventTime
		if v := p.Values[measure]; v.Present {
			s.games[j].values = append(s.games[j].values, value{at: p.EventTime, pitchType: p.PitchType, x: v.Value})
		}
	}
	slices.SortStableFunc(s.games, func(a, b game) int { return cmp.Compare(a.last, b.last) })
	return s
}

// dayOf stands for the game of a pitch that names none: the day, which ends at 10:00 UTC, because games of
// the evening end after midnight UTC.
func dayOf(at schemas.TimeMS) string {
	return at.Time().UTC().Add(-10 * time.Hour).Format("day " + time.DateOnly)
}

// center is the median of a type over some games.
type center struct {
	middle float64
	n      int
}

// centers returns the medians of the types that have enough values.
func centers(games []game) map[string]center {
	values := map[string][]float64{}
	for _, g := range games {
		for _, v := range g.values {
			values[v.pitchType] = append(values[v.pitchType], v.x)
		}
	}
	known := map[string]center{}
	for name, all := range values {
		if len(all) >= leastOfType {
			known[name] = center{median(all), len(all)}
		}
	}
	return known
}

func median(all []float64) float64 {
	slices.Sort(all)
	if n := len(all); n%2 == 0 {
		return (all[n/2-1] + all[n/2]) / 2
	}
	return all[len(all)/2]
}

// deviation is how much the values of a type differ within a game, over some games.
func (s *series) deviation(games []game, known map[string]center) float64 {
	var offs []float64
	for _, g := range games {
		own := map[string][]float64{}
		for _, v := range g.values {
			if _, ok := known[v.pitchType]; ok {
				own[v.pitchType] = append(own[v.pitchType], v.x)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(own)) {
			all := own[name]
			middle := median(all)
			if n := float64(len(all)); n >= 3 {
				for _, x := range all {
					offs = append(offs, math.Abs(x-middle)*math.Sqrt(n/(n-1)))
				}
			}
		}
	}
	of := s.typical.within
	if n := float64(len(offs)); n > 0 {
		own := 1.4826 * median(offs) // of normal values the standard deviation
		of = math.Sqrt((n*own*own + believed*of*of) / (n + believed))
	}
	return of
}

// offsets returns the values of the games that can be compared, each with how far it is off its type.
func offsets(games []game, known map[string]center, deviation float64) [][]value {
	all := make([][]value, len(games))
	for i, g := range games {
		var middles []float64
		for _, v := range g.values {
			if c, ok := known[v.pitchType]; ok {
				v.off = v.x - c.middle
				all[i] = append(all[i], v)
				middles = append(middles, v.off)
			}
		}
		if len(middles) == 0 {
			continue
		}
		// Values are cut around the game's own middle, so that a day that is off is not cut away.
		middle := median(middles)
		for j := range all[i] {
			v := &all[i][j]
			// guard: drift: one wrong value is no change
			v.off = middle + max(-clip*deviation, min(v.off-middle, clip*deviation))
		}
	}
	return all
}

// inGame looks for the change within the newest game that is the most standard errors off. ok is false if
// there is too little to compare.
func (s *series) inGame() (c schemas.DriftChange, ok bool) {
	before := s.games[:len(s.games)-1]
	known := centers(before)
	deviation := s.deviation(before, known)
	values := offsets(s.games[len(s.games)-1:], known, deviation)[0]
	// The other days say where the game begins, as well as days agree.
	days := deviation * deviation / (s.typical.between * s.typical.between)
	for n := leastAfter; n <= min(mostAfter, len(values)-leastBefore); n++ {
		first := len(values) - n
		start, after := sum(values[:first])/(float64(first)+days), sum(values[first:])/float64(n)
		score := (after - start) / (deviation * math.Sqrt(1/float64(n)+1/(float64(first)+days)))
		// A game may go on after a change that was found, so the newest place is not the only one.
		if !ok || math.Abs(score) > math.Abs(c.Score) {
			c = s.change("game", values[first:], known, start, after, score)
			c.NBefore, ok = int64(first), true
		}
	}
	return c, ok
}

func sum(values []value) (sum float64) {
	for _, v := range values {
		sum += v.off
	}
	return sum
}

// change describes a change: its numbers are those of the type that is most frequent since.
func (s *series) change(
	scope string, since []value, known map[string]center, start, after, score float64,
) schemas.DriftChange {
	counts := map[string]int{}
	for _, v := range since {
		counts[v.pitchType]++
	}
	most := slices.MinFunc(slices.Collect(maps.Keys(counts)), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	return schemas.DriftChange{
		Scope: scope, Measure: s.measure, PitchType: schemas.Text(most),
		Before: rounded(known[most].middle + start), After: rounded(known[most].middle + after),
		Change: rounded(after - start), Score: rounded(score), Since: since[0].at, N: int64(len(since)),
	}
}

func rounded(x float64) float64 { return math.Round(x*100) / 100 }

// overDays compares the games since a day of the last Recent with those before.
func (s *series) overDays() (c schemas.DriftChange, ok bool) {
	known := centers(s.games)
	deviation := s.deviation(s.games, known)
	var games []part
	for _, values := range offsets(s.games, known, deviation) {
		if len(values) > 0 {
			games = append(games, part{values, sum(values) / float64(len(values))})
		}
	}
	if len(games) < 2*leastGames {
		return c, false
	}
	newest := games[len(games)-1].values[0].at
	for first := leastGames; first <= len(games)-leastGames; first++ {
		if newest-games[first].values[0].at > schemas.TimeMS(Recent.Milliseconds()) {
			continue
		}
		between := s.between(games, first, deviation)
		start, startError := weigh(games[:first], deviation, between)
		after, afterError := weigh(games[first:], deviation, between)
		score := (after - start) / math.Hypot(startError, afterError)
		if !ok || math.Abs(score) > math.Abs(c.Score) {
			var since []value
			for _, g := range games[first:] {
				since = append(since, g.values...)
			}
			c = s.change("days", since, known, start, after, score)
			c.NBefore, ok = 0, true
			for _, g := range games[:first] {
				c.NBefore += int64(len(g.values))
			}
		}
	}
	return c, ok
}

// part is a game with the mean of its values.
type part struct {
	values []value
	mean   float64
}

// between returns the variance of a player's days, if both sides of a place are apart: what is typical, and
// his own.
func (s *series) between(games []part, first int, deviation float64) float64 {
	typical := s.typical.between * s.typical.between
	squares, n := believedGames*typical, float64(believedGames)
	for _, side := range [][]part{games[:first], games[first:]} {
		mean, _ := weigh(side, deviation, typical)
		for _, g := range side {
			off := g.mean - mean
			squares += max(off*off-deviation*deviation/float64(len(g.values)), 0)
		}
		n += float64(len(side) - 1)
	}
	return max(squares/n, typical/4)
}

// believedGames is how many games the typical deviation between days counts as.
const believedGames = 4

// weigh returns the mean of some games, each weighed by how well it is known, and its standard error.
func weigh(games []part, deviation, between float64) (mean, standardError float64) {
	var weights, sum float64
	for _, g := range games {
		w := 1 / (between + deviation*deviation/float64(len(g.values)))
		weights, sum = weights+w, sum+w*g.mean
	}
	return sum / weights, math.Sqrt(1 / weights)
}
