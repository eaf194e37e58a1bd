package identify

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Books are the tables of Postgres that hold what was processed.
type Books interface {
	AppliedPositions(ctx context.Context) ([]schemas.Position, error)
	RegistersOf(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRegisters, error)
}

// known is who the newest identify of each pitch names, in the stores or on its way there.
//
// Postgres has what the processor has stored. The rest is in the topic behind its positions, and is read
// once. The positions are read before the registers, so nothing falls between the two.
type known struct {
	books Books // nil: nothing is known
	// wants reports whether a record of the topic may be about a pitch that is asked for.
	wants func(key []byte, id schemas.PitchID) bool
	names map[schemas.PitchID]named
	asked map[schemas.PitchID]bool // Postgres was asked
}

type named struct {
	names   schemas.Identifiers
	version schemas.Version
}

func newKnown(books Books, wants func([]byte, schemas.PitchID) bool) *known {
	return &known{
		books: books, wants: wants, names: map[schemas.PitchID]named{}, asked: map[schemas.PitchID]bool{},
	}
}

func (k *known) add(c *schemas.Change) {
	// guard: identify: the newest identify of a pitch counts
	if has, ok := k.names[c.PitchID]; ok && has.version.Compare(c.Version) > 0 {
		return
	}
	k.names[c.PitchID] = named{c.IDs, c.Version}
}

// readTail reads what is in the topic behind the positions of Postgres.
func (k *known) readTail(ctx context.Context, client *kgo.Client, o Options) error {
	if k.books == nil {
		return nil
	}
	positions, err := k.books.AppliedPositions(ctx)
	if err != nil {
		return err
	}
	admin := kadm.NewClient(client)
	// The high watermark, because records of an earlier run may stand behind another producer's transaction that
	// is still open.
	spans, err := kafkaread.Bounds(ctx, admin, o.Topic, kgo.ReadUncommitted())
	if err != nil {
		return err
	}
	topics, err := admin.ListTopics(ctx, o.Topic)
	if err != nil {
		return fmt.Errorf("kafka: the topic %s: %w", o.Topic, err)
	}
	topicID := kafkaread.DescribedID(topics[o.Topic].ID)
	for _, p := range positions {
		span, ok := spans[p.Partition]
		isOther := p.TopicID != "" && topicID != "" && p.TopicID != topicID
		if !ok || p.Topic != o.Topic || isOther || p.NextOffset > span.To {
			continue
		}
		span.From = max(span.From, p.NextOffset)
		spans[p.Partition] = span
	}
	return kafkaread.Read(ctx, o.Client, o.Topic, spans, func(records []*kgo.Record) error {
		_, err := kafkaread.Map(records, 0, 1, func(rec schemas.Record, _ bool) struct{} {
			k.addRecord(rec)
			return struct{}{}
		})
		return err
	})
}

// addRecord adds an identify. It looks at the headers first, because most records are large pitches.
func (k *known) addRecord(rec schemas.Record) {
	op := ""
	for _, h := range rec.Headers {
		if h.Key == schemas.HeaderOp {
			op = string(h.Value)
		}
	}
	if op != schemas.OpIdentify.String() {
		return
	}
	c, rejection := features.Transform(rec, features.Limits{})
	if rejection == nil && k.wants(rec.Key, c.PitchID) {
		k.add(&c)
	}
}

// ask reads from Postgres what it knows of the pitches that it was not asked about before.
func (k *known) ask(ctx context.Context, ids []schemas.PitchID) error {
	var unknown []schemas.PitchID
	for _, id := range ids {
		if !k.asked[id] {
			unknown = append(unknown, id)
		}
	}
	if k.books == nil || len(unknown) == 0 {
		return nil
	}
	const atOnce = 1000
	for len(unknown) > 0 {
		n := min(atOnce, len(unknown))
		found, err := k.books.RegistersOf(ctx, unknown[:n])
		if err != nil {
			return err
		}
		for _, r := range found {
			if r.Identified != nil {
				k.add(r.Identified)
			}
		}
		for _, id := range unknown[:n] {
			k.asked[id] = true
		}
		unknown = unknown[n:]
	}
	return nil
}
