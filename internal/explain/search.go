package explain

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// search finds the records about one pitch.
type search struct {
	o     Options
	p     *Pitch
	admin *kadm.Client
	raw   *archive.Topic
	text  [2][]byte // the identifier, in both cases
	done  int64
	total int64
	held  int // bytes of the versions
}

// maxHeldBytes bounds the versions of a pitch that are held whole.
const maxHeldBytes = 64 << 20

func (s *search) run(ctx context.Context) error {
	s.text = [2][]byte{[]byte(s.p.ID.String()), []byte(strings.ToUpper(s.p.ID.String()))}
	s.raw = archive.NewTopic(s.o.Client, s.admin, s.o.Raw, s.o.Archive)
	parts, err := s.raw.Bounds(ctx)
	if err != nil {
		return err
	}
	if !s.o.All {
		if parts, err = s.near(ctx, parts); err != nil {
			return err
		}
	}
	s.p.Searched, s.total = parts, parts.Total()
	err = s.raw.Read(ctx, parts, func(batch []*kgo.Record) error {
		for _, r := range batch {
			limit := cmp.Or(s.o.Limits.MaxRecordBytes, features.DefaultMaxRecordBytes)
			var failed error
			err := kafkaread.Load(r, limit, func(rec schemas.Record) { failed = cmp.Or(failed, s.look(ctx, rec)) })
			if err = cmp.Or(err, failed); err != nil {
				return err
			}
		}
		s.done += int64(len(batch))
		s.o.Progress(s.done, s.total)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(s.p.Versions, func(a, b Version) int {
		return cmp.Or(
			cmp.Compare(a.Record.TimestampMS, b.Record.TimestampMS),
			cmp.Compare(a.Record.Partition, b.Record.Partition),
			cmp.Compare(a.Record.Offset, b.Record.Offset))
	})
	return s.letters(ctx)
}

// near returns the parts to search without All: the partitions of the versions in Postgres and of the game,
// and the time around those versions.
func (s *search) near(ctx context.Context, parts kafkaread.Spans) (kafkaread.Spans, error) {
	known := s.known()
	first, last := time.Now(), time.Time{}
	wanted := map[int32]bool{}
	for _, v := range known {
		wanted[v.Partition] = true
		at := time.UnixMilli(v.TimestampMS)
		if at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	key := s.o.GamePK
	if key == "" && s.p.Row != nil {
		key = string(s.p.Row.GamePK)
	}
	if key != "" {
		r := &kgo.Record{Key: []byte(key)}
		wanted[int32(kgo.StickyKeyPartitioner(nil).ForTopic(s.o.Raw).Partition(r, len(parts)))] = true
	}
	out := kafkaread.Spans{}
	for id := range wanted {
		if span, ok := parts[id]; ok {
			out[id] = span
		}
	}
	if len(known) == 0 { // only the game is known: search its whole partition
		return out, nil
	}
	from, err := s.raw.Since(ctx, out, first.Add(-s.o.Window))
	if err != nil {
		return nil, err
	}
	to, err := s.raw.Since(ctx, out, last.Add(s.o.Window))
	if err != nil {
		return nil, err
	}
	for id, span := range out {
		span.From, span.To = from[id].From, max(from[id].From, to[id].From)
		for _, v := range known { // whatever its timestamp
			if v.Partition == id && parts[id].From <= v.Offset && v.Offset < parts[id].To {
				span.From, span.To = min(span.From, v.Offset), max(span.To, v.Offset+1)
			}
		}
		out[id] = span
	}
	return out, nil
}

// known returns the versions in Postgres that came from this topic.
func (s *search) known() (out []schemas.Version) {
	if s.p.Registers == nil {
		return nil
	}
	if m := s.p.Registers.Measured; m != nil && m.Origin.Topic == s.o.Raw {
		out = append(out, m.Version)
	}
	if i := s.p.Registers.Identified; i != nil {
		out = append(out, i.Version)
	}
	return out
}

// look keeps a record that is about the pitch: the core says so, or the core rejects it and it names the
// pitch. It keeps the JSON of a value that the schema registry explains. An error is the registry's.
func (s *search) look(ctx context.Context, rec schemas.Record) (err error) {
	v := Version{}
	if v.Change, v.Rejection, err = s.o.Registry.Transform(ctx, rec, s.o.Limits); err != nil {
		return err
	}
	if rec, _, err = s.o.Registry.Plain(ctx, rec, s.o.Limits); err != nil {
		return err
	}
	v.Record = rec
	if v.Rejection != nil && !s.names(&v.Record) || v.Rejection == nil && v.Change.PitchID != s.p.ID {
		return nil
	}
	if s.held += len(rec.Value); s.held > maxHeldBytes { // the first versions of a pitch are held whole
		v.Record = kafkaread.Cut(rec, kafkaread.KeptBytes)
	} else {
		v.Record = kafkaread.Clone(rec)
	}
	v.Current = v.Rejection == nil && s.isCurrent(v.Change)
	s.p.Versions = append(s.p.Versions, v)
	return nil
}

// names reports whether the pitch's identifier is anywhere in a record.
func (s *search) names(rec *schemas.Record) bool {
	for _, h := range rec.Headers {
		if id, ok := schemas.ParsePitchID(h.Value); ok && h.Key == schemas.HeaderPitchID && id == s.p.ID {
			return true
		}
	}
	return bytes.Contains(rec.Value, s.text[0]) || bytes.Contains(rec.Value, s.text[1])
}

func (s *search) isCurrent(c schemas.Change) bool {
	if s.p.Registers == nil {
		return false
	}
	register := s.p.Registers.Measured
	if c.Op == schemas.OpIdentify {
		register = s.p.Registers.Identified
	}
	return register != nil && register.Version == c.Version
}

// A call of letters finds the dead letters about the pitch: those of its versions, and those that name it.
func (s *search) letters(ctx context.Context) error {
	desk, err := deadletter.Open(ctx, deadletter.Options{
		Client: s.o.Client, Raw: s.o.Raw, Dead: s.o.Dead, Archive: s.o.Archive, Limits: s.o.Limits,
		Registry: s.o.Registry,
	})
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	defer desk.Close()
	type place struct {
		topic     string
		partition int32
		offset    int64
	}
	ours := map[place]bool{}
	var since time.Time
	for _, v := range s.p.Versions {
		ours[place{v.Record.Topic, v.Record.Partition, v.Record.Offset}] = true
		if o := features.Origin(v.Record); o != v.Record.Coordinates {
			ours[place{o.Topic, o.Partition, o.Offset}] = true
		}
	}
	if !s.o.All { // a dead letter is written after its record
		for _, v := range s.p.Versions {
			if at := time.UnixMilli(v.Record.TimestampMS).Add(-s.o.Window); since.IsZero() || at.Before(since) {
				since = at
			}
		}
	}
	return desk.Each(ctx, deadletter.Filter{Since: since}, func(l *deadletter.Letter) (bool, error) {
		o := l.ID.Origin
		failed := place{l.Failed.Topic, l.Failed.Partition, l.Failed.Offset}
		rec := schemas.Record{Headers: l.Headers, Value: l.Value}
		if ours[place{o.Topic, o.Partition, o.Offset}] || ours[failed] || s.names(&rec) {
			s.p.Letters = append(s.p.Letters, *l)
		}
		return true, nil
	})
}
