package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// RefitLimits are those within which a refit promotes its candidate.
type RefitLimits struct {
	// MinAgreement is the least agreement with the live version, 0 to 1: the share of equal labels and the
	// adjusted Rand index of archetypes, the rank correlation of the p-values of self.
	MinAgreement float64
	// MaxPSI is the greatest population stability index of a column, since the live version was trained.
	MaxPSI float64
	// MaxCalibrationError is how far the share of rows with p < 0.05 may be from 0.05.
	MaxCalibrationError float64
}

// RefitOptions say what to train, and when to promote it.
type RefitOptions struct {
	Name         string
	Since, Until time.Time // the pitches to train on
	Limits       RefitLimits
	PromoteFirst bool // promote also where no version is live
	// KeepCandidates is how many candidates of earlier refits stay that never scored a row; 0: all.
	KeepCandidates int
}

// Refit is the result of a refit.
type Refit struct {
	schemas.ModelRefit
	Kind    string             `json:"kind"`
	IsNew   bool               `json:"new"` // false: a version has this file already
	Trained scoring.Trained    `json:"trained"`
	Figures map[string]float64 `json:"figures"`
	// LiveUnusual is the share of these rows that the live version of self gives a p-value below 0.05.
	// Unusual is that share by trainings that have not seen them.
	LiveUnusual schemas.Opt[float64] `json:"live_share_below_5_pct"`
	Unusual     schemas.Opt[float64] `json:"share_below_5_pct"`
	// Shift is how much greater the candidate's p-values are on average.
	Shift schemas.Opt[float64] `json:"p_value_shift"`
	// Pruned are the candidates of earlier refits that were deleted.
	Pruned []int32 `json:"pruned,omitempty"`
}

// RunRefit trains a model again, holds the result against the live version, and promotes it within the
// limits. The same rows and the same live version give the same file: then there is no new version.
func RunRefit(ctx context.Context, o Options, refit RefitOptions) (r Refit, err error) {
	e, err := o.open(ctx)
	if err != nil {
		return r, err
	}
	defer e.store.Close()
	release, isOurs, err := pgbooks.New(e.store.DB()).TryLock(ctx, "refit "+refit.Name)
	if err != nil {
		return r, err
	}
	if !isOurs {
		return r, fmt.Errorf("another refit of %s is running: wait for it", refit.Name)
	}
	defer release()
	live, liveFile, fit, err := e.toRefit(ctx, refit)
	if err != nil {
		return r, err
	}
	f, rows, err := e.train(ctx, fit)
	if err != nil {
		return r, fmt.Errorf("%s cannot be trained on the pitches from %s to %s: %w: see --days", refit.Name,
			refit.Since.UTC().Format(time.RFC3339), refit.Until.UTC().Format(time.RFC3339), err)
	}
	if liveFile != nil {
		scoring.KeepNames(f, liveFile, rows)
	}
	added, err := e.add(ctx, refit.Name, f)
	if err != nil {
		return r, err
	}
	r = Refit{Kind: f.Kind, IsNew: added.IsNew, Trained: f.Trained, Figures: f.Figures}
	r.ModelRefit = schemas.ModelRefit{
		Model: refit.Name, Version: added.Version, Live: live.Version, By: e.by,
		At: schemas.TimeMSOf(e.now()), Checks: []schemas.RefitCheck{},
	}
	if err = e.judge(ctx, &r, refit, f, liveFile, rows); err != nil {
		return r, err
	}
	if err = e.books.NoteRefit(ctx, r.ModelRefit); err != nil || refit.KeepCandidates == 0 {
		return r, err
	}
	r.Pruned, err = e.books.PruneCandidates(ctx, refit.Name, refit.KeepCandidates)
	return r, err
}

