package simulate

// Player is someone who may bat or pitch in a game.
type Player struct {
	ID      int64
	Team    int // from 0, below 30
	Pitches bool
}

// Players returns all players of the league, the same for every sequence of a seed.
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
