package schemas

// BatterKey names a batter over all games, or in one game.
type BatterKey struct {
	BatterID int64
	GamePK   string // "" for all games
}

// BatterState is the present state of a batter, or of a batter in one game, as a store that is read gives it.
type BatterState struct {
	BatterKey
	Stats     Stats
	UpdatedAt TimeMS // when Postgres computed it
	Seq       int64  // orders the states of one batter; of a game, the batter's at the game's last change
	// Suspect says that this state is about to be replaced: it may be what Postgres never had.
	Suspect bool
}

// Heartbeat is what a processor says of itself each second.
type Heartbeat struct {
	At    TimeMS `json:"at"`
	LagMS int64  `json:"lag_ms"` // age of the oldest record that is known and not applied yet; 0 when caught up
	// Phase says what may be expected of Redis: ok, mending, away, refused.
	Phase string `json:"phase"`
	// Epoch names the data set of Redis that Phase is about; "" where none is known yet.
	Epoch string `json:"epoch"`
	Topic string `json:"topic"` // the raw topic
	// Positions are the partitions that this processor has, each with the next offset to apply.
	Positions map[string]int64 `json:"positions"`
	// Work is told beside it, for those who watch: who only wants to know whom to believe does not read it. Else nil.
	Work *Work `json:"work,omitempty"`
}

// PhaseOK is the phase of a Redis that holds all that was pushed.
const PhaseOK = "ok"

// Pulse tells how far what stands in a store can be trusted.
type Pulse struct {
	Heartbeats map[string]Heartbeat // by instance, of processors alive and dead
	Epoch      string               // of Redis: the name of the data set that stands there now; "" where it lost its data
	Applied    map[string]int64     // <topic>/<partition> → the next offset
}

// Player is whom an identifier of a batter or a pitcher means.
type Player struct {
	ID   int64
	Name string
	Team string // "" where it is not known
}

// PlayedGame is a game of which rows stand.
type PlayedGame struct {
	GamePK    string
	GameDate  Text
	Venue     Text
	Pitches   int64
	First     TimeMS // event time of the first pitch
	Last      TimeMS // event time of the newest pitch
	UpdatedAt TimeMS // when a row of it was written last
}

// PitchCursor is a place in a list of pitches, the newest first: after this pitch.
type PitchCursor struct {
	EventTime TimeMS
	PitchID   PitchID
}
