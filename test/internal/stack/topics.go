package world

import (
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Produce sends records as they are, keyed, and waits for the acknowledgements.
func (w *World) Produce(records ...*kgo.Record) {
	w.T.Helper()
	for _, r := range records {
		r.Topic = w.Raw()
	}
	require.NoError(w.T, w.Client.ProduceSync(w.T.Context(), records...).FirstErr())
}

// Lag is how many records the group has not committed.
func (w *World) Lag() int64 {
	w.T.Helper()
	ends, err := w.Admin.ListEndOffsets(w.T.Context(), w.Raw())
	require.NoError(w.T, err)
	committed, err := w.Admin.FetchOffsets(w.T.Context(), w.Name)
	if err != nil {
		return 1 // the coordinator is not there yet
	}
	var lag int64
	ends.Each(func(end kadm.ListedOffset) {
		lag += end.Offset
		if at, ok := committed.Lookup(w.Raw(), end.Partition); ok {
			lag -= at.At
		}
	})
	return lag
}

// WaitCaughtUp waits until the group has committed all that is in the raw topic.
func (w *World) WaitCaughtUp() {
	w.T.Helper()
	w.WaitFor("the group has committed everything", func() bool { return w.Lag() == 0 })
}

// Rewind puts the group at the start of the topic.
func (w *World) Rewind() {
	w.T.Helper()
	starts, err := w.Admin.ListStartOffsets(w.T.Context(), w.Raw())
	require.NoError(w.T, err)
	require.NoError(w.T, w.Admin.CommitAllOffsets(w.T.Context(), w.Name, starts.Offsets()))
}

// Each reads a topic from its beginning to its present end as a reader of committed records does. A transaction that is
// still open ends what can be read: it is waited for.
func (w *World) Each(topic string, do func(*kgo.Record)) {
	w.T.Helper()
	left := map[int32]int64{}
	w.WaitFor("no transaction is open on "+topic, func() bool {
		stable, err := w.Admin.ListCommittedOffsets(w.T.Context(), topic)
		require.NoError(w.T, err)
		ends, err := w.Admin.ListEndOffsets(w.T.Context(), topic)
		require.NoError(w.T, err)
		open := false
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := stable.Lookup(topic, end.Partition)
			open = open || at.Offset < end.Offset
			if end.Offset > 0 {
				left[end.Partition] = end.Offset
			}
		})
		return !open
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.Brokers), kgo.AlwaysRetryEOF(), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(w.T, err)
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(w.T.Context())
		require.NoError(w.T, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				do(r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
}

// Headers are a record's, by name.
func Headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

// KafkaHeaders are headers in the client's words.
func KafkaHeaders(from []schemas.Header) (to []kgo.RecordHeader) {
	for _, h := range from {
		to = append(to, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return to
}