// toRefit returns the live version with its file, nil if there is none, and how to train the next one.
func (e *engine) toRefit(
	ctx context.Context, refit RefitOptions,
) (live schemas.ModelEntry, f *scoring.File, fit FitOptions, err error) {
	fit = FitOptions{Name: refit.Name, Since: refit.Since, Until: refit.Until, Seed: 1}
	m, err := e.find(ctx, refit.Name, 0)
	if errors.Is(err, pgbooks.ErrNoModel) {
		switch refit.Name {
		case scoring.KindArchetypes:
			fit.Kind = refit.Name
		case "self-" + scoring.OfBatter, "self-" + scoring.OfPitcher:
			fit.Kind, fit.Of = scoring.KindSelf, refit.Name[len("self-"):]
		default:
			return live, nil, fit, fmt.Errorf("there is no model %s to train again: "+
				"archetypes, self-batter and self-pitcher need none, others begin with `pitchstream model fit --name`",
				refit.Name)
		}
		return live, nil, fit, nil
	}
	if err != nil {
		return live, nil, fit, err
	}
	if m.Kind != scoring.KindArchetypes && m.Kind != scoring.KindSelf {
		return live, nil, fit, fmt.Errorf("%s is of the kind %s, which this program does not train: "+
			"train it where it came from, and `pitchstream model add` it", m.Name, m.Kind)
	}
	content, err := e.books.Content(ctx, m.Name, m.Version)
	if err != nil {
		return live, nil, fit, err
	}
	if f, err = scoring.Parse(content); err != nil {
		return live, nil, fit, fmt.Errorf("%s %d: %w", m.Name, m.Version, err)
	}
	fit.Kind = f.Kind
	if f.Self != nil {
		fit.Of = f.Self.Of
	} else {
		fit.Seed = f.Trained.Seed
	}
	if m.State != schemas.ModelLive {
		return live, nil, fit, nil
	}
	return m, f, fit, nil
}

// judge fills the checks and the result.
func (e *engine) judge(
	ctx context.Context, r *Refit, refit RefitOptions, f, live *scoring.File, rows []schemas.StoredRow,
) error {
	m, err := e.find(ctx, refit.Name, r.Version)
	if err != nil {
		return err
	}
	if m.State == schemas.ModelLive || m.State == schemas.ModelRetired {
		// A retired version was taken back by a person, or replaced: no night brings it back.
		r.Result = schemas.RefitUnchanged
		return nil
	}
	isWithin := true
	check := func(name, column string, value schemas.Opt[float64], limit float64, isAtMost bool) {
		ok := value.Present && (value.Value <= limit) == isAtMost || value == schemas.Some(limit)
		isWithin = isWithin && ok
		value.Value = math.Round(value.Value*1e6) / 1e6
		c := schemas.RefitCheck{Check: name, Column: column, Value: value, Limit: limit, IsWithin: ok}
		r.Checks = append(r.Checks, c)
	}
	if f.Self != nil {
		r.Unusual = scoring.Calibration(rows, f.Self.Of)
		check("calibration_error", "", scoring.CalibrationError(r.Unusual), refit.Limits.MaxCalibrationError, true)
	}
	if live != nil {
		a := scoring.Agree(live, f, rows)
		r.LiveUnusual, r.Shift = a.Unusual, a.Shift
		if f.Self != nil {
			check("rank_correlation", "", a.Rank, refit.Limits.MinAgreement, false)
		} else {
			check("equal_labels", "", schemas.Some(a.Labels), refit.Limits.MinAgreement, false)
			check("adjusted_rand", "", schemas.Some(a.Rand), refit.Limits.MinAgreement, false)
		}
		drifts, err := e.drifts(ctx, live, rows)
		if err != nil {
			return err
		}
		for _, d := range drifts {
			check("psi", d.Column, schemas.Some(d.PSI), refit.Limits.MaxPSI, true)
		}
		if len(drifts) == 0 {
			check("psi", "", schemas.Opt[float64]{}, refit.Limits.MaxPSI, true)
		}
	}
	switch {
	// guard: refit: a candidate beyond a limit is not promoted | !isWithin -> false
	case !isWithin:
		r.Result = schemas.RefitHeld
	// guard: refit: a first version waits for a person | live == nil && !refit.PromoteFirst -> false
	case live == nil && !refit.PromoteFirst:
		r.Result = schemas.RefitCandidate
	default:
		r.Result = schemas.RefitPromoted
	}
	return nil
}

