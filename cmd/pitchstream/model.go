package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
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
	Promote  modelPromoteCmd  `cmd:"" help:"Have a version score the stream, from the next batch on: live, or with --shadow unseen."`
	Compare  modelCompareCmd  `cmd:"" help:"Compare what a shadow says with what the live version says about the same rows."`
	Score    modelScoreCmd    `cmd:"" help:"Score the past again with a live or shadow version, beside the stream."`
	Rollback modelRollbackCmd `cmd:"" help:"Have the version score again that was live before."`
	Retire   modelRetireCmd   `cmd:"" help:"Have a version score nothing any more."`
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
	t := tabwriter.NewWriter(std.text(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODEL\tVERSION\tKIND\tSTATE\tADDED\tBY\tTRAINED ON\tFIGURES")
	for _, m := range list {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.Version, m.Kind, m.State,
			m.AddedAt.Time().Format("2006-01-02 15:04"), m.AddedBy, trainedText(m.Trained), figuresText(m.Figures))
	}
	return t.Flush()
}

func trainedText(raw json.RawMessage) string {
	var t scoring.Trained
	if json.Unmarshal(raw, &t) != nil || t.Rows == 0 {
		return t.By
	}
	day := func(s string) string { s, _, _ = strings.Cut(s, "T"); return s }
	return fmt.Sprintf("%s, %s to %s, core %d",
		terminal.Counted(int64(t.Rows), "row"), day(t.From), day(t.To), t.CoreVersion)
}

func figuresText(raw json.RawMessage) string {
	var figures map[string]float64
	if json.Unmarshal(raw, &figures) != nil {
		return ""
	}
	return figureList(figures)
}

func figureList(figures map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		parts = append(parts, fmt.Sprintf("%s %.4g", name, figures[name]))
	}
	return strings.Join(parts, ", ")
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
	out := std.text()
	fmt.Fprintf(out, "%s %d: %s, %s\n", d.Name, d.Version, d.Kind, d.State)
	fmt.Fprintf(out, "  content  %s, sha256 %s\n", terminal.Counted(d.Bytes, "byte"), d.SHA256)
	fmt.Fprintf(out, "  trained  %s\n  figures  %s\n", trainedText(d.Trained), figuresText(d.Figures))
	for _, column := range d.Columns {
		fmt.Fprintf(out, "  reads    %s %s\n", column.Name, column.Unit)
	}
	for _, change := range d.Changes {
		fmt.Fprintf(out, "  %s  %s, by %s\n", change.At.Time().Format(time.RFC3339), change.State, change.By)
	}
	printClusters(out, d.Content)
	return nil
}

func printClusters(out io.Writer, content []byte) {
	f, err := scoring.Parse(content)
	if err != nil || f.Archetypes == nil {
		return
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "ARCHETYPE\tSHARE")
	for _, c := range f.Columns {
		fmt.Fprintf(t, "\t%s", c.Name)
	}
	fmt.Fprintln(t)
	for _, cluster := range f.Archetypes.Clusters {
		fmt.Fprintf(t, "%s\t%.0f %%", cluster.Name, 100*cluster.Share)
		for i, z := range cluster.Center {
			fmt.Fprintf(t, "\t%.4g", f.Archetypes.Mean[i]+z*f.Archetypes.Scale[i])
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
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
	file, err := os.Open(c.File)
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
	fmt.Fprintf(std.Out, "%s %d is a candidate: %s\n", a.Name, a.Version, figureList(a.Figures))
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
	fmt.Fprintf(std.Out, "%s %d has scored: %s looked at, %s of them before this run\n",
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
