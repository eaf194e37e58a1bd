package explain

import (
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// JSON is a pitch as explain --json prints it.
type JSON struct {
	PitchID     schemas.PitchID       `json:"pitch_id"`
	Standing    string                `json:"standing"`
	Searched    []kafkaread.Span      `json:"searched,omitempty"`
	Versions    []versionJSON         `json:"versions"`
	Explained   *int                  `json:"explained,omitempty"` // index of the explained version
	Explanation *features.Explanation `json:"explanation,omitempty"`
	Row         *schemas.StoredRow    `json:"row,omitempty"`
	Aggregates  *Aggregates           `json:"aggregates,omitempty"`
	Letters     []deadletter.Exported `json:"letters"`
}

type versionJSON struct {
	At        *deadletter.ExportedPlace   `json:"at"`
	Op        string                      `json:"op"`
	Revision  int64                       `json:"revision"`
	Origin    *deadletter.ExportedPlace   `json:"origin,omitempty"`
	Stands    bool                        `json:"stands"`
	Bytes     int                         `json:"bytes"`
	Headers   []deadletter.ExportedHeader `json:"headers"`
	IDs       *schemas.Identifiers        `json:"identifiers,omitempty"`
	Rejection string                      `json:"rejection,omitempty"`
}

// JSON returns the object that explain --json prints.
func (p *Pitch) JSON() JSON {
	out := JSON{
		PitchID: p.ID, Standing: p.Standing(), Versions: []versionJSON{}, Explanation: p.Explanation,
		Row: p.Row, Aggregates: p.Aggregates, Letters: []deadletter.Exported{},
	}
	for _, s := range p.Searched {
		out.Searched = append(out.Searched, s)
	}
	if p.Explained >= 0 {
		out.Explained = &p.Explained
	}
	for i := range p.Versions {
		out.Versions = append(out.Versions, p.Versions[i].json())
	}
	for i := range p.Letters {
		out.Letters = append(out.Letters, deadletter.ExportedOf(&p.Letters[i]))
	}
	return out
}

func (v *Version) json() versionJSON {
	out := versionJSON{
		At: deadletter.ExportedPlaceOf(v.Record.Coordinates), Op: v.Op(), Stands: v.Current,
		Bytes: len(v.Record.Value), Headers: deadletter.ExportedHeaders(v.Record.Headers),
	}
	if v.Rejection != nil {
		out.Rejection = v.Rejection.Error()
		return out
	}
	out.Revision, out.Origin = v.Change.Version.Revision, deadletter.ExportedPlaceOf(v.Change.Origin)
	if v.Change.Op == schemas.OpIdentify {
		out.IDs = &v.Change.IDs
	}
	return out
}

// Standing returns in words whether the pitch has a current row, and why not.
func (p *Pitch) Standing() string {
	switch {
	case p.Row != nil && p.Searched == nil:
		return "would be a row"
	case p.Row != nil:
		return "stands"
	case p.Registers != nil && p.Registers.Measured != nil:
		return "was deleted"
	case p.Registers != nil:
		return "was named by the game feed, and not measured yet"
	case p.Searched == nil:
		return "no row"
	}
	return "Postgres does not know it"
}
