package simulate

// Bias is a venue whose cameras measure all bats too fast, or too slow: what data quality is to find. The swings
// themselves, and all else that is measured there, are as they would be without it.
type Bias struct {
	Venue string // one of Venues
	MPH   float64
	From  string // first game date, YYYY-MM-DD; "": from the beginning
}

const maxBiasMPH = 20

// Venues are the ballparks of the league; a team plays at home in one of them.
func Venues() []string { return append([]string(nil), venues...) }

// bias is by how much bats are measured too fast in a game, mph.
func (g *game) bias() (mph float64) {
	for _, b := range g.s.o.Biases {
		if b.Venue == g.venue && b.From <= g.date {
			mph += b.MPH
		}
	}
	return mph
}

// measuredFaster makes a swing as cameras see it that are off by so much at the sweet spot. A bat that stands still does
// not move backwards for them.
func (s *swing) measuredFaster(mph float64) {
	s.headFPS = max(s.headFPS+mph*fpsPerMPH*batLength/(batLength-sweetSpot), 1)
}
