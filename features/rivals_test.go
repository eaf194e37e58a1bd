//go:build unix

package features

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bytedance/sonic"
	gojson "github.com/goccy/go-json"
	"github.com/google/go-cmp/cmp"

	"github.com/pitchstream/pitchstream/schemas"
)

// rivals compute a row in the usual way: a JSON library reads the record into typed structs, and the core's
// code computes the features. Each library is called as its documentation recommends for speed.
var rivals = []struct {
	name string
	open func() rowMaker
}{
	{"encoding-json", rival[sliceEnd](json.Unmarshal)},
	{"goccy-json", rival[sliceEnd](gojson.Unmarshal)},
	{"sonic", rival[sliceEnd](sonic.ConfigFastest.Unmarshal)},
	{"goccy-json-arrays", rival[arrayEnd](gojson.Unmarshal)},
	{"sonic-arrays", rival[arrayEnd](sonic.ConfigFastest.Unmarshal)},
}

type rowMaker func(schemas.Record) (*schemas.Row, error)

func rival[E rivalEnd](unmarshal func([]byte, any) error) func() rowMaker {
	return func() rowMaker { return (&rivalScratch[E]{unmarshal: unmarshal}).row }
}

// rivalEnd is an end of the bat.
type rivalEnd interface{ point() (p point, ok bool) }

// sliceEnd distinguishes a position from what is none: exactly three numbers.
type sliceEnd struct {
	Pos []float64 `json:"pos"`
}

func (e sliceEnd) point() (p point, ok bool) {
	if len(e.Pos) != 3 {
		return p, false
	}
	return point{e.Pos[0], e.Pos[1], e.Pos[2]}, true
}

// arrayEnd is what the libraries read fastest, and does less: two numbers are a position, and so are four,
// and three zeros are none.
type arrayEnd struct {
	Pos [3]float64 `json:"pos"`
}

func (e arrayEnd) point() (p point, ok bool) {
	return point{e.Pos[0], e.Pos[1], e.Pos[2]}, e.Pos != [3]float64{}
}

// rivalRecord is the record as typed structs. Scalars that trackers write as {} where they know nothing are
// any.
type rivalRecord[E rivalEnd] struct {
	Units struct {
		Length   string `json:"length"`
		Velocity string `json:"velocity"`
	} `json:"units"`
	Acts struct {
		Pitch *rivalPitch `json:"pitch"`
		Hit   rivalBall   `json:"hit"`
	} `json:"summary_acts"`
	Score struct {
		Runs struct {
			Innings []struct{} `json:"innings"`
		} `json:"runs"`
		Outs struct {
			Inning *int16 `json:"inning"`
		} `json:"outs"`
		Count struct {
			Balls   rivalCount `json:"balls"`
			Strikes rivalCount `json:"strikes"`
		} `json:"count"`
	} `json:"summary_score"`
	Events []struct {
		Start struct {
			Angle []float64 `json:"angle"`
		} `json:"start"`
		Team   rivalPerson `json:"teamId"`
		Person rivalPerson `json:"personId"`
	} `json:"events"`
	Ball []struct {
		Time *float64 `json:"time"`
	} `json:"samples_ball"`
	Bat []struct {
		Event  string   `json:"event"`
		Time   *float64 `json:"time"`
		Head   E        `json:"head"`
		Handle E        `json:"handle"`
	} `json:"samples_bat"`
}

type rivalPitch struct {
	EventID any `json:"eventId"`
	Type    any `json:"type"`
	Result  any `json:"result"`
	Action  any `json:"action"`
	rivalBall
}

type rivalBall struct {
	Speed struct {
		MPH *float64 `json:"mph"`
	} `json:"speed"`
	Spin struct {
		RPM *float64 `json:"rpm"`
	} `json:"spin"`
}

type (
	rivalCount struct {
		Now *int16 `json:"plateAppearance"`
	}
	rivalPerson struct {
		ID json.Number `json:"mlbId"`
	}
)

// rivalScratch is kept from record to record, as a consumer would.
type rivalScratch[E rivalEnd] struct {
	decoder
	unmarshal func([]byte, any) error
}

// row is a row by way of structs. It takes all from the core that works on numbers, and nothing that reads
// JSON.
func (d *rivalScratch[E]) row(rec schemas.Record) (*schemas.Row, error) {
	h := readHeaders(rec.Headers)
	if _, rej := h.envelope(rec); rej != nil {
		return nil, rej
	}
	var r rivalRecord[E]
	if err := d.unmarshal(rec.Value, &r); err != nil {
		return nil, err
	}
	if r.Acts.Pitch == nil || r.Units.Length != "foot" || r.Units.Velocity != "mph" {
		return nil, errors.New("not a pitch that can be read")
	}
	b := rowBuilder{d: &d.decoder, h: h, row: new(schemas.Row), issues: h.issues}
	row := b.row
	d.values = [slotCount]value{}
	d.tracks(&r)
	b.flattenHeaders()
	r.flatten(row)
	row.BatSamples, row.BallSamples = int32(d.bat.total), int32(d.ball.total)
	row.DuplicateSamples = int32(d.bat.duplicates + d.ball.duplicates)
	d.values[pitchAction] = textValue(string(row.PitchAction))
	d.values[pitchEventID] = textValue(string(rivalText(r.Acts.Pitch.EventID)))
	b.derive(nil)
	validate(row, &b.issues)
	b.identify(rec)
	d.texts.assign()
	row.Issues = b.issues.list()
	return row, nil
}

