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

// NextRow plays the next pitch without making its record, and returns the row that the core would make of it.
// It is many times as fast as Next, for tests that need rows only. The stress options have no effect. ok is
// false after the last pitch. Do not mix it with Next.
func (s *Simulator) NextRow() (row schemas.StoredRow, ok bool) {
	g := s.nextGame()
	if g == nil {
		return schemas.StoredRow{}, false
	}
	p := g.throw()
	row.Row = *p.row(identity(p, g.pk), g.pk, g, s.o.FeedIDs)
	row.EventTime, row.RecordTSMS = p.at, int64(p.at)+latencyMS
	row.ProcessedAt = p.at + latencyMS
	g.play()
	return row, true
}

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
