package schemas

// PitchScores is what live models say about a current pitch.
type PitchScores struct {
	Scores      []ModelScore `json:"scores" doc:"What each live model says about the pitch, by model; empty where none scores it"`
	AsOf        TimeMS       `json:"as_of" doc:"Event time of the pitch"`
	ProcessedAt TimeMS       `json:"processed_at" doc:"When the newest of the row and its scores was computed"`
}

// ModelScore is a score as readers see it.
type ModelScore struct {
	Model    string       `json:"model" doc:"The model"`
	Version  int32        `json:"version" doc:"The version that scored the pitch: the one that was live when the row was written"`
	Kind     string       `json:"kind" doc:"archetypes, self or trees"`
	Label    Text         `json:"label" doc:"The group that the pitch belongs to; null: the model gives none, or the row lacks what it needs"`
	Value    Opt[float64] `json:"value" doc:"A distance or a prediction; null: the row lacks what the model needs"`
	Margin   Opt[float64] `json:"margin" doc:"How much nearer the label is than the next one, 0–1; null: the model gives none"`
	PValue   Opt[float64] `json:"p_value" doc:"Share of such pitches that are at least as far away; null: the model gives none"`
	Shift    Opt[float64] `json:"shift" doc:"By how many of the player's standard deviations the model's first column is off; null: the model gives none"`
	ScoredAt TimeMS       `json:"scored_at" doc:"When the pitch was scored"`
}

// Archetypes are the groups of one live version that a batter's swings belong to. All labels are of this
// version, because those of another one are other groups.
type Archetypes struct {
	Model       string           `json:"model" doc:"The model"`
	Version     int32            `json:"version" doc:"Its live version, which all labels in this answer are of"`
	Archetypes  []ArchetypeShare `json:"archetypes" doc:"The groups that his swings belong to, the largest first"`
	Swings      int64            `json:"swings" doc:"Swings that were read: his newest 5,000 at most"`
	Labelled    int64            `json:"labelled" doc:"Swings of them with a label of this version: shares are of these"`
	OfOthers    int64            `json:"of_other_versions" doc:"Swings that another version scored and that count in no group: pitchstream model score scores them again"`
	AsOf        TimeMS           `json:"as_of" doc:"Event time of the newest swing"`
	ProcessedAt TimeMS           `json:"processed_at" doc:"When the newest of the rows and their scores was computed"`
}

// ArchetypeShare is how many of a batter's swings belong to a group.
type ArchetypeShare struct {
	Label       string  `json:"label" doc:"The name of the group"`
	Swings      int64   `json:"swings" doc:"His swings in it"`
	SharePct    float64 `json:"share_pct" doc:"Their share of his labelled swings, in percent"`
	LastPitchID PitchID `json:"last_pitch_id" doc:"The newest of them"`
	LastAt      TimeMS  `json:"last_at" doc:"Its event time"`
}
