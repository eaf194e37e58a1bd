package simulate

// teamsInLeague is the number of teams, which play each other in pairs that change daily.
const teamsInLeague = 30

const (
	battersPerTeam = 9
	starters       = 5 // take turns by the day
	relievers      = 3
	starterInnings = 6
)

// league holds the teams and players, the same for every sequence of a seed.
type league struct{ teams [teamsInLeague]team }

type team struct {
	id       int64
	venue    string
	batters  [battersPerTeam]player // in batting order
	pitchers [starters + relievers]player
}

type player struct {
	id       int64
	left     bool
	strength float64 // of a batter's swing among all batters, a standard normal
}

// Ids are like those of the real set: nine digits for players, five for teams, and unique.
const (
	firstPlayerID = 100_000_000
	firstTeamID   = 10_000
)

func newLeague(seed uint64) *league {
	r, strengths := newSource(seed, leagueStream), newSource(seed, strengthStream)
	l := &league{}
	players, teams := firstPlayerID+r.Int64N(800)*1_000_000, firstTeamID+r.Int64N(800)*100
	for i := range l.teams {
		t := &l.teams[i]
		t.id, t.venue = teams+int64(i), venues[i%len(venues)]
		next := players + int64(i)*1_000
		for j := range t.batters {
			t.batters[j] = player{id: next + int64(j), left: r.chance(leftBatters), strength: strengths.NormFloat64()}
		}
		for j := range t.pitchers {
			t.pitchers[j] = player{id: next + 100 + int64(j), left: r.chance(leftPitchers)}
		}
	}
	return l
}

// pair returns the visitors and the home team of a lane's game on a day. No team plays twice on one day.
func (l *league) pair(lane, day int) (visitors, home *team) {
	first := 2*lane + day
	return &l.teams[first%teamsInLeague], &l.teams[(first+1)%teamsInLeague]
}

// pitcher returns who pitches in an inning: a starter, then the relievers in turn.
func (t *team) pitcher(day, inning int) player {
	if inning <= starterInnings {
		return t.pitchers[day%starters]
	}
	return t.pitchers[starters+inning%relievers]
}

var venues = []string{
	"North Park", "River Field", "Harbour Grounds", "Mill Street Park", "Lakeside", "Summit Field",
}

// Numbers of the random sequences: two per game, two for the league.
const leagueStream, strengthStream = 1<<63 - 1, 1<<63 - 2

func gameStream(number int) uint64   { return uint64(number) * 2 }
func stressStream(number int) uint64 { return uint64(number)*2 + 1 }
