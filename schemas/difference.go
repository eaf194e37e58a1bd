package schemas

// What a comparison may find of one thing that two places have.
const (
	DiffersMissing = "missing" // it should be there and is not
	DiffersExtra   = "extra"   // it is there and should not be
	DiffersType    = "type"    // something of another type stands in its place
	DiffersOlder   = "older"   // a version stands that is older than the right one
	DiffersNewer   = "newer"   // a version stands that the truth does not know
	DiffersContent = "content" // the right version stands, with other values
)

// Difference is one thing that a store has otherwise than the truth has it.
type Difference struct {
	Kind     string            `json:"kind"` // one of the words above
	Key      string            `json:"key,omitempty"`
	PitchID  *PitchID          `json:"pitch_id,omitempty"`
	BatterID *int64            `json:"batter_id,omitempty"`
	GamePK   string            `json:"game_pk,omitempty"`
	Fields   []FieldDifference `json:"fields,omitempty"`
	Repaired bool              `json:"repaired"`
}

// FieldDifference is one value of a Difference, as text; "" where there is none.
type FieldDifference struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// BatterGame names one group of the aggregates: a batter in a game, "" for his rows without a game.
type BatterGame struct {
	BatterID int64
	GamePK   string
}

// StoredRegisters are both registers of a pitch as a store holds them: the change that won each, nil where none came.
// The identifiers of Measured are the record's own, whatever the game feed names.
type StoredRegisters struct {
	PitchID     PitchID
	Measured    *Change
	CoreVersion int32 // of the core that wrote Measured
	Identified  *Change
}

// Sums are what is added up over batters, to be compared before anything else.
type Sums struct {
	Groups   int64 `json:"groups"` // batters, or batters in games
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

// Plus is both together.
func (s Sums) Plus(o Sums) Sums {
	return Sums{s.Groups + o.Groups, s.Pitches + o.Pitches, s.Swings + o.Swings, s.Whiffs + o.Whiffs, s.Contacts + o.Contacts, s.HardHits + o.HardHits}
}
