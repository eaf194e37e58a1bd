package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/models"
	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// modelCmd looks after the models that score the stream.
type modelCmd struct {
	Ls       modelLsCmd       `cmd:"" name:"ls" help:"List the versions of all models, or of one: kind, state, what they were trained on, figures."`
	Show     modelShowCmd     `cmd:"" help:"Show one version: figures, columns, who changed its state and when; --json with the model file."`
	Add      modelAddCmd      `cmd:"" help:"Store a model file as a candidate. A file whose columns the rows do not have is refused."`
	Fit      modelFitCmd      `cmd:"" help:"Train a model on the stored rows, and store it as a candidate: fit archetypes, fit self."`
	Refit    modelRefitCmd    `cmd:"" help:"Train a model again, hold it against the live version, and promote it within limits: for every night."`
	Promote  modelPromoteCmd  `cmd:"" help:"Let a version score the stream, from the next batch on: live, or with --shadow unseen."`
	Compare  modelCompareCmd  `cmd:"" help:"Compare what a shadow says with what the live version says about the same rows."`
	Score    modelScoreCmd    `cmd:"" help:"Score the past again with a live or shadow version, beside the stream."`
	Rollback modelRollbackCmd `cmd:"" help:"Go back: the version that was live before scores again."`
	Retire   modelRetireCmd   `cmd:"" help:"Retire a version: it scores nothing any more."`
}

// modelSettings are those of all commands on models.
type modelSettings struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
	JSON     bool            `env:"-" name:"json" help:"Print JSON instead of text."`
}

func (s modelSettings) options() models.Options {
	c := storeConfig(s.Postgres)
	return models.Options{Postgres: c}
}

type modelLsCmd struct {
	modelSettings `embed:""`
	Name          string `arg:"" optional:"" name:"NAME" help:"Only this model."`
}

// Run lists the versions.
func (c *modelLsCmd) Run(ctx context.Context, std *stdio) error {
	list, err := models.List(ctx, c.options(), c.Name)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return terminal.PrintJSON(std.Out, list)
	case len(list) == 0:
		fmt.Fprintln(std.Out, "no models: pitchstream model fit archetypes trains the first")
		return nil
	}
	return models.PrintList(std.text(), list)
}

// modelVersion names a version.
type modelVersion struct {
	Name    string `arg:"" name:"NAME" help:"The model."`
	Version int32  `arg:"" optional:"" name:"VERSION" help:"The version. Default: the live one, else the newest."`
}

type modelShowCmd struct {
	modelSettings `embed:""`
	modelVersion  `embed:""`
}

// Run shows a version.
func (c *modelShowCmd) Run(ctx context.Context, std *stdio) error {
	d, err := models.Show(ctx, c.options(), c.Name, c.Version)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return terminal.PrintJSON(std.Out, d)
	}
	return models.PrintDetail(std.text(), d)
}

type modelAddCmd struct {
	modelSettings `embed:""`
	File          string   `arg:"" name:"FILE" help:"The model file: this program's, LightGBM's text or XGBoost's JSON."`
	Name          string   `env:"-" name:"name" required:"" placeholder:"NAME" help:"The model that it is a version of."`
	Rows          string   `env:"-" name:"rows" enum:",swings,pitches" default:"" help:"Of LightGBM and XGBoost: what it scores, swings or pitches. Default: swings."`
	Labels        []string `env:"-" name:"labels" placeholder:"LABEL,…" help:"Of LightGBM and XGBoost: a name for each class. Default: none, or class 0, class 1, …"`
}

// Run stores a model file.
func (c *modelAddCmd) Run(ctx context.Context, std *stdio) error {
	file, err := fileinput.OpenFile(ctx, c.File, nil)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, scoring.MaxFileBytes+1))
	if err != nil {
		return err
	}
	how := models.AddOptions{Rows: c.Rows, Labels: c.Labels}
	added, err := models.Add(ctx, c.options(), c.Name, content, how)
	return c.printAdded(std, added, err)
}

