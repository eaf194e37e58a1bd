package schemas

// Drift of mechanics: a batter's bat or a pitcher's arm is not what it was. internal/drift finds where it
// changed, from the current rows in the order of their event times, so that corrections change what is found.

// DriftPitch is what a search for drift reads of a pitch.
type DriftPitch struct {
	EventTime   TimeMS
	PitchID     PitchID
	ProcessedAt TimeMS
	GamePK      string // "" for rows without a game
	PitchType   string // "" for a batter, whose swings are compared whatever was thrown
	// Values are one of each measure of the player's side; missing where the row has none.
	Values []Opt[float64]
}

// Drift says what changed in how a player moves.
type Drift struct {
	IsEnough    bool          `json:"is_enough" doc:"There are enough pitches to find a change in a game or over the days"`
	Why         string        `json:"why,omitempty" doc:"What is missing, where there is not enough data"`
	Changes     []DriftChange `json:"changes" doc:"What changed, in his newest game first; empty where nothing did"`
	Measures    []string      `json:"measures" doc:"The columns that were looked at"`
	GamePK      Text          `json:"game_pk" doc:"His newest game; null where the rows name none"`
	GamePitches int64         `json:"game_pitches" doc:"Values of the first measure in his newest game"`
	Pitches     int64         `json:"pitches" doc:"Rows that were read: his newest 5,000 at most, of 60 days"`
	AsOf        Opt[TimeMS]   `json:"as_of" doc:"Event time of the newest of them; null where there is none"`
	ProcessedAt Opt[TimeMS]   `json:"processed_at" doc:"When the newest of them was written; null where there is none"`
}

// DriftChange is a place from which on a measure was another. Both numbers are in the measure's unit.
type DriftChange struct {
	Scope     string  `json:"scope" enum:"game,days" doc:"game: within his newest game; days: over the last 14 days, against those before"`
	Measure   string  `json:"measure" doc:"The column"`
	PitchType Text    `json:"pitch_type" doc:"The type that before and after are of: his most frequent one; null for a batter"`
	Before    float64 `json:"before" doc:"The mean before the change, in the unit of the column"`
	After     float64 `json:"after" doc:"The mean since"`
	Change    float64 `json:"change" doc:"After less before, over all types"`
	Score     float64 `json:"score" doc:"The change in standard errors; it is reported from 4 on in a game, from 4.5 on over the days"`
	Since     TimeMS  `json:"since" doc:"Event time of the first pitch after the change"`
	N         int64   `json:"n" doc:"Pitches since"`
	NBefore   int64   `json:"n_before" doc:"Pitches before, in the game or over the days"`
}
