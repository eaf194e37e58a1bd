package features

import (
	"fmt"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// Explanation is what each stage of the core made of one record, for the few records that a person asks
// about. It observes the stages of Transform and computes nothing of the row itself, so it cannot disagree
// with the stream.
type Explanation struct {
	// Change is what Transform returns, and Rejection why there is none.
	Change    schemas.Change `json:"-"`
	Rejection *Rejection     `json:"rejection,omitempty"`

	// Headers are those that the core reads; the last one, if a header is repeated.
	Headers []Reading `json:"headers"`
	// Decoded are the scalars of the value, without the missing ones.
	Decoded []Reading `json:"decoded"`
	Tracks  Tracks    `json:"tracks"`

	// Flattened has the columns taken from the record and its headers.
	Flattened *Stage `json:"flattened,omitempty"`
	// Derived has the features too.
	Derived *Stage `json:"derived,omitempty"`
	// Validated is the finished row: the values out of range are cleared.
	Validated *Stage `json:"validated,omitempty"`

	// Swing is the reason why the record shows a swing or none.
	Swing       string           `json:"swing"`
	AttackAngle *AttackAngleView `json:"attack_angle,omitempty"`
	BatSpeed    *BatSpeedView    `json:"bat_speed,omitempty"`
	// Flight shows how the columns of the pitch's flight came about, and Contact those at contact. Contact is
	// missing where there is no swing.
	Flight  *FlightView  `json:"flight,omitempty"`
	Contact *ContactView `json:"contact,omitempty"`

	// issues are those of the stages up to Flattened.
	issues issueSet
}

// Reading is one thing that was read: a header, or a value at a JSON path.
type Reading struct {
	Name string `json:"name"`
	// Kind is header, number, text, object, array, or other (true, false).
	Kind string `json:"kind"`
	// Text is as written in the record, cut to maxShownBytes.
	Text string `json:"text"`
}

// Stage is the row after a stage, and the issues that the stage added.
type Stage struct {
	Row    schemas.Row `json:"row"`
	Issues []string    `json:"issues"`
}

// Tracks counts the samples of a record.
type Tracks struct {
	// Bat and Ball are counted without duplicates.
	Bat           int `json:"bat"`
	Ball          int `json:"ball"`
	BatDuplicate  int `json:"bat_duplicates"`
	BallDuplicate int `json:"ball_duplicates"`
	// BatTimed counts the bat's samples with a time: only these take part in kinematics.
	BatTimed    int  `json:"bat_timed"`
	BatConflict bool `json:"bat_conflict"`
}

// Explain runs Transform on a record and returns what each stage made of it.
func Explain(rec schemas.Record, limits Limits) (e Explanation) {
	observed := func(rec schemas.Record, limits Limits) (schemas.Change, *Rejection) {
		h := readHeaders(rec.Headers)
		e.Headers = h.readings()
		return transform(rec, limits, &e, nil)
	}
	e.Change, e.Rejection = recovered(rec, limits, observed)
	return e
}

// The methods that begin with see are called by the stages. On a nil Explanation, which is the stream's,
// they do nothing.

func (e *Explanation) seeDecoded(d *decoder) {
	if e != nil {
		e.Decoded = d.readings()
	}
}

// seeTracks counts the samples after duplicates were dropped.
func (e *Explanation) seeTracks(d *decoder) {
	if e != nil {
		e.Tracks = Tracks{
			Bat: d.bat.total, Ball: d.ball.total, BatDuplicate: d.bat.duplicates, BallDuplicate: d.ball.duplicates,
			BatTimed: len(d.bat.samples), BatConflict: d.bat.conflict,
		}
	}
}

func (e *Explanation) seeFlattened(row *schemas.Row, issues issueSet) {
	if e != nil {
		e.issues, e.Flattened = issues, &Stage{Row: *row, Issues: issues.list()}
	}
}

// seeSwing returns the views that observe the two computations about the bat; nil for the stream.
func (e *Explanation) seeSwing() (*AttackAngleView, *BatSpeedView) {
	if e == nil {
		return nil, nil
	}
	e.AttackAngle = &AttackAngleView{}
	e.BatSpeed = &BatSpeedView{Without: []Window{}, Windows: []Window{}}
	return e.AttackAngle, e.BatSpeed
}

func (e *Explanation) seeDerived(row *schemas.Row, d *decoder) {
	if e != nil {
		e.Derived, e.Swing = &Stage{Row: *row, Issues: []string{}}, d.bat.whySwing()
	}
}

// seeValidated keeps the finished row. A row gets its texts together at the end, so the stages before get
// them here.
func (e *Explanation) seeValidated(row *schemas.Row, issues issueSet) {
	if e == nil {
		return
	}
	e.Validated = &Stage{Row: *row, Issues: (issues &^ e.issues).list()}
	for _, s := range []*Stage{e.Flattened, e.Derived} {
		r := &s.Row
		r.GameDate, r.Venue, r.PitchType, r.PitchAction = row.GameDate, row.Venue, row.PitchType, row.PitchAction
		r.Issues = s.Issues
	}
}

// whySwing explains is_swing in one line.
func (t *batTrack) whySwing() string {
	switch {
	case t.total == 0:
		return "no swing: there are no bat samples"
	case t.total == 1 && t.noSwing:
		return `no swing: the only bat sample says {"event": "No"}`
	case !t.isSwing():
		return fmt.Sprintf("no swing: none of %d bat samples has a head or a handle", t.total)
	default:
		return fmt.Sprintf("a swing: of %d bat samples some have a head or a handle", t.total)
	}
}

// maxShownBytes is the length at which a Reading cuts its text.
const maxShownBytes = 120

// readings returns the scalars that were decoded.
func (r *record) readings() (out []Reading) {
	// The slots are in the order of the table of paths.
	for s, v := range r.values {
		if v.kind == missing {
			continue
		}
		name := strings.ReplaceAll(paths[s], ".[", "[")
		r := Reading{Name: name, Kind: kindNames[v.kind], Text: shownBytes(v.raw)}
		if v.kind == array {
			r.Text = fmt.Sprintf("%d elements", v.count)
		}
		out = append(out, r)
	}
	return out
}

var kindNames = [...]string{
	missing: "missing", number: "number", text: "text", object: "object", array: "array", other: "other",
}

// readings returns the headers that the core reads and that are there.
func (h *headers) readings() (out []Reading) {
	for _, name := range []string{
		schemas.HeaderSchemaVersion, schemas.HeaderOp, schemas.HeaderRevision, schemas.HeaderPitchID,
		schemas.HeaderGamePK, schemas.HeaderGameDate, schemas.HeaderVenue, schemas.HeaderEventTime,
		schemas.HeaderBatterID, schemas.HeaderPitcherID, schemas.HeaderTeamID,
		schemas.HeaderAtBatNumber, schemas.HeaderPitchNumber, schemas.HeaderBatterSide, schemas.HeaderPitcherHand,
		schemas.HeaderZoneTop, schemas.HeaderZoneBottom,
		schemas.HeaderDLQOriginTopic, schemas.HeaderDLQOriginPartition, schemas.HeaderDLQOriginOffset,
		schemas.HeaderDLQOriginTimestamp,
	} {
		if v := *h.slot(name); len(v) > 0 {
			out = append(out, Reading{Name: name, Kind: "header", Text: shownBytes(v)})
		}
	}
	return out
}

// shownBytes returns bytes of the record as one line of text, cut to maxShownBytes.
func shownBytes(b []byte) string {
	if len(b) > maxShownBytes {
		return oneLine(string(b[:maxShownBytes])) + "…"
	}
	return oneLine(string(b))
}
