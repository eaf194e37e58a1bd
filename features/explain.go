package features

import (
	"fmt"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// Explanation is what each stage of the core made of one record. It is for the few records that somebody asks about; the
// stream runs Transform, and a test holds that both say the same, bit for bit.
type Explanation struct {
	// Change is what Transform answers; Rejection says why there is none.
	Change    schemas.Change `json:"-"`
	Rejection *Rejection     `json:"rejection,omitempty"`

	Headers []Reading `json:"headers"` // that the core reads, as they count
	Decoded []Reading `json:"decoded"` // the scalars that are read of the value; what is missing is left out
	Tracks  Tracks    `json:"tracks"`

	Flattened *Stage `json:"flattened,omitempty"` // columns taken from the record and its headers
	Derived   *Stage `json:"derived,omitempty"`   // with the features
	Validated *Stage `json:"validated,omitempty"` // what is out of range taken out: the row

	Swing       string           `json:"swing"` // why it is a swing, or is none
	AttackAngle *AttackAngleView `json:"attack_angle,omitempty"`
	BatSpeed    *BatSpeedView    `json:"bat_speed,omitempty"`
}

// Reading is one thing that was read: a header, or a value at a JSON path.
type Reading struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // header, number, text, object, array, or other: there and of no column's type
	Text string `json:"text"` // as it is written, cut where it is long
}

// Stage is the row as it was after a stage, and the issues that the stage added.
type Stage struct {
	Row    schemas.Row `json:"row"`
	Issues []string    `json:"issues"`
}

// Tracks count the samples of a record.
type Tracks struct {
	Bat           int  `json:"bat"`  // each time once
	Ball          int  `json:"ball"` // each time once
	BatDuplicate  int  `json:"bat_duplicates"`
	BallDuplicate int  `json:"ball_duplicates"`
	BatTimed      int  `json:"bat_timed"` // with a time: they take part in kinematics
	BatConflict   bool `json:"bat_conflict"`
}

// Explain runs the stages of Transform on a record and keeps what each made of it.
func Explain(rec schemas.Record, limits Limits) (e Explanation) {
	_, rej := guard(rec, limits, func(rec schemas.Record, limits Limits) (schemas.Change, *Rejection) {
		e = Explanation{}
		return schemas.Change{}, e.explain(rec, limits)
	})
	if e.Rejection = rej; rej != nil {
		e.Change = schemas.Change{}
	}
	return e
}

func (e *Explanation) explain(rec schemas.Record, limits Limits) (rej *Rejection) {
	h := readHeaders(rec.Headers)
	e.Headers = h.readings()
	if rej := checkSize(rec.Value, limits); rej != nil {
		return rej
	}
	if rej := h.checkSchemaVersion(); rej != nil {
		return rej
	}
	if e.Change, rej = h.envelope(rec); rej != nil || e.Change.Op != schemas.OpUpsert {
		return rej
	}
	d := new(decoder) // not of the pool: it is not worth it
	if rej := d.decode(rec.Value); rej != nil {
		return rej
	}
	e.Decoded = d.readings()
	if rej := d.check(); rej != nil {
		return rej
	}
	e.measure(d, rec, &h)
	return nil
}

// measure is decoder.measure behind its checks, stage by stage.
func (e *Explanation) measure(d *decoder, rec schemas.Record, h *headers) {
	row, issues := new(schemas.Row), h.issues
	// guard: explain: duplicates are dropped first
	d.bat.settle()
	d.ball.settle()
	e.Tracks = Tracks{Bat: d.bat.total, Ball: d.ball.total, BatDuplicate: d.bat.duplicates, BallDuplicate: d.ball.duplicates, BatTimed: len(d.bat.samples), BatConflict: d.bat.conflict}
	d.flatten(h, row, &issues)
	e.Flattened = &Stage{Row: *row, Issues: issues.list()}
	before := issues
	d.derive(row)
	e.Derived = &Stage{Row: *row, Issues: []string{}}
	if e.Swing = d.whySwing(); row.IsSwing {
		e.AttackAngle, e.BatSpeed = viewAttackAngle(d.bat.samples), viewBatSpeed(d.bat.samples)
	}
	// guard: explain: a range is checked
	validate(row, &issues)
	d.identify(rec, h, row, &issues)
	d.texts.assign()
	row.Issues = issues.list()
	e.Validated = &Stage{Row: *row, Issues: (issues &^ before).list()}
	e.Change.Row, e.Change.PitchID = row, row.PitchID
	for _, s := range []*Stage{e.Flattened, e.Derived} { // texts come to a row together, at the end
		r := &s.Row
		r.GameDate, r.Venue, r.PitchType, r.PitchAction = row.GameDate, row.Venue, row.PitchType, row.PitchAction
		r.Issues = s.Issues
	}
}

// whySwing is one line about is_swing.
func (d *decoder) whySwing() string {
	switch t := &d.bat; {
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

// maxShownBytes is how much of a text a Reading has.
const maxShownBytes = 120

func (d *decoder) readings() (out []Reading) {
	for s, v := range d.values {
		if v.kind == missing {
			continue
		}
		r := Reading{Name: strings.ReplaceAll(paths[s], ".[", "["), Kind: kindNames[v.kind], Text: shownBytes(v.raw)}
		if v.kind == array {
			r.Text = fmt.Sprintf("%d elements", v.count)
		}
		out = append(out, r)
	}
	return out
}

var kindNames = [...]string{missing: "missing", number: "number", text: "text", object: "object", array: "array", other: "other"}

func (h *headers) readings() (out []Reading) {
	for _, name := range []string{
		schemas.HeaderSchemaVersion, schemas.HeaderOp, schemas.HeaderRevision, schemas.HeaderPitchID, schemas.HeaderGamePK, schemas.HeaderGameDate,
		schemas.HeaderVenue, schemas.HeaderEventTime, schemas.HeaderBatterID, schemas.HeaderPitcherID, schemas.HeaderTeamID,
		schemas.HeaderDLQOriginTopic, schemas.HeaderDLQOriginPartition, schemas.HeaderDLQOriginOffset, schemas.HeaderDLQOriginTimestamp,
	} {
		if v := *h.slot(name); len(v) > 0 {
			out = append(out, Reading{Name: name, Kind: "header", Text: shownBytes(v)})
		}
	}
	return out
}

func shownBytes(b []byte) string {
	if len(b) > maxShownBytes {
		return oneLine(string(b[:maxShownBytes])) + "…"
	}
	return oneLine(string(b))
}