// printAdded returns err if there is one, and otherwise prints what was stored.
func (s modelSettings) printAdded(std *stdio, a models.Added, err error) error {
	switch {
	case err != nil:
		return err
	case s.JSON:
		return terminal.PrintJSON(std.Out, a)
	case !a.IsNew:
		fmt.Fprintf(std.Out, "%s %d is the same file: nothing was stored\n", a.Name, a.Version)
		return nil
	}
	fmt.Fprintf(std.Out, "%s %d is a candidate: %s\n", a.Name, a.Version, models.FigureList(a.Figures))
	fmt.Fprintf(std.Out, "look: pitchstream model show %s %d\nuse:  pitchstream model promote %s %d\n",
		a.Name, a.Version, a.Name, a.Version)
	return nil
}

type modelFitCmd struct {
	modelSettings `embed:""`
	Kind          string    `arg:"" name:"KIND" enum:"archetypes,self" help:"archetypes: groups of swings that look alike; self: how unlike himself a player is."`
	Name          string    `env:"-" name:"name" placeholder:"NAME" help:"The model that it becomes a version of. Default: archetypes, self-batter or self-pitcher."`
	Of            string    `env:"-" name:"of" enum:"batter,pitcher" default:"batter" help:"Of self: batter (swings) or pitcher (pitches, by type). Default: batter."`
	Days          int       `env:"-" name:"days" default:"30" help:"Train on the pitches of so many days before --until. Default: 30."`
	Since         time.Time `env:"-" name:"since" placeholder:"TIME" help:"Train on the pitches from this time on, as 2025-04-01T00:00:00Z, instead of --days."`
	Until         time.Time `env:"-" name:"until" placeholder:"TIME" help:"Train on the pitches before this time. Default: now."`
	Clusters      int       `env:"-" name:"clusters" help:"Of archetypes: how many. Default: as many as are apart and stable, 2 to 8."`
	Seed          uint64    `env:"-" name:"seed" default:"1" help:"Where k-means begins: the same rows and seed give the same file. Default: 1."`
}

// Validate returns an error that says which flag is wrong.
func (c *modelFitCmd) Validate() error {
	if c.Days < 1 {
		return fmt.Errorf("--days=%d: want 1 or more", c.Days)
	}
	return nil
}

// Run trains a model.
func (c *modelFitCmd) Run(ctx context.Context, std *stdio) error {
	since := c.Since
	if since.IsZero() {
		until := c.Until
		if until.IsZero() {
			until = time.Now()
		}
		since = until.AddDate(0, 0, -c.Days)
	}
	added, err := models.Fit(ctx, c.options(), models.FitOptions{
		Name: c.Name, Kind: c.Kind, Of: c.Of, Since: since, Until: c.Until, Clusters: c.Clusters, Seed: c.Seed,
	})
	return c.printAdded(std, added, err)
}

type modelRefitCmd struct {
	modelSettings `embed:""`
	Name          string    `arg:"" name:"NAME" help:"The model. archetypes, self-batter and self-pitcher need no version yet."`
	Days          int       `env:"-" name:"days" default:"90" help:"Train on the pitches of so many days before --until. Default: 90."`
	Until         time.Time `env:"-" name:"until" placeholder:"TIME" help:"Train on the pitches before this time, as 2025-04-01T00:00:00Z. Default: now."`
	MinAgreement  float64   `name:"min-agreement" default:"0.9" placeholder:"SHARE" help:"Promote only if the candidate agrees with the live version by so much, 0 to 1: archetypes in the share of equal labels and in the adjusted Rand index, self in the rank correlation of the p-values. Default: 0.9."`
	MaxPSI        float64   `name:"max-psi" default:"0.2" placeholder:"PSI" help:"Promote only if no column has moved further since the live version was trained, by the population stability index. Default: 0.2."`
	MaxError      float64   `name:"max-calibration-error" default:"0.03" placeholder:"SHARE" help:"For self only. About 0.05 of the rows that a training has not seen should have a p-value below 0.05. Promote only if the share is no further from that. Default: 0.03."`
	Keep          int       `name:"keep-candidates" default:"14" placeholder:"N" help:"Delete the candidates of earlier refits that never scored a row, but for the newest N; 0: keep all. Default: 14."`
	PromoteFirst  bool      `env:"-" name:"promote-first" help:"Promote also where no version is live yet, and nothing can be compared."`
}

