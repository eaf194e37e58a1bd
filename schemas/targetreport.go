package schemas

// TargetReport says in what way the pitches of a target differ from those of another one. It is for a person
// who looks for the reason. A is the target before, B the one after.
type TargetReport struct {
	// Columns are all measures, those that moved most first.
	Columns []ColumnReport `json:"columns"`
	// Transitions are changes of words and truths in pitches that both have, the most frequent first, 200 at
	// most.
	Transitions []Transition `json:"transitions"`
	// Pitches are those that changed most, 20 at most.
	Pitches []PitchChange `json:"pitches"`
	// Games and Venues are those with the greatest share of changed pitches, 25 at most.
	Games  []PlaceReport `json:"games"`
	Venues []PlaceReport `json:"venues"`
}

// ColumnReport compares a measure.
type ColumnReport struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Shift is the difference of the means in standard deviations of A, or of the missing shares times ten if
	// that is more; the sign is that of the difference.
	Shift float64 `json:"shift"`
	// Up, Down, Lost and Gained count pitches that both targets have: the value in B is greater, smaller,
	// missing in B alone, missing in A alone.
	Up     int64 `json:"up"`
	Down   int64 `json:"down"`
	Lost   int64 `json:"lost"`
	Gained int64 `json:"gained"`
	// MeanChange is the mean of B − A over the pitches that have both values.
	MeanChange Opt[float64]  `json:"mean_change"`
	A          ColumnProfile `json:"a"`
	B          ColumnProfile `json:"b"`
	// Edges are the bounds of the bars of both histograms, one more than there are bars. The outer bars hold
	// what is beyond them too.
	Edges []float64 `json:"edges"`
}

// ColumnProfile is the distribution of a measure in one target. Quantiles are exact to a thousandth of the
// range from the least to the greatest value of both targets.
type ColumnProfile struct {
	Rows    int64        `json:"rows"`
	Missing int64        `json:"missing"`
	Mean    Opt[float64] `json:"mean"`
	SD      Opt[float64] `json:"standard_deviation"`
	Min     Opt[float64] `json:"min"`
	Max     Opt[float64] `json:"max"`
	P05     Opt[float64] `json:"p05"`
	P25     Opt[float64] `json:"p25"`
	P50     Opt[float64] `json:"p50"`
	P75     Opt[float64] `json:"p75"`
	P95     Opt[float64] `json:"p95"`
	Bars    []int64      `json:"bars"`
}

// MissingShare is the share of the rows without a value.
func (p ColumnProfile) MissingShare() float64 { return float64(p.Missing) / float64(max(p.Rows, 1)) }

// Transition counts the pitches in which a column changed from one value to another; "" is a missing value.
type Transition struct {
	Column  string `json:"column"`
	A       string `json:"a"`
	B       string `json:"b"`
	Pitches int64  `json:"pitches"`
}

// PitchChange is a pitch that changed.
type PitchChange struct {
	PitchID string `json:"pitch_id"`
	GamePK  string `json:"game_pk"`
	Date    string `json:"game_date"`
	Venue   string `json:"venue"`
	// Score is the sum over its columns of the change in standard deviations, ten at most of each.
	Score  float64       `json:"score"`
	Values []ValueChange `json:"values"` // those that changed most, six at most
}

// ValueChange is a value in both targets, as text; "" if it is missing.
type ValueChange struct {
	Column string `json:"column"`
	A      string `json:"a"`
	B      string `json:"b"`
}

// PlaceReport compares the pitches of a game or of a venue.
type PlaceReport struct {
	Name    string `json:"name"` // game_pk or venue; "": none
	Venue   string `json:"venue,omitempty"`
	Date    string `json:"game_date,omitempty"`
	Both    int64  `json:"both"`
	Changed int64  `json:"changed"`
	OnlyA   int64  `json:"only_in_a"`
	OnlyB   int64  `json:"only_in_b"`
	// Column is the measure whose mean moved most, and MeanChange by how much; "" if none did.
	Column     string  `json:"column"`
	MeanChange float64 `json:"mean_change"`
}
