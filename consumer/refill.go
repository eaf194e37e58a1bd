package consumer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// refilling says that this poll only fills the store again, below what the group has committed: nothing is sent, and
// nothing is committed.
func (s *session) refilling(moves []schemas.PositionMove) bool {
	for _, m := range moves {
		// guard: no offset is committed below what was committed
		if p, ok := s.owned.get(m.Partition); ok && m.NextOffset < p.floor {
			return true
		}
	}
	return false
}

// holdBack leaves the store's position where it is in partitions that are filled again: below what the group has committed it
// alone tells how far they are, so it moves when their rows are published, and not before. Else a crash in between would
// leave in the topic what the rows were on the way.
func (b *batch) holdBack(moves []schemas.PositionMove) []schemas.PositionMove {
	out := slices.Clone(moves)
	for i, m := range moves {
		// guard: a store that is filled again moves on when its rows are published
		if p, ok := b.owned.get(m.Partition); ok && p.stored < p.floor {
			out[i].NextOffset = m.Expected
			b.late[m.Partition] = m
		}
	}
	return out
}

// catchUp moves the positions that were held back.
func (b *batch) catchUp() error {
	if len(b.late) == 0 {
		return nil
	}
	moves := slices.Collect(maps.Values(b.late))
	if _, _, err := b.write(b.work, Plan{}, moves); err != nil {
		return err
	}
	b.owned.caughtUp(moves)
	return nil
}

// republish sends rows while the store is filled again: without a transaction, as no offset may be committed then. The
// rows that were published before the store came back older may have been of a later state than what stands now, and
// what other partitions publish meanwhile of an earlier one; in the end the last one published is what stands.
func (s *session) republish(ctx context.Context, rows []schemas.Published) error {
	if s.plain == nil {
		var err error
		if s.plain, err = kgo.NewClient(append([]kgo.Opt{kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(largestBatch), kgo.BrokerMaxWriteBytes(largestBatch + 1<<20)}, s.cfg.Client...)...); err != nil {
			return fmt.Errorf("kafka: %w", err)
		}
	}
	var failed firstError
	if err := s.publish(ctx, ctx, s.plain, rows, failed.note); err != nil {
		return err
	}
	return failed.get()
}

// unsentLetters leaves out the letters of records that were read before: theirs were sent with the offsets that are committed.
func (s *session) unsentLetters(letters []schemas.DeadLetter) []schemas.DeadLetter {
	var out []schemas.DeadLetter
	if !s.cfg.Replay.sendsLetters() {
		return nil
	}
	for _, l := range letters {
		// guard: no letter is sent again below what was committed
		if p, ok := s.owned.get(l.Record.Partition); ok && l.Record.Offset < p.floor {
			continue
		}
		out = append(out, l)
	}
	return out
}