func (d *rivalScratch[E]) tracks(r *rivalRecord[E]) {
	d.bat.reset(0)
	d.ball.reset()
	for i := range r.Bat {
		from := &r.Bat[i]
		var s batSample
		s.head, s.hasHead = from.Head.point()
		s.handle, s.hasHandle = from.Handle.point()
		if from.Time != nil {
			s.timeS = *from.Time
		}
		d.bat.add(s, from.Time != nil, from.Event == "No")
	}
	for i := range r.Ball {
		if t := r.Ball[i].Time; t != nil {
			d.ball.add(ballSample{timeS: *t, at: i}, true)
		} else {
			d.ball.add(ballSample{}, false)
		}
	}
	d.bat.settle()
	d.ball.settle()
}

func (r *rivalRecord[E]) flatten(row *schemas.Row) {
	p := r.Acts.Pitch
	row.PitchType, row.PitchResult, row.PitchAction = rivalText(p.Type), rivalText(p.Result), rivalText(p.Action)
	row.PitchSpeedMPH, row.SpinRateRPM = schemas.FromPointer(p.Speed.MPH), schemas.FromPointer(p.Spin.RPM)
	row.ExitVelocityMPH = schemas.FromPointer(r.Acts.Hit.Speed.MPH)
	row.HitSpinRPM = schemas.FromPointer(r.Acts.Hit.Spin.RPM)
	row.Balls = schemas.FromPointer(r.Score.Count.Balls.Now)
	row.Strikes = schemas.FromPointer(r.Score.Count.Strikes.Now)
	row.Outs = schemas.FromPointer(r.Score.Outs.Inning)
	if r.Score.Runs.Innings != nil {
		row.Inning = schemas.Some(int16(len(r.Score.Runs.Innings)))
	}
	if len(r.Events) == 0 {
		return
	}
	e := &r.Events[0]
	if len(e.Start.Angle) == 2 {
		row.SprayAngleDeg, row.LaunchAngleDeg = schemas.Some(e.Start.Angle[0]), schemas.Some(e.Start.Angle[1])
	}
	if !row.BatterID.Present {
		row.BatterID = rivalID(e.Person.ID)
	}
	if !row.TeamID.Present {
		row.TeamID = rivalID(e.Team.ID)
	}
}

func rivalID(n json.Number) (id schemas.Opt[int64]) {
	if v, err := n.Int64(); err == nil {
		id = schemas.Some(v)
	}
	return id
}

func rivalText(v any) schemas.Text {
	s, _ := v.(string)
	return schemas.Text(s)
}

func textValue(s string) value {
	if s == "" {
		return value{}
	}
	return value{kind: text, raw: []byte(s)}
}

// core1 returns the row with the columns that the first version of the core had.
func core1(row *schemas.Row) schemas.Row {
	kept := *row
	v := reflect.ValueOf(&kept).Elem()
	first, _ := v.Type().FieldByName("ReleaseSpeedMPH")
	for i := first.Index[0]; i < v.NumField(); i++ {
		v.Field(i).SetZero()
		name := v.Type().Field(i).Tag.Get("json")
		kept.Issues = slices.DeleteFunc(slices.Clone(kept.Issues), func(issue string) bool {
			return strings.HasPrefix(issue, name+":")
		})
	}
	return kept
}

// A comparison of speed is fair only if the rows are equal, for real records and for simulated ones. The
// rivals compute what the first version of the core did, which is less.
func TestRivalsComputeTheSameRows(t *testing.T) {
	for set, records := range decodingRecords(t) {
		for _, rival := range rivals {
			row := rival.open()
			for i, rec := range records {
				want, rej := Transform(rec, Limits{})
				if rej != nil {
					t.Fatal(rej)
				}
				got, err := row(rec)
				if err != nil {
					t.Fatalf("%s, %s record %d: %v", rival.name, set, i, err)
				}
				if diff := cmp.Diff(core1(want.Row), core1(got), cmp.Comparer(sameFloat)); diff != "" {
					t.Fatalf("%s, %s record %d: (-core +rival)\n%s", rival.name, set, i, diff)
				}
			}
		}
	}
}

func sameFloat(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
