package schemas

import "errors"

// PlayerKey names a batter or pitcher over all games, or in one game.
type PlayerKey struct {
	Side     Side
	PlayerID int64
	GamePK   string // "" for all games
}

// PlayerState is the current state of a player, or of a player in one game, as a store returns it.
type PlayerState struct {
	PlayerKey
	Stats     Stats         // of a batter
	Pitching  *PitcherStats // of a pitcher, else nil
	UpdatedAt TimeMS        // when Postgres computed the aggregates
	// Seq orders the states of one player. For a game it is the player's Seq at the game's last change.
	Seq int64
	// Suspect marks a state that Redis may hold although Postgres never had it, or that it holds in a form
	// that cannot be read. A sweep is about to replace it.
	Suspect bool
}

// Fields returns pointers to the values, in the order of the side's columns.
func (s *PlayerState) Fields() []any {
	if s.Side == Batter {
		return s.Stats.Fields()
	}
	if s.Pitching == nil {
		s.Pitching = &PitcherStats{}
	}
	return s.Pitching.Fields()
}

// LastPitch returns the last pitch of the aggregates.
func (s *PlayerState) LastPitch() *LastPitch {
	if s.Pitching != nil {
		return s.Pitching.LastPitch
	}
	return s.Stats.LastPitch
}

// ErrOccupied reports that a read ended without its answer because of other reads: it waited for one that it
// could share, or came after slow ones. It says nothing about the store.
var ErrOccupied = errors.New("other reads took the time for this one")

// ErrUnreadable reports a value in a store that is not of its form. It says nothing about other values, nor
// about the server.
var ErrUnreadable = errors.New("not of its form")

// Heartbeat is the state of one processor. Each processor writes it once a second.
type Heartbeat struct {
	// At is when it was written: as stored, by the clock of the processor; as read, by that of the reader.
	At TimeMS `json:"at"`
	// LagMS is the age of the oldest known record that is not applied yet; 0 when caught up.
	LagMS int64 `json:"lag_ms"`
	// Phase is PhaseOK, or a word for the reason why Redis may lack something.
	Phase string `json:"phase"`
	// Epoch names the data set of Redis that Phase is about; "" while none is known.
	Epoch string `json:"epoch"`
	// Topic is the raw topic.
	Topic string `json:"topic"`
	// Positions are the processor's partitions, each with the next offset to apply.
	Positions map[string]int64 `json:"positions"`
	// Work is only read by the pages that show the stream, and is stored beside the heartbeat. Else it is
	// nil.
	Work *Work `json:"work,omitempty"`
}

// PhaseOK is the phase of a Redis that holds everything that was written to it.
const PhaseOK = "ok"

// Pulse is what readers need to decide how far a store can be trusted.
type Pulse struct {
	// Heartbeats are by instance. Those of processors that have died remain.
	Heartbeats map[string]Heartbeat
	// Epoch names the data set that Redis holds now; "" after it has lost its data.
	Epoch string
	// Applied maps <topic>/<partition> to the next offset to apply.
	Applied map[string]int64
}

// Player is the person behind the identifier of a batter or a pitcher.
type Player struct {
	ID   int64
	Name string
	Team string // "" if it is not known
}

// PlayedGame is a game that has rows.
type PlayedGame struct {
	GamePK   string
	GameDate Text
	Venue    Text
	HomeTeam Text // "" where no file has said it
	AwayTeam Text
	StartsAt Opt[TimeMS] // missing where no file has said it
	Pitches  int64
	// First and Last are the event times of its first and its newest pitch.
	First, Last TimeMS
	UpdatedAt   TimeMS // when a row of the game was written last
	// StreamLast is the event time of the newest pitch of all games, without those far in the future.
	StreamLast TimeMS
}

// WholeGame is a game with its players, sorted by id, and its newest pitches, the newest first.
type WholeGame struct {
	Game              PlayedGame
	Batters, Pitchers []PlayerState
	Pitches           []StoredRow
}

// PlayersOf returns where the players of a side are.
func (w *WholeGame) PlayersOf(side Side) *[]PlayerState {
	if side == Pitcher {
		return &w.Pitchers
	}
	return &w.Batters
}

// GameQuery asks for games: the one with the newest pitch first, then that with the greater game_pk.
type GameQuery struct {
	Date  Text         // only of this date, YYYY-MM-DD; "": of any
	After *SplitCursor // the game behind which the list goes on; nil: from the newest
	Limit int          // the most games
}

// Place is where a list of games goes on behind this one.
func (g *PlayedGame) Place() SplitCursor { return SplitCursor{Newest: g.Last, Key: Text(g.GamePK)} }

// MaxGamesOfADate bounds the games of one date that a list of games is made of.
const MaxGamesOfADate = 1000

// PitchFilter chooses pitches: those for which everything holds that is present.
type PitchFilter struct {
	BatterID  Opt[int64]
	PitcherID Opt[int64]
	GamePK    Text
	PitchType Text
	Result    Text
	IsSwing   Opt[bool]
	IsChase   Opt[bool]
	Since     Opt[TimeMS] // of the event time, inclusive
	Until     Opt[TimeMS] // exclusive
}

// LeaderFilter chooses players of a side. Without GamePK and Date they are players over all games, else
// players in one game each.
type LeaderFilter struct {
	Side    Side
	Stat    string // column to order by, the greatest first
	AtLeast int64  // swings of a batter, pitches of a pitcher
	GamePK  Text
	Date    Text    // game date, YYYY-MM-DD
	Players []int64 // only these; nil: all
	// After is the player behind whom the list goes on; nil: from the first.
	After *LeaderCursor
}

// LeaderCursor is a place in a list of leaders. Leaders are ordered by value, then by id, and each is in a
// list once.
type LeaderCursor struct {
	Value    float64
	PlayerID int64
}

// PitchCursor is a place in a list of pitches, newest first: the list goes on behind this pitch.
type PitchCursor struct {
	EventTime TimeMS
	PitchID   PitchID
}
