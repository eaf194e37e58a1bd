package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// AccuracyOptions describe the swings over which the core is measured.
type AccuracyOptions struct {
	Pitches int
	Seed    uint64    // the same seed makes the same pitches, byte for byte
	Rates   []float64 // samples of the bat a second; each once clean and once tracked
}

// AccuracyReport says how far the core's columns are from the truth of simulated swings.
type AccuracyReport struct {
	Seed     uint64     `json:"seed"`
	Pitches  int        `json:"pitches"`
	Settings []*Setting `json:"settings"`
}

// Setting is one way in which the cameras see the same swings.
type Setting struct {
	// Name is clean for tracks as the bats moved, or tracked for tracks with the faults of real ones.
	Name string  `json:"name"`
	Hz   float64 `json:"bat_samples_per_second"`

	Swings   int `json:"swings"`   // with a track of the bat
	Measured int `json:"measured"` // of them, with a speed at contact
	Reliable int `json:"reliable"` // of these, without doubts
	// ImpossibleReliable counts lost and impossible bats among the reliable: it must be 0.
	ImpossibleReliable int `json:"impossible_reliable"`
	// SpreadTellsPct is in how many swings the error of the speed is at most 1.5 times the spread and 1 mph.
	SpreadTellsPct *float64 `json:"spread_tells_pct,omitempty"`

	Columns []*ColumnAccuracy `json:"columns"`

	spreadTells share
}

// ColumnAccuracy is how far one column is from the truth, in all rows that have it, and in those whose
// contact is reliable. Columns of the flight have no confidence, so all count as reliable.
type ColumnAccuracy struct {
	Column   string `json:"column"`
	Unit     string `json:"unit"`
	All      Errors `json:"all"`
	Reliable Errors `json:"reliable"`
}

// Errors are the differences of computed values from true ones.
type Errors struct {
	N int `json:"n"`
	// Bias and RMSE are the mean and the root of the mean square. A column without numbers has AgreePct
	// instead, the share that agrees.
	Bias     *float64 `json:"bias,omitempty"`
	RMSE     *float64 `json:"rmse,omitempty"`
	AgreePct *float64 `json:"agree_pct,omitempty"`
	// PrecisionPct is the share of what a column says is so that is, and RecallPct the share of what is so
	// that it finds. A rare value agrees nearly always.
	PrecisionPct *float64 `json:"precision_pct,omitempty"`
	RecallPct    *float64 `json:"recall_pct,omitempty"`
	// Within1 and Within2 are the shares within one and two of the row's own standard errors, in percent: 68
	// and 95 of an error that is one. Only the speed at contact has a standard error.
	Within1Pct *float64 `json:"within_1_error_pct,omitempty"`
	Within2Pct *float64 `json:"within_2_errors_pct,omitempty"`

	sum, squares      float64
	agree, one, two   share
	precision, recall share
}

// share counts.
type share struct{ is, of int }

func (s *share) add(is bool) {
	if s.of++; is {
		s.is++
	}
}

func (s *share) pct() *float64 {
	if s.of == 0 {
		return nil
	}
	return new(100 * float64(s.is) / float64(s.of))
}

// AccuracyRates are the samples of the bat a second of the published table. The records have 300. With fewer
// than 172 too few samples lie in the 35 ms before contact, so every column at contact is missing.
var AccuracyRates = []float64{300, 200, 150, 100}

