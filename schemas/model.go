package schemas

import (
	"encoding/json"
	"slices"
)

// States of a version of a model.
const (
	// ModelCandidate is a version that scores nothing yet.
	ModelCandidate = "candidate"
	// ModelShadow is a version that scores the rows of the stream, and is shown to no reader.
	ModelShadow = "shadow"
	// ModelLive is the version whose scores readers see; at most one of a model.
	ModelLive = "live"
	// ModelRetired is a version that scores nothing any more.
	ModelRetired = "retired"
)

// The states of a version follow each other in any order, and each change is kept with its author and time.
// Only a live version is shown to readers. A model can have several shadows, and no live version.

// MaxLiveModels is the greatest number of versions that score the stream at one time, live and shadow.
const MaxLiveModels = 16

// Model is one version of a model. Its content never changes; its state does. The store reads the versions
// that score as Models, and a Scorer is made of them.
type Model struct {
	Name     string
	Version  int32
	Kind     string // archetypes, self or trees
	Content  []byte // the model file
	IsShadow bool   // of the versions that score: it is shown to no reader
}

// Score is what one version of a model says about one pitch. A value that the model does not give, or cannot
// compute from the row, is missing. A pitch has one score by live versions for each model that scores such
// rows. It has that score also where the row lacks a column.
type Score struct {
	Model    string
	Version  int32
	IsShadow bool

	Label  Text         // the name of the group that the pitch belongs to
	Value  Opt[float64] // a distance, a prediction
	Margin Opt[float64] // 0–1: how much nearer the label is than the next one
	PValue Opt[float64] // the share of such pitches that are at least as far away
	// Shift is by how many standard deviations of the player the first column of the model is off, signed.
	Shift Opt[float64]
}

// Scorer is the stage behind the core: it scores rows with the versions that it was made of. It is pure, and
// safe for use by several goroutines. Its scores are sorted by model, the live version first.
type Scorer interface {
	Score(row *Row) []Score
}

// AppendScoresJSON appends the scores of live versions as a JSON object: a member for each model.
func AppendScoresJSON(b []byte, scores []Score) []byte {
	b = append(b, '{')
	first := true
	for _, s := range scores {
		if s.IsShadow {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, s.Model)
		b = appendInt(b, `:{"version":`, s.Version)
		b = appendOptText(b, `,"label":`, string(s.Label))
		b = appendOptFloat(b, `,"value":`, s.Value)
		b = appendOptFloat(b, `,"margin":`, s.Margin)
		b = appendOptFloat(b, `,"p_value":`, s.PValue)
		b = append(appendOptFloat(b, `,"shift":`, s.Shift), '}')
	}
	return append(b, '}')
}

// ScoresMember is the member of a published row that has the scores of live versions. It is no column.
const ScoresMember = "scores"

// AppendJSON appends the row as JSON, with the scores of live versions, if there are any, as its last member.
func (p *Published) AppendJSON(b []byte) []byte {
	b = p.Row.AppendJSON(b)
	if slices.ContainsFunc(p.Scores, func(s Score) bool { return !s.IsShadow }) {
		b = AppendScoresJSON(append(b[:len(b)-1], `,"`+ScoresMember+`":`...), p.Scores)
		b = append(b, '}')
	}
	return b
}

// ModelEntry describes one version of a model, without its content. Trained and Figures are JSON objects of
// the model file: what it was trained on, and how good it was there.
type ModelEntry struct {
	Name    string          `json:"name"`
	Version int32           `json:"version"`
	Kind    string          `json:"kind"`
	State   string          `json:"state"`
	SHA256  string          `json:"sha256"` // of the content, in lower-case hex
	Bytes   int64           `json:"bytes"`
	Trained json.RawMessage `json:"trained"`
	Figures json.RawMessage `json:"figures"`
	AddedBy string          `json:"added_by"`
	AddedAt TimeMS          `json:"added_at"`
}

// ModelChange is one change of a version's state, also the addition of the version as a candidate. Changes
// are never removed.
type ModelChange struct {
	Version int32  `json:"version"`
	State   string `json:"state"`
	By      string `json:"by"`
	At      TimeMS `json:"at"`
}

// Results of a refit.
const (
	// RefitPromoted means that the trained version is live now.
	RefitPromoted = "promoted"
	// RefitHeld means that a check is beyond its limit: the version stays a candidate.
	RefitHeld = "held"
	// RefitUnchanged means that the rows gave the file of a version that is live already, or was retired.
	RefitUnchanged = "unchanged"
	// RefitCandidate means that no version was live to compare with.
	RefitCandidate = "candidate"
)

// ModelRefit is one nightly training of a model, and what became of it.
type ModelRefit struct {
	Model   string       `json:"model"`
	Version int32        `json:"version"`
	Live    int32        `json:"live,omitempty"` // the version that it was compared with; 0: none was live
	Result  string       `json:"result"`
	Checks  []RefitCheck `json:"checks"`
	By      string       `json:"by"`
	At      TimeMS       `json:"at"`
}

// RefitCheck is a figure that a candidate was judged by. A value that could not be computed is missing, and
// not within the limit.
type RefitCheck struct {
	Check    string       `json:"check"`            // adjusted_rand, equal_labels, rank_correlation, psi or calibration_error
	Column   string       `json:"column,omitempty"` // of psi
	Value    Opt[float64] `json:"value"`
	Limit    float64      `json:"limit"`
	IsWithin bool         `json:"within"`
}
