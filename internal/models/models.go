// Package models keeps the versions of models: it lists, adds, trains, promotes and compares them, and scores
// the past with them. Each function opens its own connections and closes them before it returns.
//
// The package internal/scoring says what a model says about a row, and sink/pgsink scores a batch in its
// transaction.
package models

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"regexp"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// Options say where the models are, and who asks.
type Options struct {
	Postgres pgsink.Config
	By       string           // who changes something; "": the user of this process
	Now      func() time.Time // nil: time.Now
}

// engine is an open store.
type engine struct {
	store *pgsink.Sink
	books pgbooks.Models
	by    string
	now   func() time.Time
}

// open opens the store. The caller must close e.store.
func (o Options) open(ctx context.Context) (*engine, error) {
	o.Postgres.NewScorer = scoring.New
	store, err := pgsink.Reach(ctx, o.Postgres)
	if err != nil {
		return nil, err
	}
	e := &engine{store: store, books: pgbooks.NewModels(store.DB()), by: cmp.Or(o.By, whoAmI()), now: o.Now}
	if e.now == nil {
		e.now = time.Now
	}
	return e, nil
}

func whoAmI() string {
	name := "unknown"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// List returns all versions, of one model if name is not "", sorted by name and version.
func List(ctx context.Context, o Options, name string) ([]schemas.ModelEntry, error) {
	e, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	defer e.store.Close()
	all, err := e.books.List(ctx)
	if name != "" {
		all = slices.DeleteFunc(all, func(m schemas.ModelEntry) bool { return m.Name != name })
	}
	return all, err
}

// Detail is all that is known of a version.
type Detail struct {
	schemas.ModelEntry
	Changes []schemas.ModelChange `json:"changes"`
	Refits  []schemas.ModelRefit  `json:"refits"` // that gave this file, the newest first
	Columns []scoring.Column      `json:"columns"`
	Content json.RawMessage       `json:"content"`
}

// Show returns a version with its content. Version 0 is the live one, else the newest.
func Show(ctx context.Context, o Options, name string, version int32) (d Detail, err error) {
	e, err := o.open(ctx)
	if err != nil {
		return d, err
	}
	defer e.store.Close()
	if d.ModelEntry, err = e.find(ctx, name, version); err != nil {
		return d, err
	}
	changes, err := e.books.Changes(ctx, name)
	if err != nil {
		return d, err
	}
	d.Changes = slices.DeleteFunc(changes, func(c schemas.ModelChange) bool { return c.Version != d.Version })
	if d.Refits, err = e.books.Refits(ctx, name, d.Version); err != nil {
		return d, err
	}
	content, err := e.books.Content(ctx, name, d.Version)
	if err != nil {
		return d, err
	}
	f, err := scoring.Parse(content)
	if err == nil {
		d.Columns = f.Columns
	}
	d.Content = content
	return d, err
}

// find returns a version; for 0 the live one, else the newest.
func (e *engine) find(ctx context.Context, name string, version int32) (found schemas.ModelEntry, err error) {
	all, err := e.books.List(ctx)
	if err != nil {
		return found, err
	}
	for _, m := range all {
		isBetter := version == 0 && (found.State != schemas.ModelLive) || version == m.Version
		if m.Name == name && isBetter {
			found = m
		}
	}
	if found.Name == "" {
		return found, fmt.Errorf("%s %d: %w", name, version, pgbooks.ErrNoModel)
	}
	return found, nil
}

// Added is the result of Add and Fit.
type Added struct {
	Name    string             `json:"name"`
	Version int32              `json:"version"`
	Kind    string             `json:"kind"`
	IsNew   bool               `json:"new"` // false: the model has this file already
	Trained scoring.Trained    `json:"trained"`
	Figures map[string]float64 `json:"figures"`
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// CheckName returns an error for a name that no model may have.
func CheckName(name string) error {
	if !plainName.MatchString(name) {
		return fmt.Errorf("a model cannot be named %q: want 1–63 lower-case letters, digits, - and _",
			name)
	}
	return nil
}

// AddOptions say what a file of LightGBM or XGBoost does not.
type AddOptions struct {
	Rows   string   // swings or pitches; "": swings
	Labels []string // of the classes
}

// Add stores a model file, or one of LightGBM or XGBoost, as a candidate. It refuses a file that this build
// cannot score with.
func Add(ctx context.Context, o Options, name string, content []byte, add AddOptions) (Added, error) {
	f, err := scoring.Import(content, add.Rows, add.Labels)
	if err != nil {
		return Added{}, err
	}
	e, err := o.open(ctx)
	if err != nil {
		return Added{}, err
	}
	defer e.store.Close()
	return e.add(ctx, name, f)
}

func (e *engine) add(ctx context.Context, name string, f *scoring.File) (a Added, err error) {
	if err := CheckName(name); err != nil {
		return a, err
	}
	content, err := f.Encode()
	if err != nil {
		return a, err
	}
	if len(content) > scoring.MaxFileBytes {
		return a, fmt.Errorf("the model takes %d bytes, and at most %d are allowed",
			len(content), scoring.MaxFileBytes)
	}
	trained, err := json.Marshal(f.Trained)
	if err != nil {
		return a, err
	}
	if f.Figures == nil {
		f.Figures = map[string]float64{}
	}
	figures, err := json.Marshal(f.Figures)
	if err != nil {
		return a, err
	}
	entry := schemas.ModelEntry{Name: name, Kind: f.Kind, Trained: trained, Figures: figures, AddedBy: e.by}
	a = Added{Name: name, Kind: f.Kind, Trained: f.Trained, Figures: f.Figures}
	a.Version, a.IsNew, err = e.books.Add(ctx, entry, content)
	return a, err
}

// FitOptions say what to train.
type FitOptions struct {
	Name     string // of the model; "": that of the kind
	Kind     string // archetypes or self
	Of       string // of self: batter or pitcher
	Since    time.Time
	Until    time.Time // zero: now
	Clusters int       // of archetypes; 0: as many as serve best
	Seed     uint64
}

// maxTrainingRows bounds what training holds in memory: a season has 700,000 pitches.
const maxTrainingRows = 1_000_000

// Fit trains a model on stored rows and stores it as a candidate.
func Fit(ctx context.Context, o Options, fit FitOptions) (Added, error) {
	if err := CheckName(fit.name()); err != nil {
		return Added{}, err
	}
	e, err := o.open(ctx)
	if err != nil {
		return Added{}, err
	}
	defer e.store.Close()
	f, _, err := e.train(ctx, fit)
	if err != nil {
		return Added{}, err
	}
	return e.add(ctx, fit.name(), f)
}

func (fit FitOptions) name() string {
	if fit.Kind == scoring.KindSelf {
		return cmp.Or(fit.Name, "self-"+fit.Of)
	}
	return cmp.Or(fit.Name, fit.Kind)
}

// train trains a model, and returns the rows that it was given, too.
func (e *engine) train(ctx context.Context, fit FitOptions) (*scoring.File, []schemas.StoredRow, error) {
	until := fit.Until
	if until.IsZero() {
		until = e.now()
	}
	if !fit.Since.Before(until) {
		return nil, nil, errors.New("the time to train on is empty: want --since before --until")
	}
	rows, err := e.books.TrainingRows(ctx, schemas.TimeMSOf(fit.Since), schemas.TimeMSOf(until), maxTrainingRows)
	if err != nil {
		return nil, nil, err
	}
	var f *scoring.File
	switch fit.Kind {
	case scoring.KindArchetypes:
		f, err = scoring.FitArchetypes(rows, fit.Clusters, fit.Seed)
	case scoring.KindSelf:
		f, err = scoring.FitSelf(rows, fit.Of)
	default:
		err = fmt.Errorf("this program trains archetypes and self, and no %q: "+
			"docs/MODELS.md shows how to bring one of Python", fit.Kind)
	}
	if err != nil {
		return nil, nil, err
	}
	f.Trained.Schema = e.store.DB().Config.Schema
	return f, rows, nil
}

// Changed is the result of a change of states.
type Changed struct {
	Name    string `json:"name"`
	Version int32  `json:"version"`
	State   string `json:"state"`
	Was     int32  `json:"was,omitempty"` // the version that was live before
}

// Promote makes a version live, or a shadow. Version 0 is the newest candidate or shadow. The rows of all
// batches that read the models after it has returned are scored by it.
func Promote(
	ctx context.Context, o Options, name string, version int32, state string,
) (c Changed, err error) {
	e, err := o.open(ctx)
	if err != nil {
		return c, err
	}
	defer e.store.Close()
	if version == 0 {
		if version, err = e.newest(ctx, name, state); err != nil {
			return c, err
		}
	}
	content, err := e.books.Content(ctx, name, version)
	if err != nil {
		return c, err
	}
	if content != nil && state != schemas.ModelRetired {
		if err := canScore(content); err != nil {
			return c, err
		}
	}
	c = Changed{Name: name, Version: version, State: state}
	c.Was, err = e.books.SetState(ctx, name, version, state, e.by)
	return c, err
}

// canScore returns an error for a model file that this build cannot score with, because processors of this
// build would stop at it.
func canScore(content []byte) error {
	// guard: models: what this build cannot score with does not stop the stream | scoring.Parse(content) -> any(nil), error(nil)
	_, err := scoring.Parse(content)
	return err
}

// newest returns the newest version that may get the state.
func (e *engine) newest(ctx context.Context, name, state string) (version int32, err error) {
	all, err := e.books.List(ctx)
	for _, m := range all {
		fits := m.State == schemas.ModelCandidate || state == schemas.ModelLive && m.State == schemas.ModelShadow
		if m.Name == name && fits {
			version = m.Version
		}
	}
	if err == nil && version == 0 {
		err = fmt.Errorf("%s has no candidate: give a version (`pitchstream model ls` lists them), or train one", name)
	}
	return version, err
}

// Rollback makes the version live that was live before.
func Rollback(ctx context.Context, o Options, name string) (c Changed, err error) {
	e, err := o.open(ctx)
	if err != nil {
		return c, err
	}
	defer e.store.Close()
	c = Changed{Name: name, State: schemas.ModelLive}
	c.Version, c.Was, err = e.books.Rollback(ctx, name, e.by, canScore)
	return c, err
}