// Accuracy runs the core over simulated swings and compares its rows with their truth.
func Accuracy(ctx context.Context, o AccuracyOptions) (*AccuracyReport, error) {
	report := &AccuracyReport{Seed: o.Seed, Pitches: o.Pitches}
	for i := range 2 * len(o.Rates) {
		s := &Setting{Name: "clean", Hz: o.Rates[i/2]}
		if i%2 == 1 {
			s.Name = "tracked"
		}
		games, err := simulate.New(simulate.Options{
			Seed: o.Seed, Pitches: o.Pitches, FeedIDs: true, Clean: i%2 == 0, BatRate: s.Hz,
		})
		if err != nil {
			return nil, err
		}
		for m, ok := games.Next(); ok; m, ok = games.Next() {
			c, rejected := features.Transform(recordOf(&m, 0), features.Limits{})
			if rejected != nil {
				return nil, fmt.Errorf("a simulated record was rejected: %w", rejected)
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			s.compare(m.Want.Row, c.Row, m.Want.Fault)
		}
		s.conclude()
		report.Settings = append(report.Settings, s)
	}
	return report, nil
}

// compare adds the differences of a row from its truth.
func (s *Setting) compare(truth, row *schemas.Row, fault string) {
	reliable := row.ContactConfidence == schemas.SpeedReliable
	if row.IsSwing {
		s.Swings++
	}
	if row.ContactBatSpeedMPH.Present {
		s.Measured++
		off := math.Abs(row.ContactBatSpeedMPH.Value - truth.ContactBatSpeedMPH.Value)
		s.spreadTells.add(off <= 1.5*row.ContactBatSpeedSpreadMPH.Value+1)
	}
	if reliable {
		s.Reliable++
		if fault == simulate.FaultImpossible || fault == simulate.FaultLost {
			s.ImpossibleReliable++
		}
	}
	// The first core's columns are compared with the truth at contact.
	first := *truth
	first.AttackAngleDeg, first.BatSpeedMPH = truth.ContactAttackAngleDeg, truth.ContactBatSpeedMPH
	wanted, got := first.Fields(), row.Fields()
	atContact := false
	for i := firstCompared; i < len(wanted); i++ {
		name := schemas.RowColumns[i].Name
		atContact = atContact || name == "contact_time_s"
		var standard schemas.Opt[float64]
		switch {
		case name == "contact_bat_speed_mph":
			standard = row.ContactBatSpeedErrorMPH
		case name != "attack_angle_deg" && name != "bat_speed_mph" && i < firstOfCore2:
			continue
		}
		s.column(schemas.RowColumns[i]).add(wanted[i], got[i], reliable, standard)
	}
}

// The columns that are compared: two of core 1, and those of core 2.
var firstCompared, firstOfCore2 = columnAt("attack_angle_deg"), columnAt("release_speed_mph")

func columnAt(name string) int {
	return slices.IndexFunc(schemas.RowColumns, func(c schemas.Column) bool { return c.Name == name })
}

// column returns the accuracy of a column, which it begins when it comes first.
func (s *Setting) column(c schemas.Column) *ColumnAccuracy {
	for _, a := range s.Columns {
		if a.Column == c.Name {
			return a
		}
	}
	a := &ColumnAccuracy{Column: c.Name, Unit: c.Unit}
	s.Columns = append(s.Columns, a)
	return a
}

// add compares the two values of a column, if there are two.
func (a *ColumnAccuracy) add(want, got any, reliable bool, standard schemas.Opt[float64]) {
	switch want := want.(type) {
	case *schemas.Opt[float64]:
		got := got.(*schemas.Opt[float64])
		if !want.Present || !got.Present {
			return
		}
		off := got.Value - want.Value
		if a.Unit == "degree" {
			off = math.Remainder(off, 360)
		}
		a.All.number(off, standard)
		if reliable {
			a.Reliable.number(off, standard)
		}
	case *schemas.Opt[bool]:
		if got := got.(*schemas.Opt[bool]); want.Present && got.Present {
			a.agree(want.Value == got.Value, reliable)
			a.All.yes(want.Value, got.Value)
			if reliable {
				a.Reliable.yes(want.Value, got.Value)
			}
		}
	case *schemas.Text:
		if got := got.(*schemas.Text); *want != "" && *got != "" {
			a.agree(*want == *got, reliable)
		}
	}
}

func (a *ColumnAccuracy) agree(is, reliable bool) {
	a.All.agree.add(is)
	if reliable {
		a.Reliable.agree.add(is)
	}
}

// yes counts a value that is, or is said to be, true.
func (e *Errors) yes(want, got bool) {
	if got {
		e.precision.add(want)
	}
	if want {
		e.recall.add(got)
	}
}

func (e *Errors) number(off float64, standard schemas.Opt[float64]) {
	e.N++
	e.sum, e.squares = e.sum+off, e.squares+off*off
	if standard.Present {
		e.one.add(math.Abs(off) <= standard.Value)
		e.two.add(math.Abs(off) <= 2*standard.Value)
	}
}

// conclude computes the figures, and drops the columns that are not compared.
func (s *Setting) conclude() {
	s.SpreadTellsPct = s.spreadTells.pct()
	for _, a := range s.Columns {
		a.All.conclude()
		a.Reliable.conclude()
	}
	s.Columns = slices.DeleteFunc(s.Columns, func(a *ColumnAccuracy) bool { return a.All.N == 0 })
}

func (e *Errors) conclude() {
	e.AgreePct, e.Within1Pct, e.Within2Pct = e.agree.pct(), e.one.pct(), e.two.pct()
	e.PrecisionPct, e.RecallPct = e.precision.pct(), e.recall.pct()
	if e.N > 0 {
		bias, rmse := e.sum/float64(e.N), math.Sqrt(e.squares/float64(e.N))
		e.Bias, e.RMSE = &bias, &rmse
	}
	e.N += e.agree.of
}

// Print writes two tables as Markdown: the swings of each setting, and the accuracy of each column. Settings
// without a speed at contact are only in the first.
func (r *AccuracyReport) Print(w io.Writer) {
	fmt.Fprintf(w, "Seed %d, %s simulated pitches a setting.\n", r.Seed, terminal.Count(int64(r.Pitches)))
	fmt.Fprint(w, "\n| tracks | bat samples a second | swings | with a speed at contact | reliable "+
		"| impossible and reliable | error within 1.5 × spread + 1 mph |\n"+
		"| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, s := range r.Settings {
		tells := "missing"
		if s.SpreadTellsPct != nil {
			tells = fmt.Sprintf("%.1f %%", *s.SpreadTellsPct)
		}
		fmt.Fprintf(w, "| %s | %.0f | %d | %d | %d | %d | %s |\n", s.Name, s.Hz, s.Swings, s.Measured,
			s.Reliable, s.ImpossibleReliable, tells)
	}
	measured := slices.DeleteFunc(slices.Clone(r.Settings), func(s *Setting) bool { return s.Measured == 0 })
	fmt.Fprint(w, "\n| column | unit |")
	for _, s := range measured {
		fmt.Fprintf(w, " %s, %.0f |", s.Name, s.Hz)
	}
	fmt.Fprint(w, "\n| --- | --- |", strings.Repeat(" --- |", len(measured)), "\n")
	for _, c := range r.Settings[0].Columns {
		fmt.Fprintf(w, "| `%s` | %s |", c.Column, c.Unit)
		for _, s := range measured {
			fmt.Fprintf(w, " %s |", s.text(c.Column))
		}
		fmt.Fprintln(w)
	}
}

// text returns the figures of a column in a setting as one cell: of reliable rows where contact has a
// confidence.
func (s *Setting) text(column string) string {
	i := slices.IndexFunc(s.Columns, func(a *ColumnAccuracy) bool { return a.Column == column })
	if i < 0 {
		return "missing"
	}
	e := &s.Columns[i].Reliable
	at := columnAt(column)
	// The confidence is about the contact, neither about the flight before nor about the end of the swing.
	isOfFlight := firstOfCore2 <= at && at < columnAt("contact_time_s")
	if isOfFlight || at >= columnAt("end_bat_speed_mph") {
		e = &s.Columns[i].All
	}
	switch {
	case e.isRare():
		return fmt.Sprintf("precision %.1f %%, recall %.1f %% of %d", *e.PrecisionPct, *e.RecallPct, e.recall.of)
	case e.AgreePct != nil:
		return fmt.Sprintf("%.1f %% agree", *e.AgreePct)
	case e.RMSE == nil:
		return "missing"
	}
	cell := fmt.Sprintf("%s ± %s", short(*e.Bias), short(*e.RMSE))
	if e.Within1Pct != nil {
		cell += fmt.Sprintf(" (%.0f %%, %.0f %%)", *e.Within1Pct, *e.Within2Pct)
	}
	return cell
}

// isRare reports whether fewer than one of twenty values are true. Then even a column that is always false
// agrees.
func (e *Errors) isRare() bool {
	return e.PrecisionPct != nil && e.RecallPct != nil && e.recall.of*20 < e.agree.of
}

// short returns a number with two digits that count, and 0 for one that is too small to matter.
func short(f float64) string {
	if math.Abs(f) < 1e-3 {
		return "0"
	}
	return strconv.FormatFloat(f, 'g', 2, 64)
}
