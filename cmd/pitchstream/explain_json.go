package main

import (
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/explain"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// explainedPitch is the output of explain --json.
type explainedPitch struct {
	PitchID     schemas.PitchID       `json:"pitch_id"`
	Standing    string                `json:"standing"`
	Searched    []kafkaread.Span      `json:"searched,omitempty"`
	Versions    []explainedVersion    `json:"versions"`
	Explained   *int                  `json:"explained,omitempty"` // index of the explained version
	Explanation *features.Explanation `json:"explanation,omitempty"`
	Row         *schemas.StoredRow    `json:"row,omitempty"`
	Aggregates  *explain.Aggregates   `json:"aggregates,omitempty"`
	Letters     []exportedLetter      `json:"letters"`
}

type explainedVersion struct {
	At        *exportedPlace       `json:"at"`
	Op        string               `json:"op"`
	Revision  int64                `json:"revision"`
	Origin    *exportedPlace       `json:"origin,omitempty"`
	Stands    bool                 `json:"stands"`
	Bytes     int                  `json:"bytes"`
	Headers   []exportedHeader     `json:"headers"`
	IDs       *schemas.Identifiers `json:"identifiers,omitempty"`
	Rejection string               `json:"rejection,omitempty"`
}

func explainedJSON(p *explain.Pitch) explainedPitch {
	out := explainedPitch{
		PitchID: p.ID, Standing: standingText(p), Versions: []explainedVersion{}, Explanation: p.Explanation,
		Row: p.Row, Aggregates: p.Aggregates, Letters: []exportedLetter{},
	}
	for _, s := range p.Searched {
		out.Searched = append(out.Searched, s)
	}
	if p.Explained >= 0 {
		out.Explained = &p.Explained
	}
	for i := range p.Versions {
		out.Versions = append(out.Versions, versionJSON(&p.Versions[i]))
	}
	for i := range p.Letters {
		out.Letters = append(out.Letters, exportedOf(&p.Letters[i]))
	}
	return out
}

func versionJSON(v *explain.Version) explainedVersion {
	out := explainedVersion{
		At: placeJSON(v.Record.Coordinates), Op: v.Op(), Stands: v.Stands,
		Bytes: len(v.Record.Value), Headers: exportedHeaders(v.Record.Headers),
	}
	if v.Rejection != nil {
		out.Rejection = v.Rejection.Error()
		return out
	}
	out.Revision, out.Origin = v.Change.Version.Revision, placeJSON(v.Change.Origin)
	if v.Change.Op == schemas.OpIdentify {
		out.IDs = &v.Change.IDs
	}
	return out
}