// drifts says how far each column has moved since the live version was trained. If its file does not sum up
// its inputs, the rows of its period are read again. It returns none if there are none any more.
func (e *engine) drifts(
	ctx context.Context, live *scoring.File, rows []schemas.StoredRow,
) ([]scoring.Drift, error) {
	inputs := live.Trained.Inputs
	if inputs == nil {
		from, err := time.Parse(time.RFC3339Nano, live.Trained.From)
		if err != nil {
			return nil, nil //nolint:nilerr // it does not say on what it was trained
		}
		to, err := time.Parse(time.RFC3339Nano, live.Trained.To)
		if err != nil {
			return nil, nil //nolint:nilerr // as above
		}
		old, err := e.books.TrainingRows(ctx, schemas.TimeMSOf(from), schemas.TimeMSOf(to)+1, maxTrainingRows)
		if err != nil || len(old) == 0 {
			return nil, err
		}
		inputs = live.Inputs(old)
	}
	return live.Drifts(inputs, rows), nil
}

// PrintRefit writes the result of a refit as text.
func PrintRefit(out io.Writer, r Refit) error {
	fmt.Fprintf(out, "%s %d, trained on %d rows from %s to %s", r.Model, r.Version, r.Trained.Rows,
		r.Trained.From, r.Trained.To)
	if !r.IsNew {
		fmt.Fprint(out, ": the same file was there, so there is no new version")
	}
	fmt.Fprintln(out)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, c := range r.Checks {
		if i == 0 {
			fmt.Fprint(t, "CHECK\tCOLUMN\tVALUE\tLIMIT\tVERDICT\n")
		}
		verdict, limit := "within", "at most"
		switch {
		case !c.Value.Present:
			verdict = "unknown"
		case !c.IsWithin:
			verdict = "beyond"
		}
		if c.Check != "psi" && c.Check != "calibration_error" {
			limit = "at least"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s %.4g\t%s\n", c.Check, word(schemas.Text(c.Column)), figure(c.Value),
			limit, c.Limit, verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.LiveUnusual.Present {
		fmt.Fprintf(out, "share of p < 0.05: %s by %d (live), %s by trainings without these rows; "+
			"the p-values of %d are greater by %s on average\n",
			figure(r.LiveUnusual), r.Live, figure(r.Unusual), r.Version, figure(r.Shift))
	}
	text := map[string]string{
		schemas.RefitPromoted:  "%[1]s %[2]d is live now; back: pitchstream model rollback %[1]s\n",
		schemas.RefitUnchanged: "nothing changes: %[1]s %[2]d is live already, or was retired\n",
		schemas.RefitCandidate: "no version of %[1]s is live: %[1]s %[2]d waits as a candidate\n" +
			"look: pitchstream model show %[1]s %[2]d\nuse:  pitchstream model promote %[1]s %[2]d\n",
		schemas.RefitHeld: "%[1]s %[2]d stays a candidate: a check is beyond its limit\n" +
			"look:    pitchstream model promote %[1]s %[2]d --shadow, " +
			"then pitchstream model compare %[1]s --with %[2]d\n" +
			"decide:  pitchstream model promote %[1]s %[2]d, or pitchstream model retire %[1]s %[2]d\n",
	}[r.Result]
	_, err := fmt.Fprintf(out, text, r.Model, r.Version)
	for _, version := range r.Pruned {
		fmt.Fprintf(out, "deleted %s %d: a candidate of an earlier refit that never scored a row\n",
			r.Model, version)
	}
	return err
}
