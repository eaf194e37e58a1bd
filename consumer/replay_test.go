package consumer

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// One processor has polled the whole topic and stored nothing when another one joins and makes it drop its
// batch. The partitions that it keeps are not complete, although their end was polled once.
// guard: what was dropped is read again
// guard: replay: what was dropped has not been read to its end
func TestAReplayReadsADroppedBatchAgain(t *testing.T) {
	dropsABatchOfAReplay(t, func(cl *cluster) { cl.startsHung = true })
}

// The store has the whole batch when another processor joins, but Kafka does not have its dead letters. The
// partitions that the first processor keeps are complete only when these are sent.
// guard: replay: it ends when everything is committed
func TestAReplayEndsWhenTheDeadLettersOfADroppedBatchAreSent(t *testing.T) {
	dropsABatchOfAReplay(t, func(cl *cluster) { cl.startsLate = true })
}

// dropsABatchOfAReplay has a processor poll all of a topic, and drop it because another one joins while the
// first waits for its store. Both must have replayed everything at their end.
func dropsABatchOfAReplay(t *testing.T, wait func(*cluster)) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(newScorer(41).records(60)...)
		r := &Replay{ID: "again", From: map[int32]int64{}, To: map[int32]int64{}, SendDeadLetters: true}
		for _, sent := range cl.sent {
			r.To[sent.Partition] = max(r.To[sent.Partition], sent.Offset+1)
		}
		replay := func(c *Config) { c.Replay, c.PollMaxRecords = r, 1000 }
		wait(cl)
		first := cl.start(replay)
		cl.waitFor("the first processor waits for its store", first.waiting.Load)
		second := cl.start(replay)
		for _, w := range []*worker{first, second} {
			<-w.done
			require.NoError(t, w.err)
		}
		require.True(t, cl.holds(cl.sent...), "all of it was replayed")
		cl.requireConsistent()
	})
}

// held is a replay of all that was sent, and of one record more in partition 1, which is not there yet.
func held(cl *cluster) *Replay {
	r := &Replay{ID: "held", From: map[int32]int64{}, To: map[int32]int64{}, SendDeadLetters: true}
	for _, sent := range cl.sent {
		r.To[sent.Partition] = max(r.To[sent.Partition], sent.Offset+1)
	}
	r.To[1]++
	return r
}

func (cl *cluster) produceTheLast(s *scorer) {
	last := s.record()
	last.Partition = 1
	cl.produce(last)
}

// The store is restored while a replay waits for its last record: the partitions that it had finished are
// replayed again.
// guard: replay: what the store has lost is replayed again
func TestAReplayGoesOnWhereTheStoreCameBackOlder(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl, s := newCluster(t), newScorer(42)
		cl.produce(s.records(60)...)
		r := held(cl)
		w := cl.start(func(c *Config) { c.Replay = r })
		cl.waitFor("partition 0 is replayed", func() bool { return r.isDone(0) })
		cl.store.Restore()
		cl.waitFilled()
		cl.produceTheLast(s)
		<-w.done
		require.NoError(t, w.err)
		require.True(t, cl.holds(cl.sent...), "all of it was replayed")
		cl.requireConsistent()
	})
}

// guard: a replay is not stuck at its own end
func TestAReplayIsNotStuckAtItsEnd(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl, s := newCluster(t), newScorer(43)
		cl.produce(s.records(60)...)
		r := held(cl)
		r.To[0] -= 2
		w := cl.start(func(c *Config) { c.Replay = r })
		cl.waitFor("partition 0 is replayed", func() bool { return r.isDone(0) })
		before := w.seen.count("progress")
		cl.waitFor("it was looked at for half a minute", func() bool {
			require.Empty(t, w.seen.reason("progress"))
			return w.seen.count("progress") > before+10
		})
		cl.produceTheLast(s)
		<-w.done
		require.NoError(t, w.err)
	})
}

// sentSource is an archive that has the records that were sent.
type sentSource struct{ sent []schemas.Record }

// Bounds implements Source.
func (s sentSource) Bounds(context.Context) (kafkaread.Spans, error) {
	spans := kafkaread.Spans{}
	for _, r := range s.sent {
		span := spans[r.Partition]
		spans[r.Partition] = kafkaread.Span{Partition: r.Partition, To: max(span.To, r.Offset+1)}
	}
	return spans, nil
}

// Read implements Source.
func (s sentSource) Read(_ context.Context, spans kafkaread.Spans, each func([]*kgo.Record) error) error {
	var some []*kgo.Record
	for _, r := range s.sent {
		if span := spans[r.Partition]; span.From <= r.Offset && r.Offset < span.To {
			some = append(some, kafkaread.Fetched(r))
		}
	}
	return each(some)
}

// A replay from an archive is no member of its group. The breaker holds it, and a person restarts it.
// guard: replay: a replay from an archive can be pardoned
func TestARestartLetsTheHeldBatchOfAnArchivePass(t *testing.T) {
	inVirtualTime(t, "some seconds")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.produce(readable(3)...)
		cl.produce(poison(150, 1)...)
		replay := func(c *Config) {
			strict(c)
			source := sentSource{cl.sent}
			r := &Replay{ID: "r", From: map[int32]int64{}, To: map[int32]int64{}, SendDeadLetters: true, Source: source}
			bounds, err := source.Bounds(t.Context())
			require.NoError(t, err)
			for id, span := range bounds {
				r.To[id] = span.To
			}
			c.Replay = r
		}
		w := cl.start(replay)
		cl.waitHeld(w)
		w.halt()
		w = cl.start(replay)
		cl.waitFor("the replay holds or ends", func() bool {
			select {
			case <-w.done:
				return true
			default:
				return w.seen.reason("breaker") != ""
			}
		})
		require.Empty(t, w.seen.reason("breaker"))
		require.NoError(t, w.err)
		require.Len(t, cl.deadLetters(), 150)
	})
}
