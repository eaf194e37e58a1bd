package schemas

// QualityFacts are what the rows of one game tell about the data: one for each day and venue that its rows name. They are
// counts and sums, so that any number of games can be put together.
type QualityFacts struct {
	GamePK  Text   `json:"game_pk"` // missing: rows without a game
	Day     string `json:"day"`     // the game's date, of rows without one that of their event time in UTC
	Venue   Text   `json:"venue"`
	Pitches int64  `json:"pitches"`
	First   TimeMS `json:"first"` // event times
	Last    TimeMS `json:"last"`

	Shares  map[string]QualityShare  `json:"shares"`  // by check
	Issues  map[string]int64         `json:"issues"`  // rows that have the issue
	Columns map[string]QualityColumn `json:"columns"` // numeric columns
	Innings map[int16]int64          `json:"innings"` // pitches of each

	// How late what came, in seconds: medians, and what one in twenty exceeds.
	EventToRecordS QualityDelay `json:"event_to_record_s"`
	RecordToRowS   QualityDelay `json:"record_to_row_s"`

	BatSamples Opt[float64]  `json:"bat_samples"` // median samples of a full swing; missing with none
	Swings     []BatterSpeed `json:"swings"`      // full swings with a reliable speed, in order
}

// QualityArrivals are what became of a game's records at one day and venue that its rows do not show.
type QualityArrivals struct {
	Day         string // YYYY-MM-DD
	Venue       Text
	Repeats     int64 // records that said again what stood
	Conflicting int64 // pitches of which two records of one revision differ
	Deleted     int64 // pitches that stood and are deleted
}

// QualityShare is how many of how many have a fault.
type QualityShare struct {
	N  int64 `json:"n"`
	Of int64 `json:"of"`
}

// QualityColumn sums up the values of a column.
type QualityColumn struct {
	N       int64   `json:"n"`
	Mean    float64 `json:"mean"`
	Squares float64 `json:"squares"` // sum of squared deviations from the mean
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
}

// QualityDelay is a distribution of delays in seconds.
type QualityDelay struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

// BatterSpeed is the bat speed of one swing.
type BatterSpeed struct {
	BatterID int64   `json:"b"`
	MPH      float64 `json:"mph"`
}

// QualityReport is the data of one day, held against the days before it.
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

// QualityVenue is what there was of a venue.
type QualityVenue struct {
	Venue   string `json:"venue" doc:"The venue; unknown: rows that name none"`
	Games   int64  `json:"games" doc:"Games there"`
	Pitches int64  `json:"pitches" doc:"Rows of these games that stand"`
}

// QualityFinding is one figure and what is to be thought of it.
type QualityFinding struct {
	Check    string       `json:"check" doc:"The section of docs/QUALITY.md about it"`
	Venue    string       `json:"venue" doc:"The venue, or all"`
	Item     string       `json:"item" doc:"The column, issue, game or stage that it is about; empty where there is none"`
	Unit     string       `json:"unit" doc:"share (0 to 1), mph, s, pitches, or the unit of the column"`
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
