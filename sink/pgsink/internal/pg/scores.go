package pg

import (
	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// ScoreColumns are the columns of the view pitch_scores, in the order of ScanScore.
const ScoreColumns = "pitch_id, model, version, label, value, margin, p_value, shift"

// PitchScore is a score of a pitch.
type PitchScore struct {
	PitchID schemas.PitchID
	schemas.Score
}

// ScanScore reads a score.
func ScanScore(row pgx.CollectableRow) (s PitchScore, err error) {
	err = row.Scan((*[16]byte)(&s.PitchID), &s.Model, &s.Version, Text(&s.Label),
		Float(&s.Value), Float(&s.Margin), Float(&s.PValue), Float(&s.Shift))
	return s, err
}

// ByPitch returns the scores by pitch, in their order.
func ByPitch(scores []PitchScore) map[schemas.PitchID][]schemas.Score {
	found := map[schemas.PitchID][]schemas.Score{}
	for _, s := range scores {
		found[s.PitchID] = append(found[s.PitchID], s.Score)
	}
	return found
}
