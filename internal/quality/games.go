package quality

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

const (
	// halfPitches is the smallest number of pitches in a half inning. An inning that is over has both halves.
	halfPitches = 3
	// leastPitches and mostPitches bound a complete game: the shortest and the longest ones of the major
	// leagues, with a margin.
	leastPitches, mostPitches = 150, 750
	wholeGame                 = 9
	// endedAfter is how long after its last pitch a game counts as over. The newest pitch of all games is the
	// clock.
	endedAfter = 3 * time.Hour
)

// completeness returns one finding about all games, and one for each incomplete game.
func completeness(j *judge) []schemas.QualityFinding {
	games := whole(j.games)
	all := schemas.QualityFinding{
		Check: IncompleteGames, Venue: everywhere, Unit: "games", Of: int64(len(games)),
		Limit: "none may lack an inning", What: "games that lack innings or pitches",
	}
	var out []schemas.QualityFinding
	for _, g := range games {
		missing := lacks(g, j.newest)
		if len(missing) == 0 {
			continue
		}
		all.Value++
		out = append(out, schemas.QualityFinding{
			Check: IncompleteGames, Venue: venueName(g), Item: string(g.GamePK), Unit: "pitches",
			Value: float64(g.Pitches), Of: g.Pitches, Games: 1,
			Limit: all.Limit, Abnormal: true, What: strings.Join(missing, ", "),
			Do: "look for its dead letters, and at its partition's lag; ask the producer to send it again",
		})
	}
	all.Games = int64(all.Value)
	all.Abnormal = all.Value > 0
	if all.Abnormal {
		all.Do = "see the games below"
	}
	return append([]schemas.QualityFinding{all}, out[:min(len(out), mostVenues)]...)
}

// whole puts the facts of each game together, which has those of several venues when a pitch was sent with a
// wrong one. The venue is that of most pitches. Only what lacks reads is put together.
func whole(facts []*schemas.QualityFacts) (games []*schemas.QualityFacts) {
	at, most := map[schemas.Text]*schemas.QualityFacts{}, map[schemas.Text]int64{}
	for _, f := range facts {
		g := at[f.GamePK]
		if g == nil || f.GamePK == "" {
			g = &schemas.QualityFacts{GamePK: f.GamePK, Innings: map[int16]int64{}}
			at[f.GamePK], games = g, append(games, g)
		}
		if f.Pitches > most[f.GamePK] || g.Venue == "" {
			g.Venue, most[f.GamePK] = f.Venue, f.Pitches
		}
		g.Pitches, g.Last = g.Pitches+f.Pitches, max(g.Last, f.Last)
		for inning, n := range f.Innings {
			g.Innings[inning] += n
		}
	}
	return games
}

// lacks returns what a game lacks. During the game it looks only at the innings before the newest one. newest
// is the time of the newest pitch of all games.
func lacks(g *schemas.QualityFacts, newest schemas.TimeMS) (missing []string) {
	if g.GamePK == "" || len(g.Innings) == 0 {
		return nil
	}
	last := slices.Max(slices.Collect(maps.Keys(g.Innings)))
	for inning := int16(1); inning < last; inning++ {
		if n := g.Innings[inning]; n == 0 {
			missing = append(missing, fmt.Sprintf("inning %d is missing", inning))
		} else if n < 2*halfPitches {
			missing = append(missing, fmt.Sprintf("inning %d has %d pitches", inning, n))
		}
	}
	// guard: quality: a game that is played lacks nothing yet
	if newest-g.Last <= schemas.TimeMS(endedAfter.Milliseconds()) {
		return missing
	}
	if last < wholeGame {
		missing = append(missing, fmt.Sprintf("ends in inning %d", last))
	}
	if g.Pitches < leastPitches || g.Pitches > mostPitches {
		missing = append(missing, fmt.Sprintf("%d pitches", g.Pitches))
	}
	return missing
}
