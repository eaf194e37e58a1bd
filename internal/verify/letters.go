package verify

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// place is a record of the raw topic.
type place struct {
	partition int32
	offset    int64
}

// letter is what is kept of the dead letters about one record.
type letter struct {
	times int
	sink  bool // the store refused it
	ours  bool // this build wrote it
}

// letterBook holds the group's letters about records of the raw topic.
type letterBook struct {
	o       Options
	admin   *kadm.Client
	read    kafkaread.Spans // up to where the dead-letter topic was read
	dropped bool            // its first letters are gone
	letters map[place]letter
}

func openLetters(o Options, admin *kadm.Client) *letterBook {
	return &letterBook{o: o, admin: admin, read: kafkaread.Spans{}, letters: map[place]letter{}}
}

// update reads what has come since the last time.
func (b *letterBook) update(ctx context.Context) error {
	now, err := kafkaread.Bounds(ctx, b.admin, b.o.Dead, kgo.ReadCommitted())
	if err != nil {
		return err
	}
	for id, span := range now {
		b.dropped = b.dropped || span.From > 0
		if was, ok := b.read[id]; ok {
			span.From = max(span.From, was.To)
			now[id] = span
		}
	}
	b.read = now
	return kafkaread.Read(ctx, b.o.Client, b.o.Dead, now, func(records []*kgo.Record) error {
		for _, r := range records {
			b.note(r)
		}
		return nil
	})
}

func (b *letterBook) note(r *kgo.Record) {
	f := kafkasink.DecodeFailure(kafkaread.Record(r))
	if !f.FailedKnown || f.Failed.Topic != b.o.Raw || f.Group != b.o.Group {
		return
	}
	at := place{f.Failed.Partition, f.Failed.Offset}
	l := b.letters[at]
	l.times++
	l.sink = l.sink || f.Code == schemas.CodeSinkRejected
	l.ours = l.ours || f.Build == b.o.Build
	b.letters[at] = l
}

// refused says that the store would not take this record: the next lower version stands.
func (b *letterBook) refused(at place) bool { return b.letters[at].sink }

// compare holds the rejected records below the committed offsets against the letters.
func (b *letterBook) compare(ctx context.Context, rejected map[place]bool, parts kafkaread.Spans) (Letters, []schemas.Difference, error) {
	lost := func() (n int) {
		for at := range rejected {
			if at.offset < parts[at.partition].To && b.letters[at].times == 0 {
				n++
			}
		}
		return n
	}
	// The marks that make a transaction visible come a moment after it was committed.
	for look := 0; look < 3 && lost() > 0; look++ {
		if err := wait(ctx, time.Second); err != nil {
			return Letters{}, nil, err
		}
		if err := b.update(ctx); err != nil {
			return Letters{}, nil, err
		}
	}
	report, differences := b.books(rejected, parts)
	return report, differences, nil
}

func (b *letterBook) books(rejected map[place]bool, parts kafkaread.Spans) (rep Letters, found []schemas.Difference) {
	add := func(kind string, at place, want, got string) {
		found = append(found, schemas.Difference{Kind: kind, Key: fmt.Sprintf("letter of %s/%d offset %d", b.o.Raw, at.partition, at.offset),
			Fields: []schemas.FieldDifference{{Name: "letters", Want: want, Got: got}}})
	}
	for at := range rejected {
		if at.offset >= parts[at.partition].To {
			continue
		}
		rep.Rejected++
		switch {
		case b.letters[at].times > 0:
		case b.dropped:
			rep.NotCheckable++
		default:
			add(schemas.DiffersMissing, at, "1", "0")
		}
	}
	for at, l := range b.letters {
		if span := parts[at.partition]; at.offset < span.From || at.offset >= span.To {
			continue
		}
		rep.Found++
		switch {
		case l.times > 1:
			add(schemas.DiffersExtra, at, "1", strconv.Itoa(l.times))
		case rejected[at]:
		case l.sink:
			rep.SinkRejected++
		case !l.ours:
			rep.OtherBuild++
		default:
			add(schemas.DiffersExtra, at, "0", "1")
		}
	}
	return rep, found
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
