package schemas

import "time"

// Target is everything that one processor writes to, all named after it: a Postgres schema, a Redis prefix, a
// consumer group, and topics for rows and dead letters. All targets read the same raw topic.
type Target struct {
	Name   string `json:"name"`
	Schema string `json:"postgres_schema"`
	Prefix string `json:"redis_prefix"`
	Group  string `json:"kafka_group"`
	Rows   string `json:"topic_rows"`
	Dead   string `json:"topic_dead"`
}

// Pointer names the target that readers see.
type Pointer struct {
	// Target has only a name if it is live; the settings say the rest.
	Target   Target `json:"target"`
	Previous string `json:"previous"` // the target before it; "" for none
	// Generation grows by one with each change. 0 means that the pointer was never moved.
	Generation int64     `json:"generation"`
	MovedAt    time.Time `json:"moved_at"`
}

// Promotion is one change of the target that readers see, and why it was made.
type Promotion struct {
	Generation int64     `json:"change"`
	Kind       string    `json:"kind"` // promote or rollback
	From       string    `json:"from"`
	To         string    `json:"to"`
	At         time.Time `json:"at"`
	Role       string    `json:"role"` // in Postgres
	By         string    `json:"by"`   // user and machine
	Forced     bool      `json:"forced"`
	Reason     string    `json:"reason"`    // "": none was given
	NotReady   []string  `json:"not_ready"` // what stood against it
}

// TargetLoss says what readers would lose and see changed if another target replaced the one that they see.
// Pitches and players that one of the two has not read yet are not counted.
type TargetLoss struct {
	Both           int64    // pitches that both have
	Changed        int64    // of them, those in which a value is another or missing; new values do not count
	Pitches        int64    // that the other target lacks
	PitchExamples  []string // two at most
	Batters        int64    // that it lacks
	BatterExamples []string // two at most
}

// TargetDiff compares two targets. Rows that one of them wrote beyond the position of the other are moving,
// and left out.
type TargetDiff struct {
	A            string    `json:"a"`
	B            string    `json:"b"`
	Rows         TableDiff `json:"rows"`
	Batters      TableDiff `json:"batters"`
	BatterGames  TableDiff `json:"batter_games"`
	Pitchers     TableDiff `json:"pitchers"`
	PitcherGames TableDiff `json:"pitcher_games"`
	// OtherCore counts the rows in both that another core version computed, which is no difference in itself.
	OtherCore int64         `json:"rows_of_another_core_version"`
	Report    *TargetReport `json:"report"`
}

// Different reports whether there is any difference.
func (d TargetDiff) Different() bool {
	return d.Rows.different() || d.Batters.different() || d.BatterGames.different() ||
		// guard: target: pitchers that differ are a difference | d.Pitchers.different() || d.PitcherGames.different() -> false
		d.Pitchers.different() || d.PitcherGames.different()
}

// TableDiff compares the rows of one view.
type TableDiff struct {
	InA     int64        `json:"in_a"`
	InB     int64        `json:"in_b"`
	OnlyA   int64        `json:"only_in_a"`
	OnlyB   int64        `json:"only_in_b"`
	Differ  int64        `json:"differ"` // rows in both that differ
	Moving  int64        `json:"moving"` // rows left out
	Columns []ColumnDiff `json:"columns,omitempty"`
	// OnlyInA and OnlyInB hold two keys each, at most.
	OnlyInA []string `json:"examples_only_in_a,omitempty"`
	OnlyInB []string `json:"examples_only_in_b,omitempty"`
}

func (d TableDiff) different() bool { return d.OnlyA+d.OnlyB+d.Differ > 0 }

// ColumnDiff is one column in which rows differ that both targets have.
type ColumnDiff struct {
	Name   string `json:"name"`
	Differ int64  `json:"differ"`
	// PresentA and PresentB count the values, NULL aside, in the rows that both targets have. A column that only
	// a newer core computes has none in the target of the older one.
	PresentA int64 `json:"present_a"`
	PresentB int64 `json:"present_b"`
	// Max is the greatest absolute difference, Mean that of the rows that differ. Both are of numbers present in
	// both targets.
	Max      Opt[float64]  `json:"max"`
	Mean     Opt[float64]  `json:"mean"`
	Examples []ValueDiffer `json:"examples"`
}

// ValueDiffer is one value in both targets, as text; "" if there is none.
type ValueDiffer struct {
	Key string `json:"key"`
	A   string `json:"a"`
	B   string `json:"b"`
}
