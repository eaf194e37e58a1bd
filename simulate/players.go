package simulate

// Player is one who may bat or pitch in a game.
type Player struct {
	ID      int64
	Team    int // from 0, below 30
	Pitches bool
}

// Players are all of the league: the same for every stream of a seed.
func (s *Simulator) Players() (players []Player) {
	for i := range s.league.teams {
		t := &s.league.teams[i]
		for _, p := range t.batters {
			players = append(players, Player{ID: p.id, Team: i})
		}
		for _, p := range t.pitchers {
			players = append(players, Player{ID: p.id, Team: i, Pitches: true})
		}
	}
	return players
}
