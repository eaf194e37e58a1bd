package features

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pitchstream/pitchstream/schemas"
)

// plainTransform is the specification word by word over a tree of maps: slow, obvious, and written without a
// look at what it checks. It gives the change, or the code of the rejection.
func plainTransform(rec schemas.Record, limits Limits) (schemas.Change, schemas.Code) {
	p := &plain{rec: rec, headers: map[string]string{}, issues: map[string]bool{}}
	for _, h := range rec.Headers {
		p.headers[h.Key] = string(h.Value)
	}
	code := p.transform(limits)
	if code != "" {
		return schemas.Change{}, code
	}
	return p.change, ""
}

type plain struct {
	rec     schemas.Record
	headers map[string]string
	issues  map[string]bool
	tree    any
	change  schemas.Change
	row     schemas.Row
}

var (
	versionForm    = regexp.MustCompile(`^1\.[0-9]+$`)
	revisionForm   = regexp.MustCompile(`^[0-9]{1,19}$`)
	digitsForm     = regexp.MustCompile(`^[0-9]+$`)
	uuidForm       = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	jsonNumberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	integerForm    = regexp.MustCompile(`^[ \t\r\n]*[+-]?[0-9]+[ \t\r\n]*$`)
	instantForm    = regexp.MustCompile(
		`^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)
)

func (p *plain) transform(limits Limits) schemas.Code {
	most := limits.MaxRecordBytes
	if most == 0 {
		most = 16 << 20
	}
	if len(p.rec.Value) > most {
		return schemas.CodeTooLarge
	}
	if v := p.headers["schema_version"]; v != "" && !versionForm.MatchString(v) {
		return schemas.CodeUnsupportedVersion
	}
	if !p.envelope() {
		return schemas.CodeSchemaViolation
	}
	if p.change.Op != schemas.OpUpsert {
		return ""
	}
	if !plainValid(p.rec.Value) {
		return schemas.CodeMalformedJSON
	}
	p.tree = plainDecode(p.rec.Value)
	if code := p.check(); code != "" {
		return code
	}
	p.fill()
	p.change.Row, p.change.PitchID = &p.row, p.row.PitchID
	return ""
}

func (p *plain) envelope() bool {
	ops := map[string]schemas.Op{
		"": schemas.OpUpsert, "upsert": schemas.OpUpsert, "delete": schemas.OpDelete, "identify": schemas.OpIdentify,
	}
	op, ok := ops[p.headers["op"]]
	if !ok {
		return false
	}
	c := &p.change
	c.Op = op
	if r := p.headers["revision"]; r != "" {
		v, err := strconv.ParseInt(r, 10, 64)
		if !revisionForm.MatchString(r) || err != nil {
			return false
		}
		c.Version.Revision = v
	}
	p.origin()
	if op == schemas.OpUpsert {
		return true
	}
	if !uuidForm.MatchString(p.headers["pitch_id"]) || len(p.rec.Value) > 0 {
		return false
	}
	c.PitchID = plainUUID(p.headers["pitch_id"])
	if op == schemas.OpIdentify {
		c.IDs = schemas.Identifiers{
			BatterID: plainIdentifier(p.headers["batter_id"]), PitcherID: plainIdentifier(p.headers["pitcher_id"]),
			TeamID:      plainIdentifier(p.headers["team_id"]),
			AtBatNumber: plainOrdinal(p.headers["at_bat_number"]), PitchNumber: plainOrdinal(p.headers["pitch_number"]),
			BatterSide: plainHand(p.headers["batter_side"]), PitcherHand: plainHand(p.headers["pitcher_hand"]),
		}
		return c.IDs.BatterID.Present || c.IDs.PitcherID.Present || c.IDs.TeamID.Present
	}
	return true
}

// plainOrdinal reads digits of a number from 1 to 999.
func plainOrdinal(s string) schemas.Opt[int16] {
	n, err := strconv.Atoi(s)
	if !regexp.MustCompile(`^[0-9]+$`).MatchString(s) || err != nil || n < 1 || n > 999 {
		return schemas.Opt[int16]{}
	}
	return schemas.Some(int16(n))
}

func plainHand(s string) schemas.Text {
	if s != "R" && s != "L" {
		return ""
	}
	return schemas.Text(s)
}

func (p *plain) origin() {
	c := &p.change
	c.Origin = p.rec.Coordinates
	topic := p.headers["dlq.origin.topic"]
	partition, err1 := strconv.ParseInt(p.headers["dlq.origin.partition"], 10, 32)
	offset, err2 := strconv.ParseInt(p.headers["dlq.origin.offset"], 10, 64)
	at, ok := plainInstant(p.headers["dlq.origin.timestamp"])
	if digitsForm.MatchString(p.headers["dlq.origin.partition"]) && digitsForm.MatchString(p.headers["dlq.origin.offset"]) &&
		err1 == nil && err2 == nil && ok && topic != "" && utf8.ValidString(topic) && !strings.Contains(topic, "\x00") {
		c.Origin = schemas.Coordinates{Topic: topic, Partition: int32(partition), Offset: offset, TimestampMS: at}
	}
	c.Origin.TimestampMS = min(max(c.Origin.TimestampMS, 0), 253402300799999)
	c.Version.TimestampMS = c.Origin.TimestampMS
	c.Version.Offset, c.Version.Partition = c.Origin.Offset, c.Origin.Partition
	c.EventTime = schemas.TimeMS(c.Origin.TimestampMS)
	if h := p.headers["event_time"]; h != "" {
		if at, ok := plainInstant(h); ok {
			c.EventTime = schemas.TimeMS(at)
		} else {
			p.issues["event_time:type"] = true
		}
	}
}

func plainInstant(s string) (int64, bool) {
	m := instantForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	// The time package takes no year 0000 with an offset that leads out of it amiss, and cuts nothing.
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
	if err != nil && len(m[5]) > 10 { // fractions longer than the package reads
		t, err = time.Parse(time.RFC3339Nano, strings.ToUpper(strings.Replace(s, m[5], m[5][:10], 1)))
	}
	if err != nil || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return 0, false
	}
	return t.UnixMilli(), true
}

func plainUUID(s string) (id schemas.PitchID) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil {
		panic(err)
	}
	return schemas.PitchID(b)
}

func plainIdentifier(v any) schemas.Opt[int64] {
	var written string
	switch v := v.(type) {
	case string:
		if !integerForm.MatchString(v) {
			return schemas.Opt[int64]{}
		}
		written = strings.Trim(v, " \t\r\n")
	case plainNumber:
		if strings.ContainsAny(v.written, ".eE") {
			if v.f != math.Trunc(v.f) || math.Abs(v.f) >= 1<<53 {
				return schemas.Opt[int64]{}
			}
			return schemas.Some(int64(v.f))
		}
		written = v.written
	default:
		return schemas.Opt[int64]{}
	}
	n, ok := new(big.Int).SetString(written, 10)
	if !ok || !n.IsInt64() {
		return schemas.Opt[int64]{}
	}
	return schemas.Some(n.Int64())
}

// at walks a path; empty is missing, which is nil.
func (p *plain) at(path string) any {
	v := p.tree
	for step := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return orMissing(v)
}

func orMissing(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
	case string:
		if v == "" {
			return nil
		}
	}
	return v
}

func (p *plain) check() schemas.Code {
	if _, ok := p.tree.(map[string]any); !ok {
		return schemas.CodeNotAPitch
	}
	if _, ok := p.at("summary_acts.pitch").(map[string]any); !ok {
		return schemas.CodeNotAPitch
	}
	for _, name := range []string{"samples_bat", "samples_ball", "events"} {
		v := p.at(name)
		list, ok := v.([]any)
		if v != nil && !ok {
			return schemas.CodeSchemaViolation
		}
		for _, e := range list {
			if _, ok := e.(map[string]any); !ok {
				return schemas.CodeSchemaViolation
			}
		}
	}
	if v := p.at("units.length"); v != nil && v != "foot" {
		return schemas.CodeUnsupportedUnits
	}
	if v := p.at("units.velocity"); v != nil && v != "mph" {
		return schemas.CodeUnsupportedUnits
	}
	return ""
}

func (p *plain) issue(column, what string) { p.issues[column+":"+what] = true }

func (p *plain) text(column string, v any) schemas.Text {
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok || len(s) > 200 {
		p.issue(column, "type")
		return ""
	}
	return schemas.Text(s)
}

func (p *plain) number(column string, v any) schemas.Opt[float64] {
	if v == nil {
		return schemas.Opt[float64]{}
	}
	n, ok := v.(plainNumber)
	if !ok {
		p.issue(column, "type")
		return schemas.Opt[float64]{}
	}
	return schemas.Some(n.f)
}

func (p *plain) within(column string, v schemas.Opt[float64], low, high float64) schemas.Opt[float64] {
	if v.Present && !(low <= v.Value && v.Value <= high) {
		p.issue(column, "range")
		return schemas.Opt[float64]{}
	}
	return v
}

// inMiles is missing if the speed is the one that the record has in another unit.
func (p *plain) inMiles(column, act string, mph schemas.Opt[float64]) schemas.Opt[float64] {
	if !mph.Present || mph.Value < 10 {
		return mph
	}
	kph, isKPH := p.at("summary_acts." + act + ".speed.kph").(plainNumber)
	mps, isMPS := p.at("summary_acts." + act + ".speed.mps").(plainNumber)
	same := func(ok bool, other, v, off float64) bool { return ok && math.Abs(v-other) <= off }
	swapped := same(isKPH, kph.f, mph.Value/1.609344, 0.5+0.5/1.609344) &&
		same(isMPS, mps.f, mph.Value/3.6, 0.5+0.5/3.6)
	if swapped || same(isKPH, kph.f, mph.Value, 0.5) || same(isMPS, mps.f, mph.Value, 0.5) {
		p.issue(column, "unit")
		return schemas.Opt[float64]{}
	}
	return mph
}

func (p *plain) integral(column, path string, most float64) schemas.Opt[int16] {
	v := p.number(column, p.at(path))
	if v.Present && v.Value != math.Floor(v.Value) {
		p.issue(column, "type")
		return schemas.Opt[int16]{}
	}
	if v = p.within(column, v, 0, most); !v.Present {
		return schemas.Opt[int16]{}
	}
	return schemas.Some(int16(v.Value))
}

func (p *plain) identifier(column, path string) schemas.Opt[int64] {
	if h := p.headers[column]; h != "" {
		if id := plainIdentifier(h); id.Present {
			return id
		}
		p.issue(column, "type")
	}
	if path == "" {
		return schemas.Opt[int64]{}
	}
	v := p.at(path)
	id := plainIdentifier(v)
	if v != nil && !id.Present {
		p.issue(column, "type")
	}
	return id
}

func (p *plain) fill() {
	r := &p.row
	p.fillHeaders()
	p.fillScore()
	pitch := "summary_acts.pitch."
	r.PitchType = p.text("pitch_type", p.at(pitch+"type"))
	r.PitchAction = p.text("pitch_action", p.at(pitch+"action"))
	r.PitchResult = p.text("pitch_result", p.at(pitch+"result"))
	if r.PitchResult != "" && !slices.Contains([]schemas.Text{"Strike", "Ball", "HitIntoPlay", "Pickoff"}, r.PitchResult) {
		p.issue("pitch_result", "unknown")
		r.PitchResult = ""
	}
	exit := p.number("exit_velocity_mph", p.at("summary_acts.hit.speed.mph"))
	r.PitchSpeedMPH = p.inMiles("pitch_speed_mph", "pitch", p.number("pitch_speed_mph", p.at(pitch+"speed.mph")))
	r.PitchSpeedMPH = p.within("pitch_speed_mph", r.PitchSpeedMPH, 50, 110)
	r.SpinRateRPM = p.within("spin_rate_rpm", p.number("spin_rate_rpm", p.at(pitch+"spin.rpm")), 500, 4000)
	r.ExitVelocityMPH = p.within("exit_velocity_mph", p.inMiles("exit_velocity_mph", "hit", exit), 0, 125)
	r.HitSpinRPM = p.within("hit_spin_rpm", p.number("hit_spin_rpm", p.at("summary_acts.hit.spin.rpm")), 0, 10000)
	p.fillAngles()
	p.fillSwing(exit.Present)
	p.fillContact(r.ExitVelocityMPH)
	p.fillIdentity()
	r.Issues = make([]string, 0)
	for i := range p.issues {
		r.Issues = append(r.Issues, i)
	}
	sort.Strings(r.Issues)
}

func (p *plain) fillHeaders() {
	r := &p.row
	if d := p.headers["game_date"]; d != "" {
		if t, err := time.Parse(time.DateOnly, d); err == nil && t.Year() >= 1800 {
			r.GameDate = schemas.Text(d)
		} else {
			p.issue("game_date", "type")
		}
	}
	if v := p.headers["venue"]; v != "" {
		if utf8.ValidString(v) && !strings.Contains(v, "\x00") && len(v) <= 64 {
			r.Venue = schemas.Text(v)
		} else {
			p.issue("venue", "type")
		}
	}
	r.BatterID = p.identifier("batter_id", "events.0.personId.mlbId")
	r.PitcherID = p.identifier("pitcher_id", "")
	r.TeamID = p.identifier("team_id", "events.0.teamId.mlbId")
}

func (p *plain) fillScore() {
	r := &p.row
	if v := p.at("summary_score.runs.innings"); v != nil {
		switch list, ok := v.([]any); {
		case !ok:
			p.issue("inning", "type")
		case len(list) > 50:
			p.issue("inning", "range")
		default:
			r.Inning = schemas.Some(int16(len(list)))
		}
	}
	r.Balls = p.integral("balls", "summary_score.count.balls.plateAppearance", 4)
	r.Strikes = p.integral("strikes", "summary_score.count.strikes.plateAppearance", 3)
	r.Outs = p.integral("outs", "summary_score.outs.inning", 3)
}

func (p *plain) fillAngles() {
	v := p.at("events.0.start.angle")
	if v == nil {
		return
	}
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		p.issue("spray_angle_deg", "type")
		p.issue("launch_angle_deg", "type")
		return
	}
	one := func(column string, v any, limit float64) schemas.Opt[float64] {
		n, ok := v.(plainNumber)
		if !ok {
			p.issue(column, "type")
			return schemas.Opt[float64]{}
		}
		if unit := p.at("units.angle"); unit != nil && unit != "degree" {
			p.issue(column, "unit")
			return schemas.Opt[float64]{}
		}
		return p.within(column, schemas.Some(n.f), -limit, limit)
	}
	p.row.SprayAngleDeg = one("spray_angle_deg", pair[0], 180)
	p.row.LaunchAngleDeg = one("launch_angle_deg", pair[1], 90)
}

func (p *plain) fillIdentity() {
	game := p.headers["game_pk"]
	for _, c := range []string{p.headers["game_pk"], string(p.rec.Key)} {
		control := strings.ContainsFunc(c, func(r rune) bool { return r < 0x20 || r == 0x7f })
		game = ""
		if c != "" && len(c) <= 64 && utf8.ValidString(c) && !control {
			game = c
			break
		}
		if c != "" {
			p.issue("game_pk", "type")
		}
	}
	p.row.GamePK = schemas.Text(game)
	if h := p.headers["pitch_id"]; uuidForm.MatchString(h) {
		p.row.PitchID = plainUUID(h)
		return
	} else if h != "" {
		p.issue("pitch_id", "type")
	}
	v := p.at("summary_acts.pitch.eventId")
	event, ok := v.(string)
	if v != nil && !ok {
		p.issue("pitch_id", "type")
	}
	if uuidForm.MatchString(event) {
		p.row.PitchID = plainUUID(event)
		return
	}
	if event == "" {
		event = fmt.Sprintf("%x", sha256.Sum256(p.rec.Value))
	}
	space := plainUUID("6f1d3b52-5a0e-5c7e-9b7a-2f6f0b6c9d11")
	sum := sha1.Sum([]byte(string(space[:]) + game + "\n" + event))
	id := schemas.PitchID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	p.row.PitchID = id
}