// Help is the text of model refit --help below its first line.
func (*modelRefitCmd) Help() string {
	return `
The same rows and the same live version give the same file: then there is no new version. Beyond a limit, the new version
stays a candidate, the exit status is 1, and the alert PitchstreamModelRefitHeld fires until somebody promotes or retires it.`
}

// Validate returns an error that says which flag is wrong.
func (c *modelRefitCmd) Validate() error {
	switch {
	case c.Days < 1:
		return fmt.Errorf("--days=%d: want 1 or more", c.Days)
	case !(c.MinAgreement >= 0 && c.MinAgreement <= 1):
		return fmt.Errorf("--min-agreement=%v: want a share from 0 to 1", c.MinAgreement)
	case c.Keep < 0:
		return fmt.Errorf("--keep-candidates=%d: want 0 or more", c.Keep)
	case !(c.MaxPSI >= 0):
		return fmt.Errorf("--max-psi=%v: want 0 or more", c.MaxPSI)
	case !(c.MaxError >= 0 && c.MaxError <= 1):
		return fmt.Errorf("--max-calibration-error=%v: want a share from 0 to 1", c.MaxError)
	}
	return nil
}

// Run trains a model again.
func (c *modelRefitCmd) Run(ctx context.Context, std *stdio) error {
	o := models.RefitOptions{
		Name: c.Name, Until: c.Until, PromoteFirst: c.PromoteFirst, KeepCandidates: c.Keep,
	}
	o.Limits.MinAgreement, o.Limits.MaxPSI = c.MinAgreement, c.MaxPSI
	o.Limits.MaxCalibrationError = c.MaxError
	if o.Until.IsZero() {
		o.Until = time.Now()
	}
	o.Since = o.Until.AddDate(0, 0, -c.Days)
	r, err := models.RunRefit(ctx, c.options(), o)
	switch {
	case err != nil:
		return err
	case c.JSON:
		err = terminal.PrintJSON(std.Out, r)
	default:
		err = models.PrintRefit(std.text(), r)
	}
	// guard: refit: a candidate that is held ends with 1
	if err == nil && r.Result == schemas.RefitHeld {
		return &differenceError{}
	}
	return err
}

type modelPromoteCmd struct {
	modelSettings `embed:""`
	Name          string `arg:"" name:"NAME" help:"The model."`
	Version       int32  `arg:"" optional:"" name:"VERSION" help:"The version. Default: the newest candidate or shadow."`
	Shadow        bool   `env:"-" name:"shadow" help:"Score the same rows beside the live version, and show the scores to no reader."`
}

// Run promotes a version.
func (c *modelPromoteCmd) Run(ctx context.Context, std *stdio) error {
	state := schemas.ModelLive
	if c.Shadow {
		state = schemas.ModelShadow
	}
	changed, err := models.Promote(ctx, c.options(), c.Name, c.Version, state)
	return c.printChanged(std, changed, err)
}

// printChanged returns err if there is one, and otherwise prints the new state of a version.
func (s modelSettings) printChanged(std *stdio, c models.Changed, err error) error {
	switch {
	case err != nil:
		return err
	case s.JSON:
		return terminal.PrintJSON(std.Out, c)
	}
	fmt.Fprintf(std.Out, "%s %d is %s", c.Name, c.Version, c.State)
	if c.Was > 0 {
		fmt.Fprintf(std.Out, "; %d was live", c.Was)
	}
	fmt.Fprintln(std.Out)
	return nil
}

