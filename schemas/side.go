package schemas

// Side is the side of a player in a pitch. A person who bats and pitches has aggregates of both sides, which
// have nothing to do with each other.
type Side uint8

// The sides.
const (
	Batter Side = iota
	Pitcher
)

// Sides are all sides, in the order in which their totals are locked and computed. All transactions keep to
// this order, because two of them could wait for each other otherwise.
var Sides = []Side{Batter, Pitcher}

// String returns the word of a side in the names of tables, keys and columns.
func (s Side) String() string {
	if s == Pitcher {
		return "pitcher"
	}
	return "batter"
}

// Columns returns the aggregates of a side.
func (s Side) Columns() []Column {
	if s == Pitcher {
		return PitcherStatsColumns
	}
	return StatsColumns
}

// PlayerIn returns the player of a side in a row.
func (s Side) PlayerIn(r *Row) Opt[int64] {
	if s == Pitcher {
		return r.PitcherID
	}
	return r.BatterID
}
