package redissink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/pitchstream/pitchstream/schemas"
)

// encode gives the fields and values of a hash, in turn. A missing value has no field.
func encode(st schemas.Stats, updatedAt schemas.TimeMS) ([]any, error) {
	e := encoder{fields: make([]any, 0, 36)}
	e.int("pitches", st.Pitches)
	e.int("swing_count", st.SwingCount)
	e.int("whiff_count", st.WhiffCount)
	e.float("whiff_rate_pct", st.WhiffRatePct)
	e.int("contact_count", st.ContactCount)
	e.float("max_exit_velocity_mph", st.MaxExitVelocityMPH)
	e.float("avg_exit_velocity_mph", st.AvgExitVelocityMPH)
	e.int("hard_hit_count", st.HardHitCount)
	e.float("max_bat_speed_mph", st.MaxBatSpeedMPH)
	e.float("avg_bat_speed_mph", st.AvgBatSpeedMPH)
	e.float("avg_attack_angle_deg", st.AvgAttackAngleDeg)
	if st.LastPitch != nil {
		e.json("last_pitch", st.LastPitch)
	}
	if st.ByPitchType != nil {
		e.json("by_pitch_type", st.ByPitchType)
	}
	e.add("updated_at", updatedAt.String())
	return e.fields, e.err
}

// decode reads a hash that encode's fields were written to.
func decode(hash map[string]string) (v schemas.BatterState, err error) {
	d := decoder{hash: hash}
	v.Stats = schemas.Stats{
		Pitches:            d.int("pitches"),
		SwingCount:         d.int("swing_count"),
		WhiffCount:         d.int("whiff_count"),
		WhiffRatePct:       d.float("whiff_rate_pct"),
		ContactCount:       d.int("contact_count"),
		MaxExitVelocityMPH: d.float("max_exit_velocity_mph"),
		AvgExitVelocityMPH: d.float("avg_exit_velocity_mph"),
		HardHitCount:       d.int("hard_hit_count"),
		MaxBatSpeedMPH:     d.float("max_bat_speed_mph"),
		AvgBatSpeedMPH:     d.float("avg_bat_speed_mph"),
		AvgAttackAngleDeg:  d.float("avg_attack_angle_deg"),
	}
	d.json("last_pitch", &v.Stats.LastPitch)
	d.json("by_pitch_type", &v.Stats.ByPitchType)
	if text, ok := hash["updated_at"]; ok {
		d.failed("updated_at", v.UpdatedAt.UnmarshalJSON(strconv.AppendQuote(nil, text)))
	}
	v.Seq, v.Suspect = d.int("seq"), d.int("whole") < 0
	return v, d.err
}

type encoder struct {
	fields []any
	err    error
}

func (e *encoder) add(field, value string) { e.fields = append(e.fields, field, value) }

func (e *encoder) int(field string, v int64) { e.add(field, strconv.FormatInt(v, 10)) }

func (e *encoder) float(field string, v schemas.Opt[float64]) {
	if v.Present {
		e.add(field, shortest(v.Value))
	}
}

func (e *encoder) json(field string, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // what people read with redis-cli is no web page
	if err := enc.Encode(v); err != nil && e.err == nil {
		e.err = fmt.Errorf("%s: %w", field, err)
	}
	e.add(field, string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
}

// shortest is the shortest decimal that reads back as the same number, with an exponent only where JSON's writers have
// one: from 1e+21 and below 1e-06.
func shortest(v float64) string {
	format := byte('f')
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(v, format, -1, 64)
}

// decoder reads fields and keeps the first that cannot be read.
type decoder struct {
	hash map[string]string
	err  error
}

func (d *decoder) failed(field string, err error) {
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("field %s: %w", field, err)
	}
}

func (d *decoder) int(field string) int64 {
	text, ok := d.hash[field]
	if !ok {
		return 0
	}
	v, err := strconv.ParseInt(text, 10, 64)
	d.failed(field, err)
	return v
}

func (d *decoder) float(field string) schemas.Opt[float64] {
	text, ok := d.hash[field]
	if !ok {
		return schemas.Opt[float64]{}
	}
	v, err := strconv.ParseFloat(text, 64)
	d.failed(field, err)
	return schemas.Some(v)
}

func (d *decoder) json(field string, v any) {
	if text, ok := d.hash[field]; ok {
		d.failed(field, json.Unmarshal([]byte(text), v))
	}
}
