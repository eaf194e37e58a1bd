// Package explain gathers what is known about one pitch: its versions in the raw topic, its share of the
// aggregates, and its dead letters. For the current version it has the result of each stage of the core.
//
//	search.go      finds the versions and the dead letters
//	aggregates.go  computes the aggregates without and with the pitch, by the reference model
//	plot.go        draws the swing
//	json.go        the JSON object of a pitch
//
// Find needs Kafka and Postgres; One explains a single record without any server.
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
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// Options say where to search, and how far.
type Options struct {
	Client    []kgo.Opt // how to reach the brokers
	Raw, Dead string    // topics
	Archive   string    // of the raw topic; "": none
	Postgres  pgread.Config
	Limits    features.Limits
	Registry  *schemaregistry.Client // for raw values with its prefix; nil: none
	// Window is how long before the first and after the last version in Postgres the raw topic is searched.
	Window time.Duration
	All    bool   // search every partition completely
	GamePK string // the game in whose partition a pitch is searched that Postgres does not know; "": none
	// Progress is called with the number of records read and of offsets to read.
	Progress func(done, total int64)
}

// Version is one record about the pitch.
type Version struct {
	Record    schemas.Record
	Change    schemas.Change      // zero if rejected
	Rejection *features.Rejection // nil if accepted
	Current   bool                // its register holds exactly this version
}

// Op returns the word for what the record asks for.
func (v *Version) Op() string {
	if v.Rejection != nil {
		return "rejected"
	}
	return v.Change.Op.String()
}

// Pitch is the result of Find or One.
type Pitch struct {
	ID         schemas.PitchID
	Registers  *schemas.StoredRegisters // nil: Postgres does not know the pitch
	Row        *schemas.StoredRow       // the current one; nil: there is none
	Searched   kafkaread.Spans          // of the raw topic
	Versions   []Version                // by timestamp, then by place
	Letters    []deadletter.Letter
	Aggregates *Aggregates // nil: the row has neither a batter nor a pitcher
	// Explained is the index in Versions of the one whose stages are shown: the current one, else the greatest
	// measured one; −1 if none was found.
	Explained   int
	Explanation *features.Explanation
}

// ErrUnknown is returned for a pitch that Postgres does not know and Options do not say where to search.
var ErrUnknown = errors.New("Postgres does not know this pitch")

// Find searches Kafka and Postgres for a pitch.
func Find(ctx context.Context, id schemas.PitchID, o Options) (*Pitch, error) {
	reader, err := pgread.Reach(ctx, o.Postgres)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	p := &Pitch{ID: id, Explained: -1}
	stored, err := pgbooks.New(reader.DB()).RegistersOf(ctx, []schemas.PitchID{id})
	if err != nil {
		return nil, err
	}
	if len(stored) > 0 {
		p.Registers = &stored[0]
	} else if !o.All && o.GamePK == "" {
		return nil, ErrUnknown
	}
	current, err := reader.Pitch(ctx, id)
	if err != nil {
		return nil, err
	}
	if current != nil {
		p.Row = &current.Row
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
	if p.Row != nil {
		if p.Aggregates, err = aggregates(ctx, reader, *p.Row); err != nil {
			return nil, err
		}
	}
	p.explain(o.Limits)
	return p, nil
}

// explain explains the current version, else the greatest measured one.
func (p *Pitch) explain(limits features.Limits) {
	best := -1
	for i, v := range p.Versions {
		switch {
		case v.Rejection != nil || v.Change.Op == schemas.OpIdentify:
		case best < 0, v.Current && !p.Versions[best].Current,
			v.Current == p.Versions[best].Current && v.Change.Version.Compare(p.Versions[best].Change.Version) > 0:
			best = i
		}
	}
	if best < 0 && len(p.Versions) > 0 {
		best = len(p.Versions) - 1
	}
	if best < 0 {
		return
	}
	e := features.Explain(p.Versions[best].Record, limits)
	p.Explained, p.Explanation = best, &e
}

// One explains a single record without any other. Its row is the only one of its players.
func One(rec schemas.Record, limits features.Limits) *Pitch {
	v := Version{Record: rec}
	v.Change, v.Rejection = features.Transform(rec, limits)
	p := &Pitch{ID: v.Change.PitchID, Versions: []Version{v}, Explained: -1}
	if row := v.Change.Row; row != nil {
		provenance := schemas.ProvenanceOf(v.Change, features.CoreVersion, "", 0)
		p.Row = &schemas.StoredRow{Row: *row, Provenance: provenance}
		p.Aggregates = Contribution(*p.Row, nil)
	}
	p.explain(limits)
	return p
}
