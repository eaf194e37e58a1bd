package schemas

// Scores as readers see them. A score names its version, and labels of two versions are never counted
// together: k-means finds its groups anew in each training, so that one word may be two groups. Scores of
// shadows are in no answer of the API. They are only compared with what the live version says about the same
// row.

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

// ScoreValues is what a version of a model says about a pitch, where the names of both stand beside it.
type ScoreValues struct {
	Version int32        `json:"version" doc:"The version that scored the pitch"`
	Label   Text         `json:"label" doc:"The group that the pitch belongs to; null: the model gives none, or the row lacks what it needs"`
	Value   Opt[float64] `json:"value" doc:"A distance or a prediction; null: the row lacks what the model needs"`
	Margin  Opt[float64] `json:"margin" doc:"How much nearer the label is than the next one, 0–1; null: the model gives none"`
	PValue  Opt[float64] `json:"p_value" doc:"Share of such pitches that are at least as far away; null: the model gives none"`
	Shift   Opt[float64] `json:"shift" doc:"By how many of the player's standard deviations the model's first column is off; null: the model gives none"`
}

// ShowScores puts scores, which are of live versions, beside the last pitches of the snapshot.
func (s *Snapshot) ShowScores(scores map[PitchID][]Score) {
	overall := s.Overall()
	overall.showScores(scores)
	for i := range s.Games {
		s.Games[i].showScores(scores)
	}
}

func (g *GameStats) showScores(scores map[PitchID][]Score) {
	last := g.LastPitch()
	if last == nil || len(scores[last.PitchID]) == 0 {
		return
	}
	last.Scores = map[string]ScoreValues{}
	for _, s := range scores[last.PitchID] {
		last.Scores[s.Model] = ScoreValues{s.Version, s.Label, s.Value, s.Margin, s.PValue, s.Shift}
	}
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

// ScoreComparison is what a shadow version says beside the live one, over the rows that both have scored.
//
// A row is compared if its newest version was scored by the live version and by the shadow. Rows of the
// version that was live before are not, because their difference would be that of two other versions.
// Agreement counts the rows that have a label by either version: a label that the other one does not give is
// another label.
type ScoreComparison struct {
	Model      string         `json:"model"`
	Kind       string         `json:"kind"`
	Live       int32          `json:"live"`
	Shadow     int32          `json:"shadow"`
	From       Opt[TimeMS]    `json:"from"` // event times of the rows that both have scored
	To         Opt[TimeMS]    `json:"to"`
	Read       int64          `json:"read"`          // the newest pitches that were looked at
	Rows       int64          `json:"rows"`          // of them, those that both have scored
	LiveOnly   int64          `json:"live_only"`     // scored by the live version alone
	ShadowOnly int64          `json:"shadow_only"`   // scored by the shadow alone; the live score is of another version, or there is none
	Agree      Opt[float64]   `json:"agreement"`     // share of the rows with a label of either whose labels are the same word
	Rand       Opt[float64]   `json:"adjusted_rand"` // 1 if the groups are the same but for their names
	Labels     []LabelPair    `json:"labels"`        // the pairs of labels, the most frequent first
	Columns    []ScoreShift   `json:"columns"`
	Changed    []ChangedScore `json:"changed"` // the pitches that changed most, at most 20
}

// LabelPair is how many rows have one label by the live version and one by the shadow.
type LabelPair struct {
	Live   Text  `json:"live"`
	Shadow Text  `json:"shadow"`
	Rows   int64 `json:"rows"`
}

// ScoreShift is how the numbers of one column differ, over the rows in which both have a value. A shift of
// the mean that is small beside the greatest change is of few rows. A correlation near 1 with a large shift
// says that a threshold on the column must move with it.
type ScoreShift struct {
	Column      string       `json:"column"`
	Rows        int64        `json:"rows"`        // in which both have a value
	LiveOnly    int64        `json:"live_only"`   // in which the live version alone has one
	ShadowOnly  int64        `json:"shadow_only"` // in which the shadow alone has one
	Correlation Opt[float64] `json:"correlation"` // missing where one of them does not vary
	Live        Opt[float64] `json:"live_mean"`
	Shadow      Opt[float64] `json:"shadow_mean"`
	Shift       Opt[float64] `json:"mean_shift"` // the shadow's mean less the live one
	Most        Opt[float64] `json:"max_change"` // the greatest difference, without its sign
}

// ChangedScore is a pitch of which the versions say different things.
type ChangedScore struct {
	PitchID     PitchID      `json:"pitch_id"`
	EventTime   TimeMS       `json:"event_time"`
	LiveLabel   Text         `json:"live_label"`
	ShadowLabel Text         `json:"shadow_label"`
	LiveValue   Opt[float64] `json:"live_value"`
	ShadowValue Opt[float64] `json:"shadow_value"`
}
