// Package scoring is the stage behind the core: it scores rows with models. It is pure: the same row and the
// same model files give the same scores, bit for bit, on every machine of one architecture.
//
// A model file is JSON. Its head names the kind, the rows that it scores, and its columns with their units,
// which must be those of the row (File.check). Its body is that of its kind: see archetypes.go, self.go and
// trees.go. A file of another program, LightGBM's text or XGBoost's JSON, is wrapped in one (Import).
package scoring

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/internal/scoring/ensemble"
	"github.com/pitchstream/pitchstream/schemas"
)

// Format is the first member of every model file of this build.
const Format = "pitchstream model 1"

// MaxFileBytes is the greatest size of a model file.
const MaxFileBytes = 32 << 20

// Kinds of models.
const (
	KindArchetypes = "archetypes"
	KindSelf       = "self"
	KindTrees      = "trees"
)

// Kinds are the kinds of models, for messages and flags.
var Kinds = []string{KindArchetypes, KindSelf, KindTrees}

// The rows that a model scores.
const (
	RowsSwings  = "swings"  // those with is_swing
	RowsPitches = "pitches" // all
)

// Column is a column of the row that a model reads, and its unit there.
type Column struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
}

// Trained says what a model was trained on.
type Trained struct {
	Schema      string `json:"schema,omitempty"` // the target's
	CoreVersion int32  `json:"core_version,omitempty"`
	From        string `json:"from,omitempty"` // event times, RFC 3339
	To          string `json:"to,omitempty"`
	Rows        int    `json:"rows,omitempty"`
	Seed        uint64 `json:"seed,omitempty"`
	By          string `json:"by,omitempty"` // a program, if not this one
	// Inputs sum up the columns of the rows; none of a model of another program.
	Inputs []Input `json:"inputs,omitempty"`
}

// File is a model file.
type File struct {
	Format  string             `json:"format"`
	Kind    string             `json:"kind"`
	Rows    string             `json:"rows"`
	Columns []Column           `json:"columns"`
	Trained Trained            `json:"trained"`
	Figures map[string]float64 `json:"figures,omitempty"`

	Archetypes *Archetypes `json:"archetypes,omitempty"`
	Self       *Self       `json:"self,omitempty"`
	Trees      *Trees      `json:"trees,omitempty"`
}

// Encode returns the bytes of the file. The same file has the same bytes.
func (f *File) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(f, "", " ")
	return append(b, '\n'), err
}

// Parse reads a model file and checks it.
func Parse(content []byte) (*File, error) {
	if len(content) > MaxFileBytes {
		return nil, tooLarge(len(content))
	}
	if err := ensemble.CheckObjects(content); err != nil {
		return nil, fmt.Errorf("the model file: %w", err)
	}
	var f File
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("the model file is no JSON of a model: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the model file has something behind its JSON")
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	return &f, nil
}

func tooLarge(bytes int) error {
	return fmt.Errorf("the model file has %d bytes, and at most %d are allowed", bytes, MaxFileBytes)
}

func (f *File) check() error {
	if f.Format != Format {
		return fmt.Errorf("the model file's format is %q: this build reads %q", f.Format, Format)
	}
	if f.Rows != RowsSwings && f.Rows != RowsPitches {
		return fmt.Errorf("the model file's rows are %q: want %s or %s", f.Rows, RowsSwings, RowsPitches)
	}
	if len(f.Columns) == 0 || len(f.Columns) > maxColumns {
		return fmt.Errorf("the model file names %d columns: want 1 to %d", len(f.Columns), maxColumns)
	}
	// guard: models: a column that does not exist is refused | instead
	if err := checkColumns(f.Columns); err != nil {
		return err
	}
	if err := f.checkInputs(); err != nil {
		return err
	}
	var body interface{ check(columns []Column) error }
	switch {
	case f.Kind == KindArchetypes && f.Archetypes != nil:
		body = f.Archetypes
	case f.Kind == KindSelf && f.Self != nil:
		body = f.Self
	case f.Kind == KindTrees && f.Trees != nil:
		body = f.Trees
	default:
		return fmt.Errorf("the model file's kind is %q: want one of %s, with the member of that name",
			f.Kind, strings.Join(Kinds, ", "))
	}
	if err := body.check(f.Columns); err != nil {
		return fmt.Errorf("the model file's %s: %w", f.Kind, err)
	}
	return nil
}

// model is one version, ready to score.
type model struct {
	schemas.Model
	rows    string
	columns []reader
	score   func(row *schemas.Row, values []value, s *schemas.Score)
}

// Scorer scores rows with some versions of models.
type Scorer struct{ models []model }

// New makes versions of models ready. It returns nil for none. Its error names the version.
func New(versions []schemas.Model) (schemas.Scorer, error) {
	if len(versions) == 0 {
		return nil, nil
	}
	s := &Scorer{}
	for _, v := range versions {
		f, err := Parse(v.Content)
		if err != nil {
			return nil, fmt.Errorf("model %s %d cannot be used by this build: %w: "+
				"retire it, or use the build that added it", v.Name, v.Version, err)
		}
		v.Content = nil
		s.models = append(s.models, f.ready(v))
		if f.Trees != nil {
			f.Trees.Model = "" // up to 32 MiB, which the parsed trees do not need
		}
	}
	slices.SortFunc(s.models, func(a, b model) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), boolCompare(a.IsShadow, b.IsShadow),
			cmp.Compare(a.Version, b.Version))
	})
	return s, nil
}

// ready makes a file, which is checked, ready to score as the version v.
func (f *File) ready(v schemas.Model) model {
	m := model{Model: v, rows: f.Rows}
	for _, c := range f.Columns {
		m.columns = append(m.columns, readers[c.Name])
	}
	switch f.Kind {
	case KindArchetypes:
		m.score = f.Archetypes.score
	case KindSelf:
		m.score = f.Self.scorer()
	case KindTrees:
		m.score = f.Trees.scorer()
	}
	return m
}

// scoreRow writes what the model says about a row into s. values is space for its columns.
func (m *model) scoreRow(row *schemas.Row, values []value, s *schemas.Score) {
	for i, read := range m.columns {
		values[i] = read(row)
	}
	m.score(row, values[:len(m.columns)], s)
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Score returns the scores of a row by the versions that score such rows.
func (s *Scorer) Score(row *schemas.Row) []schemas.Score {
	scores := make([]schemas.Score, 0, len(s.models))
	var values [maxColumns]value
	for i := range s.models {
		m := &s.models[i]
		if m.rows == RowsSwings && !row.IsSwing {
			continue
		}
		score := schemas.Score{Model: m.Name, Version: m.Version, IsShadow: m.IsShadow}
		m.scoreRow(row, values[:], &score)
		scores = append(scores, score)
	}
	return scores
}
