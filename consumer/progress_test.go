package consumer

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// withhold makes the cluster never give records of one partition, and say nothing of it.
func (tn *town) withhold(partition int32) {
	tn.cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		tn.cluster.KeepControl()
		fetch := req.(*kmsg.FetchRequest)
		for i := range fetch.Topics {
			t := &fetch.Topics[i]
			t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.FetchRequestTopicPartition) bool { return p.Partition == partition })
		}
		return nil, nil, false
	})
}

// guard: a stuck partition is named
func TestOneStuckPartitionOfTwelveIsNamedWithin15Seconds(t *testing.T) {
	inVirtualTime(t, "15 seconds")
	bubble(t, func(t *testing.T) {
		tn := newTownOf(t, 12)
		tn.withhold(7)
		s := newScorer(1)
		w := tn.start()
		tn.waitFor("it is a member", func() bool { return w.told.count("assigned") > 0 })
		began := time.Now()
		for id := range int32(12) {
			r := s.record()
			r.Partition = id
			tn.produce(r)
		}
		for tick := time.NewTicker(time.Second); w.told.reason("progress") == ""; <-tick.C {
			r := s.record() // the others go on
			r.Partition = 3
			tn.produce(r)
			require.Less(t, time.Since(began), 15*time.Second)
		}
		require.Regexp(t, `^pitches.raw/7 stands at offset 0 for 1[0-9]s, 1 records wait$`, w.told.reason("progress"))
		tn.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, nil, false })
		w.halt()
		require.Equal(t, "not a member of the group", w.told.reason("assigned"))
	})
}

// guard: a partition without records waiting is not stuck
func TestAProcessorThatHasNothingToDoMakesProgress(t *testing.T) {
	inVirtualTime(t, "half a minute")
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		tn.produce(newScorer(2).records(10)...)
		w := tn.start()
		tn.waitCommitted()
		before := w.told.count("progress")
		tn.waitFor("it was looked at for half a minute", func() bool {
			require.Empty(t, w.told.reason("progress"))
			return w.told.count("progress") > before+10
		})
	})
}

func TestAStoreThatIsAwayIsNamedAndWhatWaitsToo(t *testing.T) {
	inVirtualTime(t, "15 seconds")
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		w := tn.start()
		w.hang.Store(true)
		r := newScorer(2).record()
		r.Partition = 2
		tn.produce(r)
		tn.waitFor("the partition is named", func() bool { return w.told.reason("progress") != "" })
		require.Contains(t, w.told.reason("progress"), "pitches.raw/2 stands at offset 0")
		tn.waitCommitted()
		tn.waitFor("it is well again", func() bool { return w.told.reason("progress") == "" })
	})
}

// Who reads must know how far behind a processor is: it says since when the oldest record waits.
// guard: api: lag is told while a batch waits
// guard: api: lag ends when a partition is caught up
func TestItIsToldSinceWhenARecordWaits(t *testing.T) {
	inVirtualTime(t, "some seconds")
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		w := tn.start()
		caughtUp := func(id int32) func() bool {
			return func() bool { since, told := w.told.waiting(id); return told && since.IsZero() }
		}
		tn.waitFor("nothing waits", caughtUp(2))
		w.hang.Store(true)
		s := newScorer(2)
		r := s.record()
		r.Partition = 2
		tn.produce(r)
		tn.waitFor("it is said", func() bool { since, _ := w.told.waiting(2); return since.UnixMilli() == r.TimestampMS })
		later := s.record()
		later.Partition = 2
		tn.produce(later)
		require.True(t, caughtUp(1)())
		tn.waitCommitted()
		tn.waitFor("nothing waits any more", caughtUp(2))
	})
}

// A partition whose records cannot be read is behind, too.
// guard: api: lag of what cannot be read
func TestWhatCannotBeReadWaits(t *testing.T) {
	inVirtualTime(t, "some seconds")
	bubble(t, func(t *testing.T) {
		tn := newTown(t)
		tn.withhold(1)
		w := tn.start()
		tn.waitFor("it is a member", func() bool { return w.told.count("assigned") > 0 })
		r := newScorer(1).record()
		r.Partition = 1
		tn.produce(r)
		tn.waitFor("it is said", func() bool { since, told := w.told.waiting(1); return told && !since.IsZero() })
		tn.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, nil, false })
	})
}
