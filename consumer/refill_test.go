package consumer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// stepHook calls a function at each step of a processor.
type stepHook struct {
	*conditions
	at func(step string)
}

func (h stepHook) Step(step string, _ time.Duration) { h.at(step) }

// revised returns a record of the pitch of readable, with a revision.
func revised(partition int32, revision string) schemas.Record {
	r := readable(1)[0]
	r.Partition = partition
	r.Headers = []schemas.Header{{Key: "revision", Value: []byte(revision)}}
	return r
}

// writeAs does what another processor would with a record at the beginning of its partition: it writes it,
// publishes its row and moves the position.
func (cl *cluster) writeAs(rec schemas.Record) {
	cl.t.Helper()
	change, rejection := features.Transform(rec, features.Limits{})
	require.Nil(cl.t, rejection)
	to := cl.storedPosition(rec.Partition)
	to.NextOffset = rec.Offset + 1
	outcome, err := cl.store.Apply(cl.t.Context(), schemas.Batch{
		Group:     group,
		Pitches:   []schemas.PitchChanges{{PitchID: change.PitchID, Measured: []schemas.Change{change}}},
		Positions: []schemas.PositionMove{{Position: to, Expected: rec.Offset}},
	})
	require.NoError(cl.t, err)
	client := cl.newClient(kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	defer client.Close()
	for _, row := range outcome.Published {
		r := kafkasink.Encoder{RowsTopic: rowsTopic}.Row(row)
		require.NoError(cl.t, client.ProduceSync(cl.t.Context(), r).FirstErr())
	}
}

// A refiller has stored the older version of a pitch when another processor stores and publishes the newer
// one. Then the refiller sends its row, and dies before it has compared it. Compaction keeps the last row of
// a pitch, and the next refiller sends none of it, because its record is superseded.
// guard: a refill commits only rows that it has compared
func TestARefillThatDiesLeavesNoOlderRowLast(t *testing.T) {
	inVirtualTime(t, "half a minute")
	for name, isKilled := range map[string]bool{"killed": true, "the store does not answer": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				cl := newCluster(t)
				cl.produce(revised(0, "1"), revised(1, "2"))
				cl.process()
				cl.store.Restore()
				isFirst := true
				first := cl.start(func(c *Config) {
					c.Observer = stepHook{c.Observer.(*conditions), func(step string) {
						if step == "redis" && isFirst {
							isFirst = false
							cl.writeAs(cl.sent[1])
						}
					}}
				})
				cl.before.set(func(step string) error {
					if step != "changed" || first.dead.Load() {
						return nil
					}
					if isKilled {
						first.kill()
					}
					cl.events.note()
					return errDead
				})
				cl.waitFor("it gives up or dies", func() bool {
					return first.dead.Load() || strings.Contains(first.log.String(), errEarlyTooLong.Error())
				})
				first.kill() // before it reads again, and beyond what the other processor has done
				cl.before.set(nil)
				cl.start()
				cl.waitFilled()
				cl.waitClosed()
				rows := cl.readAll(rowsTopic)
				at := slices.IndexFunc(rows[len(rows)-1].Headers, func(h kgo.RecordHeader) bool { return h.Key == "revision" })
				require.Equal(t, "2", string(rows[len(rows)-1].Headers[at].Value))
				cl.requireConsistent()
			})
		})
	}
}
