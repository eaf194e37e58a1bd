package schemas

// SplitBy is how the pitches of a player are grouped.
type SplitBy string

// Groups of pitches. A date is the game date of a row. SplitHand is the pitcher's hand for a batter, and the
// batter's side for a pitcher.
const (
	SplitAll       SplitBy = "all" // one group
	SplitSeason    SplitBy = "season"
	SplitMonth     SplitBy = "month"
	SplitDate      SplitBy = "date"
	SplitGame      SplitBy = "game"
	SplitPitchType SplitBy = "pitch_type"
	SplitCount     SplitBy = "count"
	SplitHand      SplitBy = "hand"
)

// SplitLast is of what the last ones are taken.
type SplitLast string

// The last pitches of a player. LastSwings are all pitches from the n-th newest swing on, so that rates over
// pitches keep their meaning. LastGames are all pitches of the n games with the newest pitches.
const (
	LastPitchesOf SplitLast = "pitches"
	LastSwingsOf  SplitLast = "swings"
	LastGamesOf   SplitLast = "games"
)

// MaxSplitPitches bounds the pitches that one answer is computed of. A career has some 50,000.
const MaxSplitPitches = 100_000

// SplitQuery asks for the aggregates of one player in groups of the pitches that it chooses.
type SplitQuery struct {
	Side     Side
	PlayerID int64
	By       SplitBy
	Since    Opt[TimeMS] // of the event time, inclusive
	Until    Opt[TimeMS] // exclusive
	// Last chooses among the pitches of that time; 0: all.
	Last   int64
	LastOf SplitLast
	After  *SplitCursor // nil: from the first group
	Limit  int
}

// SplitCursor is a place in a list of groups: the list goes on behind this one.
type SplitCursor struct {
	Newest TimeMS // event time of the newest pitch; 0 but for games, which are ordered by it
	Key    Text
}

// Split is one group.
type Split struct {
	Key         Text   // of the group; "" for the rows that have none, and for SplitAll
	Newest      TimeMS // event time of the newest pitch
	ProcessedAt TimeMS // the latest of its rows
	Stats       *Stats // of a batter
	Pitching    *PitcherStats
}

// Splits are a page of groups. Those of times and games come with the newest first, others by name.
type Splits struct {
	// IsTooMuch reports that more than MaxSplitPitches are chosen. Then there are no groups.
	IsTooMuch bool
	Groups    []Split
}
