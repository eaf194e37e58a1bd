package schemas

// Kinds of differences between a copy and its source.
const (
	DiffersMissing = "missing" // the copy lacks it
	DiffersExtra   = "extra"   // the copy has it, the source does not
	DiffersType    = "type"    // the copy holds a value of another type under its key
	DiffersOlder   = "older"   // the copy holds an older version
	DiffersNewer   = "newer"   // the copy holds a version that the source does not have
	DiffersContent = "content" // the versions are equal, the values are not
)

// Difference is one thing in which a copy differs from its source. Every check (sweep, audit, totals, verify)
// reports its findings in this form.
type Difference struct {
	Kind      string            `json:"kind"` // one of the constants above
	Key       string            `json:"key,omitempty"`
	PitchID   *PitchID          `json:"pitch_id,omitempty"`
	BatterID  *int64            `json:"batter_id,omitempty"`
	PitcherID *int64            `json:"pitcher_id,omitempty"`
	GamePK    string            `json:"game_pk,omitempty"`
	Fields    []FieldDifference `json:"fields,omitempty"`
	Repaired  bool              `json:"repaired"` // the copy equals its source again
}

// Name records whom the difference is about.
func (d *Difference) Name(side Side, player int64) {
	if side == Pitcher {
		d.PitcherID = &player
	} else {
		d.BatterID = &player
	}
}

// FieldDifference is one value of a Difference, as text; "" if there is none.
type FieldDifference struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// PlayerGame names one group of the aggregates: a player in a game, or the player's rows without a game if
// GamePK is "".
type PlayerGame struct {
	Side     Side
	PlayerID int64
	GamePK   string
}

// StoredRegisters are both registers of a pitch as a store holds them: the change with the greatest version
// in each, nil if none has arrived. The identifiers of Measured are those of the record, even if the game
// feed names others.
type StoredRegisters struct {
	PitchID     PitchID
	Measured    *Change
	CoreVersion int32 // of the core that wrote Measured
	Identified  *Change
}

// Sums are totals over groups of aggregates. Comparing two Sums is cheap, so checks do it before they compare
// the groups.
type Sums struct {
	Groups   int64 `json:"groups"` // players, or players in games
	Pitches  int64 `json:"pitches"`
	Swings   int64 `json:"swings"`
	Whiffs   int64 `json:"whiffs"`
	Contacts int64 `json:"contacts"`
	HardHits int64 `json:"hard_hits"`
}

// Add adds the stats of one group; nil adds nothing.
func (s *Sums) Add(st *Stats) {
	if st == nil {
		return
	}
	s.Groups++
	s.Pitches += st.Pitches
	s.Swings += st.SwingCount
	s.Whiffs += st.WhiffCount
	s.Contacts += st.ContactCount
	s.HardHits += st.HardHitCount
}

// AddState adds the stats of one batter or pitcher, or of one in a game.
func (s *Sums) AddState(g GameStats) {
	if p := g.Pitching; p != nil {
		s.Add(&Stats{Pitches: p.Pitches, SwingCount: p.SwingCount, WhiffCount: p.WhiffCount,
			ContactCount: p.ContactCount, HardHitCount: p.HardHitCount})
		return
	}
	s.Add(g.Stats)
}

// Plus returns the sum of both.
func (s Sums) Plus(o Sums) Sums {
	return Sums{
		s.Groups + o.Groups, s.Pitches + o.Pitches, s.Swings + o.Swings, s.Whiffs + o.Whiffs,
		s.Contacts + o.Contacts, s.HardHits + o.HardHits,
	}
}
