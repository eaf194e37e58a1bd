package schemas

// QualityFacts describe the data of one game at one day and venue. They are counts and sums, so that those of
// any number of games can be added up.
type QualityFacts struct {
	// GamePK is missing for the rows without a game.
	GamePK Text `json:"game_pk"`
	// Day is the game's date; for rows without one, the date in UTC of their event time.
	Day     string `json:"day"`
	Venue   Text   `json:"venue"`
	Pitches int64  `json:"pitches"`
	// First and Last are event times.
	First TimeMS `json:"first"`
	Last  TimeMS `json:"last"`

	// Shares are keyed by check, Issues by issue (rows that have it), Columns by numeric column, Innings
	// count pitches.
	Shares  map[string]QualityShare  `json:"shares"`
	Issues  map[string]int64         `json:"issues"`  // rows that have the issue
	Columns map[string]QualityColumn `json:"columns"` // numeric columns
	Innings map[int16]int64          `json:"innings"` // pitches of each

	// Present counts for each column the rows that have a value, Words the rows of each value of a column
	// that takes few. Facts of older builds have none.
	Present map[string]int64            `json:"present,omitempty"`
	Words   map[string]map[string]int64 `json:"words,omitempty"`

	// Members are counted from the records of the game, where a processor did so, and are stored by themselves.
	Members *MemberProfile `json:"-"`

	// EventToRecordS is the delay from a pitch to its record, RecordToRowS that from the record to its row.
	EventToRecordS QualityDelay `json:"event_to_record_s"`
	RecordToRowS   QualityDelay `json:"record_to_row_s"`

	// BatSamples is the median number of samples of a full swing; missing if there was none.
	BatSamples Opt[float64] `json:"bat_samples"`
	// Swings are the full swings with a reliable speed, in order.
	Swings []BatterSpeed `json:"swings"`
}

// QualityArrivals count those records of a game, at one day and venue, that its rows do not show.
type QualityArrivals struct {
	Day         string // YYYY-MM-DD
	Venue       Text
	Repeats     int64 // records that repeated what was stored already
	Conflicting int64 // pitches of which two records with the same revision differ
	Deleted     int64 // pitches that had a row and were deleted
}

// QualityShare reports that N of Of things have a fault.
type QualityShare struct {
	N  int64 `json:"n"`
	Of int64 `json:"of"`
}

// QualityColumn sums up the values of a column, in the column's unit.
type QualityColumn struct {
	N       int64   `json:"n"`
	Mean    float64 `json:"mean"`
	Squares float64 `json:"squares"` // the sum of squared deviations from the mean
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
}

// QualityDelay is a distribution of delays in seconds: the median, and the delay that one in twenty exceeds.
type QualityDelay struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

// BatterSpeed is the bat speed of one swing, in mph.
type BatterSpeed struct {
	BatterID int64   `json:"b"`
	MPH      float64 `json:"mph"`
}

// QualityReport describes the data of one day, compared with the days before it.
type QualityReport struct {
	Day          string           `json:"day" doc:"The game day"`
	AsOf         Opt[TimeMS]      `json:"as_of" doc:"Event time of the newest pitch of the day"`
	Games        int64            `json:"games" doc:"Games of the day"`
	Pitches      int64            `json:"pitches" doc:"Rows of the day that stand"`
	BaselineDays []string         `json:"baseline_days" doc:"The game days that it is held against, at most seven"`
	Abnormal     int64            `json:"abnormal" doc:"How many findings are beyond their limits"`
	Findings     []QualityFinding `json:"findings" doc:"What is beyond its limits first"`
	Venues       []QualityVenue   `json:"venues" doc:"The venues of the day, 40 at most"`
}

// QualityVenue counts the data of one venue.
type QualityVenue struct {
	Venue   string `json:"venue" doc:"The venue; unknown: rows that name none"`
	Games   int64  `json:"games" doc:"Games there"`
	Pitches int64  `json:"pitches" doc:"Rows of these games that stand"`
}

// QualityFinding is one figure, its baseline, and what to do about it.
type QualityFinding struct {
	Check    string       `json:"check" doc:"The section of docs/QUALITY.md about it"`
	Venue    string       `json:"venue" doc:"The venue, or all"`
	Item     string       `json:"item" doc:"The column, issue, game, stage or path of the record that it is about; empty where there is none"`
	Unit     string       `json:"unit" doc:"share (0 to 1), mph, s, pitches, rms (of numbers), or the unit of the column"`
	Value    float64      `json:"value" doc:"The figure of the day, in the unit"`
	Baseline Opt[float64] `json:"baseline" doc:"The same over the baseline days; null where there is none"`
	Limit    string       `json:"limit" doc:"When it is abnormal, in words"`
	Score    Opt[float64] `json:"score" doc:"Standard errors from the baseline; null where it has none"`
	Of       int64        `json:"of" doc:"What the value is made of: rows, swings, pairs of pitches"`
	Games    int64        `json:"games_affected" doc:"Games of the day above the baseline, or with the fault"`
	Abnormal bool         `json:"abnormal" doc:"Beyond the limit, and chance does not explain it"`
	What     string       `json:"what" doc:"One sentence"`
	Do       string       `json:"do" doc:"What to do about it; empty where nothing is to be done"`
}
