package fileoutput

import (
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// sourceColumns follow the columns of the core. The other columns of a store, such as revision and offset,
// are left out, because they have no meaning for a file or would differ between runs.
var sourceColumns = []schemas.Column{
	{
		Name: "event_time", SQL: "timestamptz", Range: "years 0001–9999", Source: "the games' log",
		Meaning: "When the pitch was thrown, to the millisecond", Missing: "where the games' log names no time",
	}, {
		Name: "source", SQL: "text", Source: "the input",
		Meaning: "File that the record stands in, as it was named", Missing: "never",
	}, {
		Name: "record", SQL: "bigint", Range: "1 and more", Source: "the input",
		Meaning: "Number of the record in that file", Missing: "never",
	},
}

// Columns are the columns of the table of rows, in order.
var Columns = slices.Concat(schemas.RowColumns, sourceColumns)

// kind is how the values of a column are written.
type kind uint8

const (
	textKind kind = iota
	dateKind      // text YYYY-MM-DD
	int16Kind
	int32Kind
	int64Kind
	floatKind
	boolKind
	timeKind // milliseconds
	listKind // of text
)

// kinds maps types of Postgres.
var kinds = map[string]kind{
	"uuid": textKind, "text": textKind, "jsonb": textKind, "date": dateKind, "smallint": int16Kind,
	"int": int32Kind, "bigint": int64Kind, "float8": floatKind, "boolean": boolKind, "timestamptz": timeKind,
	"text[]": listKind,
}

// cell is one value of a row.
type cell struct {
	present bool
	n       int64 // of whole numbers, times, booleans (0 or 1)
	f       float64
	s       string // of texts and dates
	list    []string
}

// column is a column with the function that reads its value.
type column struct {
	schemas.Column
	kind kind
	of   func(*Row) cell
}

var columns, storedColumns = tableOf(Columns), tableOf(schemas.StoredColumns)

func tableOf(described []schemas.Column) (all []column) {
	for _, c := range described {
		all = append(all, column{c, kinds[c.SQL], cells[c.Name]})
	}
	return all
}

var cells = map[string]func(*Row) cell{
	"pitch_id":          func(r *Row) cell { return cell{present: true, s: r.PitchID.String()} },
	"game_pk":           func(r *Row) cell { return text(r.GamePK) },
	"game_date":         func(r *Row) cell { return text(r.GameDate) },
	"venue":             func(r *Row) cell { return text(r.Venue) },
	"batter_id":         func(r *Row) cell { return whole(r.BatterID) },
	"pitcher_id":        func(r *Row) cell { return whole(r.PitcherID) },
	"team_id":           func(r *Row) cell { return whole(r.TeamID) },
	"inning":            func(r *Row) cell { return whole(r.Inning) },
	"balls":             func(r *Row) cell { return whole(r.Balls) },
	"strikes":           func(r *Row) cell { return whole(r.Strikes) },
	"outs":              func(r *Row) cell { return whole(r.Outs) },
	"pitch_type":        func(r *Row) cell { return text(r.PitchType) },
	"pitch_result":      func(r *Row) cell { return text(r.PitchResult) },
	"pitch_action":      func(r *Row) cell { return text(r.PitchAction) },
	"pitch_speed_mph":   func(r *Row) cell { return number(r.PitchSpeedMPH) },
	"spin_rate_rpm":     func(r *Row) cell { return number(r.SpinRateRPM) },
	"exit_velocity_mph": func(r *Row) cell { return number(r.ExitVelocityMPH) },
	"hit_spin_rpm":      func(r *Row) cell { return number(r.HitSpinRPM) },
	"launch_angle_deg":  func(r *Row) cell { return number(r.LaunchAngleDeg) },
	"spray_angle_deg":   func(r *Row) cell { return number(r.SprayAngleDeg) },
	"is_swing":          func(r *Row) cell { return truth(r.IsSwing) },
	"is_contact":        func(r *Row) cell { return truth(r.IsContact) },
	"is_whiff":          func(r *Row) cell { return truth(r.IsWhiff) },
	"swing_confidence":  func(r *Row) cell { return text(r.SwingConfidence) },
	"attack_angle_deg":  func(r *Row) cell { return number(r.AttackAngleDeg) },
	"bat_speed_mph":     func(r *Row) cell { return number(r.BatSpeedMPH) },
	"speed_confidence":  func(r *Row) cell { return text(r.SpeedConfidence) },
	"bat_samples":       func(r *Row) cell { return count(int64(r.BatSamples)) },
	"ball_samples":      func(r *Row) cell { return count(int64(r.BallSamples)) },
	"duplicate_samples": func(r *Row) cell { return count(int64(r.DuplicateSamples)) },
	"issues":            func(r *Row) cell { return cell{present: true, list: r.Issues} },
	"event_time":        func(r *Row) cell { return whole(r.EventTime) },
	"source":            func(r *Row) cell { return cell{present: true, s: r.Source} },
	"record":            func(r *Row) cell { return count(r.Record) },
	"revision":          func(r *Row) cell { return count(r.Provenance.Revision) },
	"record_ts_ms":      func(r *Row) cell { return count(r.Provenance.RecordTSMS) },
	"source_topic":      func(r *Row) cell { return cell{present: true, s: r.Provenance.SourceTopic} },
	"source_partition":  func(r *Row) cell { return count(int64(r.Provenance.SourcePartition)) },
	"source_offset":     func(r *Row) cell { return count(r.Provenance.SourceOffset) },
	"core_version":      func(r *Row) cell { return count(int64(r.Provenance.CoreVersion)) },
	"build":             func(r *Row) cell { return cell{present: true, s: r.Provenance.Build} },
	"processed_at":      func(r *Row) cell { return count(int64(r.Provenance.ProcessedAt)) },
}

func text(t schemas.Text) cell { return cell{present: t != "", s: string(t)} }

func whole[T ~int16 | ~int64](o schemas.Opt[T]) cell {
	return cell{present: o.Present, n: int64(o.Value)}
}

func count(n int64) cell { return cell{present: true, n: n} }

func number(o schemas.Opt[float64]) cell { return cell{present: o.Present, f: o.Value} }

func truth(b bool) cell { return cell{present: true, n: one(b)} }