type modelCompareCmd struct {
	modelSettings `embed:""`
	Name          string `arg:"" name:"NAME" help:"The model."`
	With          int32  `env:"-" name:"with" required:"" placeholder:"VERSION" help:"The shadow version."`
}

// Run compares a shadow with the live version.
func (c *modelCompareCmd) Run(ctx context.Context, std *stdio) error {
	r, err := models.Compare(ctx, c.options(), c.Name, c.With)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return terminal.PrintJSON(std.Out, r)
	}
	return models.PrintComparison(std.text(), r)
}

type modelScoreCmd struct {
	modelSettings `embed:""`
	Name          string          `arg:"" name:"NAME" help:"The model."`
	Version       int32           `env:"-" name:"version" placeholder:"VERSION" help:"A live or shadow version. Default: the live one."`
	Since         time.Time       `env:"-" name:"since" required:"" placeholder:"TIME" help:"Score the pitches that were thrown from this time on, as 2025-04-01T00:00:00Z."`
	Until         time.Time       `env:"-" name:"until" placeholder:"TIME" help:"Score the pitches that were thrown before this time. Default: all."`
	LiveFirst     bool            `env:"-" name:"live-first" default:"true" negatable:"" help:"Rest after each transaction, and pause while the live stream is behind. Default: on."`
	MaxLiveLag    config.Duration `env:"-" name:"max-live-lag" default:"2s" placeholder:"TIME" help:"With --live-first: pause while the oldest live record has waited for longer. Default: 2s."`
	Log           config.Log      `embed:"" group:"Logging"`
}

// Help is the text of model score --help below its first line.
func (*modelScoreCmd) Help() string {
	return `
Scores in small transactions, each of which notes how far it came. The same command goes on there after an interruption,
and begins anew once it has finished. A row that changes meanwhile keeps the score of what it is then. The scores go to
pitch_scores (of a shadow: shadow_registers), and not to the topic pitches.rows.`
}

// Validate returns an error that says which flag is wrong.
func (c *modelScoreCmd) Validate() error {
	if c.MaxLiveLag <= 0 {
		return fmt.Errorf("--max-live-lag=%v: want more than 0", time.Duration(c.MaxLiveLag))
	}
	return nil
}

// Run scores the past.
func (c *modelScoreCmd) Run(ctx context.Context, std *stdio) error {
	log, err := newLogger(std, c.Log, c)
	if err != nil {
		return err
	}
	o := models.ScoreOptions{Name: c.Name, Version: c.Version, Since: c.Since, Until: c.Until, Log: log}
	if c.LiveFirst {
		o.MaxLiveLag = time.Duration(c.MaxLiveLag)
	}
	r, err := models.Score(ctx, c.options(), o)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return terminal.PrintJSON(std.Out, r)
	}
	fmt.Fprintf(std.Out, "%s %d has gone through %s, %s of them in earlier runs\n",
		r.Name, r.Version, terminal.Counted(r.Pitches, "pitch", "pitches"), terminal.Count(r.Resumed))
	return nil
}

type modelRollbackCmd struct {
	modelSettings `embed:""`
	Name          string `arg:"" name:"NAME" help:"The model."`
}

// Run makes the version before live again.
func (c *modelRollbackCmd) Run(ctx context.Context, std *stdio) error {
	changed, err := models.Rollback(ctx, c.options(), c.Name)
	return c.printChanged(std, changed, err)
}

type modelRetireCmd struct {
	modelSettings `embed:""`
	Name          string `arg:"" name:"NAME" help:"The model."`
	Version       int32  `arg:"" name:"VERSION" help:"The version."`
}

// Run retires a version.
func (c *modelRetireCmd) Run(ctx context.Context, std *stdio) error {
	changed, err := models.Promote(ctx, c.options(), c.Name, c.Version, schemas.ModelRetired)
	return c.printChanged(std, changed, err)
}
