package simulate

import (
	"math"

	"github.com/pitchstream/pitchstream/schemas"
)

// Simulator plays the games and returns their records. It is not safe for concurrent use.
type Simulator struct {
	o       Options
	league  *league
	slate   []*game // the games under way; each leaves when it is over
	begun   int     // games begun
	pitches int     // pitches thrown
	out     outbox
	clock   schemas.TimeMS // the latest event time handed out: records are stamped after it
	tally   Tally
	scratch scratch
	flavour int // the next kind of poison
}

// New prepares the games. Its error names the wrong option, its value and the allowed values.
func New(o Options) (*Simulator, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return &Simulator{o: o, league: newLeague(o.Seed)}, nil
}

// Next returns the next record of the stream; ok is false after the last. The caller owns the message.
//
// Records come in order of event time over all games in progress, and so in order within a game, except those
// that the options move.
func (s *Simulator) Next() (m Message, ok bool) {
	for !s.out.ready() {
		g := s.nextGame()
		if g == nil {
			s.out.flush()
			break
		}
		s.out.now++
		s.send(g, g.pitch())
		g.play()
	}
	if m, ok = s.out.pop(); !ok {
		return Message{}, false
	}
	s.stamp(&m)
	s.tally.Add(&m)
	return m, true
}

// Tally returns the counts of the messages that Next has returned so far.
func (s *Simulator) Tally() Tally { return s.tally }

// nextGame returns the game whose next pitch comes first in game time, nil after the last pitch.
func (s *Simulator) nextGame() *game {
	if s.o.Pitches > 0 && s.pitches == s.o.Pitches {
		return nil
	}
	s.endGames()
	if len(s.slate) == 0 {
		s.openSlate()
	}
	var first *game
	for _, g := range s.slate {
		if first == nil || g.clock < first.clock {
			first = g
		}
	}
	if first != nil {
		s.pitches++
	}
	return first
}

func (s *Simulator) endGames() {
	still := s.slate[:0]
	for _, g := range s.slate {
		if !g.over {
			still = append(still, g)
		}
	}
	s.slate = still
}

// openSlate begins the next day's games, one per pair of teams.
func (s *Simulator) openSlate() {
	games := math.MaxInt
	if s.o.Games > 0 {
		games = s.o.Games
	}
	for lane := 0; lane < s.o.Parallel && s.begun < games; lane++ {
		s.slate = append(s.slate, newGame(s, s.begun))
		s.begun++
	}
	s.tally.Games = s.begun
}

// latencyMS is how long after the latest event a record is stamped, because tracking a pitch takes time.
const latencyMS = 2_000

// stamp sets the time at which a producer would have sent the record, which is after all records before it.
func (s *Simulator) stamp(m *Message) {
	s.clock = max(s.clock, m.EventTime)
	m.Timestamp = s.clock + latencyMS
}
