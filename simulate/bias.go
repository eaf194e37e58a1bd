package simulate

// Bias is a venue whose cameras measure all bats too fast or too slow, which the data quality report should
// find. Swings and all other measures there are the same as without it.
type Bias struct {
	Venue string // one of Venues
	MPH   float64
	From  string // first game date, YYYY-MM-DD; "": from the beginning
}

const maxBiasMPH = 20

// Venues returns the ballparks of the league. A team plays at home in one of them.
func Venues() []string { return append([]string(nil), venues...) }

// bias returns by how many mph bats are measured too fast in a game.
func (g *game) bias() (mph float64) {
	for _, b := range g.s.o.Biases {
		if b.Venue == g.venue && b.From <= g.date {
			mph += b.MPH
		}
	}
	return mph
}

// measuredFaster adds a camera error at the sweet spot to a swing. The speed never becomes negative.
func (s *swing) measuredFaster(mph float64) {
	s.headFPS = max(s.headFPS+mph*fpsPerMPH*batLength/(batLength-sweetSpot), 1)
}
