package verify

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// DeadLetters compares the rejected records with the dead letters, by the coordinates of the record.
type DeadLetters struct {
	Rejected     int64 `json:"rejected"`      // records that this build rejects
	Found        int64 `json:"letters"`       // records of the compared part with a dead letter of this group
	SinkRejected int64 `json:"sink_rejected"` // of them, records that Postgres refused
	// OtherBuild counts records that another build rejected and this one does not, or whose schema the registry
	// did not have.
	OtherBuild   int64 `json:"of_other_build"`
	NotCheckable int64 `json:"not_checkable"` // rejected records whose dead letter retention may have deleted
	// FormerTopic counts those of them that may be about a record of a former topic of the same name.
	FormerTopic int64 `json:"of_former_topic,omitempty"`
}

// place is the place of a record in the raw topic.
type place struct {
	partition int32
	offset    int64
}

// deadLetter sums up the dead letters about one record.
type deadLetter struct {
	times   int
	refused bool           // by Postgres
	failed  map[int64]bool // the timestamps of the records that were refused
	ours    bool           // written by this build, for a fault that the record still has
}

// deadLetters are the dead letters that the group wrote about records of the raw topic.
type deadLetters struct {
	kafka   Kafka
	read    kafkaread.Spans // the part of the dead-letter topic that was read
	deleted bool            // retention has deleted the first dead letters
	about   map[place]deadLetter
	former  map[int32]int64 // those below these offsets may be about a former topic of the same name
}

// update reads the dead letters that were written since the last time.
func (l *deadLetters) update(ctx context.Context, admin *kadm.Client) error {
	now, err := kafkaread.Bounds(ctx, admin, l.kafka.Dead, kgo.ReadCommitted())
	if err != nil {
		return err
	}
	for id, span := range now {
		l.deleted = l.deleted || span.From > 0
		if was, ok := l.read[id]; ok {
			span.From = max(span.From, was.To)
			now[id] = span
		}
	}
	l.read = now
	return kafkaread.Read(ctx, l.kafka.Client, l.kafka.Dead, now, func(records []*kgo.Record) error {
		for _, r := range records {
			if err := kafkaread.Load(r, 0, l.add); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *deadLetters) add(r schemas.Record) {
	f := kafkasink.DecodeFailure(r)
	if !f.FailedKnown || f.Failed.Topic != l.kafka.Raw || f.Group != l.kafka.Group {
		return
	}
	at := place{f.Failed.Partition, f.Failed.Offset}
	d := l.about[at]
	d.times++
	if f.Code == schemas.CodeSinkRejected {
		if d.failed == nil {
			d.failed = map[int64]bool{}
		}
		d.refused, d.failed[f.Failed.TimestampMS] = true, true
	}
	// The registry may have got the schema since. Then this build reads the record, and neither is wrong.
	// guard: verify: a schema that came later is no difference | !schemaregistry.IsMissing(f.Message) -> true
	d.ours = d.ours || f.Build == l.kafka.Build && !schemaregistry.IsMissing(f.Message)
	l.about[at] = d
}

// refused reports whether Postgres refused this record, so that the next lower version of its pitch is
// current. A dead letter of a former topic is about another record of the same offset.
func (l *deadLetters) refused(at place, timestampMS int64) bool {
	d := l.about[at]
	return d.refused && (at.offset >= l.former[at.partition] || d.failed[timestampMS])
}

// compare looks for the dead letter of every rejected record of the spans, and for dead letters without one.
// It waits up to three seconds for missing ones, because readers see a transaction a moment after it was
// committed.
func (l *deadLetters) compare(
	ctx context.Context, admin *kadm.Client, rejected map[place]bool, spans kafkaread.Spans,
) (DeadLetters, []schemas.Difference, error) {
	for look := 0; ; look++ {
		report, found := l.judge(rejected, spans)
		missing := report.NotCheckable > 0
		for _, d := range found {
			missing = missing || d.Kind == schemas.DiffersMissing
		}
		if !missing || look == 3 {
			return report, found, nil
		}
		if err := lifecycle.Sleep(ctx, time.Second); err != nil {
			return report, nil, err
		}
		if err := l.update(ctx, admin); err != nil {
			return report, nil, err
		}
	}
}

func (l *deadLetters) judge(
	rejected map[place]bool, spans kafkaread.Spans,
) (r DeadLetters, found []schemas.Difference) {
	add := func(kind string, at place, want, got int) {
		found = append(found, schemas.Difference{
			Kind: kind, Key: fmt.Sprintf("letter of %s/%d offset %d", l.kafka.Raw, at.partition, at.offset),
			Fields: []schemas.FieldDifference{{Name: "letters", Want: strconv.Itoa(want), Got: strconv.Itoa(got)}},
		})
	}
	for at := range rejected {
		if at.offset >= spans[at.partition].To {
			continue
		}
		r.Rejected++
		switch {
		case l.about[at].times > 0:
		case l.deleted:
			r.NotCheckable++
		default:
			add(schemas.DiffersMissing, at, 1, 0)
		}
	}
	for at, d := range l.about {
		if span := spans[at.partition]; at.offset < span.From || at.offset >= span.To {
			continue
		}
		r.Found++
		switch {
		// guard: verify: a dead letter of a former topic is no difference
		case at.offset < l.former[at.partition]:
			r.FormerTopic++
		case d.times > 1:
			add(schemas.DiffersExtra, at, 1, d.times)
		case rejected[at]:
		case d.refused:
			r.SinkRejected++
		case !d.ours:
			r.OtherBuild++
		default:
			add(schemas.DiffersExtra, at, 0, 1)
		}
	}
	return r, found
}
