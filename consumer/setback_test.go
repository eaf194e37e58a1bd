package consumer

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// commit commits an offset in each partition for the group, as a person does while no processor runs.
func (cl *cluster) commit(metadata string, at func(partition int32) int64) {
	cl.t.Helper()
	offsets := kadm.Offsets{}
	for id := range int32(partitionCount) {
		offsets.Add(kadm.Offset{Topic: rawTopic, Partition: id, At: at(id), LeaderEpoch: -1, Metadata: metadata})
	}
	require.NoError(cl.t, kadm.NewClient(cl.client).CommitAllOffsets(cl.t.Context(), group, offsets))
}

// waitEmpty returns when the group has no member.
func (cl *cluster) waitEmpty() {
	cl.t.Helper()
	cl.waitFor("the group is empty", func() bool {
		groups, err := kadm.NewClient(cl.client).DescribeGroups(cl.t.Context(), group)
		return err == nil && len(groups[group].Members) == 0
	})
}

func (cl *cluster) positions() map[int32]int64 {
	cl.t.Helper()
	at, err := cl.store.Positions(cl.t.Context(), rawTopic)
	require.NoError(cl.t, err)
	return at
}

// Everything is read again, and no rejected record gets a second dead letter.
// guard: a group that is set back by hand sends no dead letter again
// guard: the range of the committed dead letters is stored after their commit
// guard: an offset that was set back by hand is named
func TestAGroupThatIsSetBackByHandSendsNoDeadLetterAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(8)
		var log bytes.Buffer
		logged := func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) }
		cl.produce(append(s.records(100), poison(1, 0)...)...)
		cl.process()
		cl.resetGroup()
		cl.produce(s.records(20)...)
		w := cl.start(logged, func(c *Config) { c.PollMaxRecords, c.CommitEvery = 10, -1 })
		cl.waitFor("a part is read again", func() bool { return w.seen.batchCount() > 2 })
		w.kill()
		cl.waitEmpty()
		cl.process(logged) // goes on with what was read again
		require.Contains(t, log.String(), "the group's offset was set back by hand")
		require.Contains(t, log.String(), "partition=0 offset=0 position=")
		cl.requireConsistent()
	})
}

// A crash came between the store and Kafka, so that the position is ahead of the dead letters that were sent.
// A person moves the group in the meantime: forward, so that a processor starts there, and back.
// guard: the offset that a person has set says nothing about dead letters
func TestDeadLettersThatWereNotCommittedAreSentAfterASetBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		var log bytes.Buffer
		logged := func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) }
		w := cl.start(logged)
		w.diesAtWrite.Store(true)
		bad := slices.Concat(poison(3, 0), poison(3, 1), poison(3, 2))
		cl.produce(append(good(newScorer(9), 21), bad...)...)
		cl.waitFor("it has died", w.dead.Load)
		cl.waitClosed()
		cl.process(logged, func(c *Config) { c.PollMaxRecords = 1 }) // reads the batch of the crash again
		require.NotContains(t, log.String(), "by hand")
		cl.requireConsistent()

		w = cl.start(func(c *Config) { c.CommitEvery = -1 })
		w.diesAtWrite.Store(true)
		cl.produce(slices.Clone(bad)...)
		cl.waitFor("it has died", w.dead.Load)
		cl.waitClosed()
		cl.waitEmpty()
		at := cl.positions()
		cl.commit("", func(id int32) int64 { return at[id] })
		cl.process()
		cl.resetGroup()
		cl.process()
		found := cl.deadLetters()
		for i, r := range cl.sent {
			if string(r.Value) == "{" {
				require.Positive(t, found[fmt.Sprintf("%d/%d malformed_json", r.Partition, r.Offset)], i)
			}
		}
	})
}

// The store comes back empty, and another core has judged the records before. It may have taken one that this
// core rejects, so that nothing says of the pitch. So may a former topic of the same name have had others at
// these offsets: as after a crash between the position and the start of an accepted gap.
// guard: what another core has taken gets a dead letter if this one rejects it
// guard: an offset of a former topic does not count
// guard: what the store refuses in a refill is named
func TestWhatAnotherCoreHasTakenGetsADeadLetterInARefill(t *testing.T) {
	for name, c := range map[string]struct {
		metadata string
		sent     bool
	}{
		"an older build":            {`{"rejected_in_a_row":0}`, true},
		"another core":              {fmt.Sprintf(`{"core":%d}`, features.CoreVersion-1), true},
		"another core at the start": {fmt.Sprintf(`{"core":%d,"core_from":3}`, features.CoreVersion), true},
		"another topic":             {fmt.Sprintf(`{"core":%d,"topic_id":"former"}`, features.CoreVersion), true},
		"this core":                 {fmt.Sprintf(`{"core":%d}`, features.CoreVersion), false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				cl.produce(append(newScorer(10).records(60), poison(1, 0)...)...)
				var log bytes.Buffer
				var refused atomic.Bool
				cl.store.Refuse = func(schemas.Change) string {
					if c.sent || !refused.CompareAndSwap(false, true) {
						return ""
					}
					return "a constraint"
				}
				ends, err := kadm.NewClient(cl.client).ListEndOffsets(t.Context(), rawTopic)
				require.NoError(t, err)
				cl.commit(c.metadata, func(id int32) int64 {
					end, _ := ends.Lookup(rawTopic, id)
					return end.Offset
				})
				w := cl.start(func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
				cl.waitFor("the store is filled", func() bool {
					at := cl.positions()
					isFilled := true
					for id := range int32(partitionCount) {
						isFilled = isFilled && at[id] == cl.committedAt(id)
					}
					return isFilled && cl.lag() == 0
				})
				w.halt()
				if c.sent {
					cl.requireConsistent()
				} else {
					require.Empty(t, cl.deadLetters())
					require.Contains(t, log.String(), "the store refuses records in a refill")
					require.Contains(t, log.String(), `records=1 first="a constraint"`)
				}
			})
		})
	}
}
