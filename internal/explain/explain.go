// Package explain gathers all that is known of one pitch: every version of it in the raw topic, what each stage of the
// core makes of the one that stands, what the row adds to the aggregates, and its dead letters.
//
//	search.go      the versions, from the raw topic
//	aggregates.go  before and after the pitch, by the plain model
//	plot.go        a picture of the swing
package explain

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Store is the store of record, as far as a pitch is looked at.
type Store interface {
	// RegistersOf gives both registers of some pitches.
	RegistersOf(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRegisters, error)
	// Pitch gives the row that stands; nil where none does.
	Pitch(ctx context.Context, id schemas.PitchID) (*schemas.StoredRow, error)
	// BatterPitches gives a batter's rows, the newest first.
	BatterPitches(ctx context.Context, batter int64, after *schemas.PitchCursor, limit int) ([]schemas.StoredRow, error)
}

// Options say where to look, and how far.
type Options struct {
	Client    []kgo.Opt // how to reach the brokers
	Raw, Dead string    // topics
	Store     Store
	Limits    features.Limits
	// Window is how long before the first and after the last known version the raw topic is searched.
	Window time.Duration
	All    bool   // search the whole topic, every partition
	GamePK string // where to search for a pitch that Postgres does not know; "": it is not searched for
	// Progress is called with the records that were read, and how many there are; nil: by nobody.
	Progress func(done, total int64)
}

// Version is one record about the pitch.
type Version struct {
	At        schemas.Coordinates
	Key       []byte
	Headers   []schemas.Header
	Value     []byte
	Change    schemas.Change      // where it is one
	Rejection *features.Rejection // where it is none
	Stands    bool                // its register holds exactly this version
}

// Op is what the record asks for.
func (v *Version) Op() string {
	if v.Rejection != nil {
		return "rejected"
	}
	return v.Change.Op.String()
}

// Record is the version as the core sees it.
func (v *Version) Record() schemas.Record {
	return schemas.Record{Coordinates: v.At, Key: v.Key, Headers: v.Headers, Value: v.Value}
}

// Pitch is all that was found.
type Pitch struct {
	ID         schemas.PitchID
	Registers  *schemas.StoredRegisters // nil: Postgres has never seen it
	Row        *schemas.StoredRow       // that stands; nil: none does
	Searched   kafkaread.Spans          // of the raw topic
	Versions   []Version                // as they stand in the topic
	Letters    []deadletter.Letter
	Aggregates *Aggregates // nil: the row counts nowhere
	// Explained is the version whose stages are shown, in Versions: the one that stands, else the greatest measured one;
	// −1: there is none in the part that was searched.
	Explained   int
	Explanation *features.Explanation
}

// ErrUnknown says that nothing is known of a pitch.
var ErrUnknown = errors.New("Postgres does not know this pitch: name its game with --game, or search everything with --all")

// Find gathers what is known.
func Find(ctx context.Context, id schemas.PitchID, o Options) (*Pitch, error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	p := &Pitch{ID: id, Explained: -1}
	stored, err := o.Store.RegistersOf(ctx, []schemas.PitchID{id})
	if err != nil {
		return nil, err
	}
	if len(stored) > 0 {
		p.Registers = &stored[0]
	} else if !o.All && o.GamePK == "" {
		return nil, ErrUnknown
	}
	if p.Row, err = o.Store.Pitch(ctx, id); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(o.Client...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	s := &search{o: o, p: p, admin: kadm.NewClient(client)}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	if p.Row != nil && p.Row.BatterID.Present {
		if p.Aggregates, err = aggregates(ctx, o.Store, *p.Row); err != nil {
			return nil, err
		}
	}
	p.explain(o.Limits)
	return p, nil
}

// explain picks the version that stands, else the greatest measured one.
func (p *Pitch) explain(limits features.Limits) {
	best := -1
	for i, v := range p.Versions {
		switch {
		case v.Rejection != nil || v.Change.Op == schemas.OpIdentify:
		case best < 0, v.Stands && !p.Versions[best].Stands,
			v.Stands == p.Versions[best].Stands && v.Change.Version.Compare(p.Versions[best].Change.Version) > 0:
			best = i
		}
	}
	if best < 0 && len(p.Versions) > 0 {
		best = len(p.Versions) - 1
	}
	if best < 0 {
		return
	}
	e := features.Explain(p.Versions[best].Record(), limits)
	p.Explained, p.Explanation = best, &e
}

// One explains a single record, without any server: its row adds to nothing that stands.
func One(v Version, limits features.Limits) *Pitch {
	v.Change, v.Rejection = features.Transform(v.Record(), limits)
	p := &Pitch{ID: v.Change.PitchID, Versions: []Version{v}, Explained: -1}
	if row := v.Change.Row; row != nil {
		p.Row = &schemas.StoredRow{Row: *row, Provenance: schemas.ProvenanceOf(v.Change, features.CoreVersion, "", 0)}
		p.Aggregates = Contribution(*p.Row, nil)
	}
	p.explain(limits)
	return p
}
