package stack

import (
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Produce sends records to the raw topic and waits until all are acknowledged.
func (s *Stack) Produce(records ...*kgo.Record) {
	s.T.Helper()
	for _, r := range records {
		r.Topic = s.Raw()
	}
	require.NoError(s.T, s.Client.ProduceSync(s.T.Context(), records...).FirstErr())
}

// Lag returns how many records of the raw topic the group has not committed.
func (s *Stack) Lag() int64 {
	s.T.Helper()
	ends, err := s.Admin.ListEndOffsets(s.T.Context(), s.Raw())
	require.NoError(s.T, err)
	committed, err := s.Admin.FetchOffsets(s.T.Context(), s.Name)
	if err != nil {
		return 1 // the group has no coordinator yet
	}
	var lag int64
	ends.Each(func(end kadm.ListedOffset) {
		lag += end.Offset
		if at, ok := committed.Lookup(s.Raw(), end.Partition); ok {
			lag -= at.At
		}
	})
	return lag
}

// WaitCaughtUp waits until the group has committed every record of the raw topic.
func (s *Stack) WaitCaughtUp() {
	s.T.Helper()
	s.WaitFor("the group has committed everything", func() bool { return s.Lag() == 0 })
}

// Each calls do for every record from the beginning of a topic to its present end, with read_committed. It
// first waits until no transaction is open, because an open one hides the records after it.
func (s *Stack) Each(topic string, do func(*kgo.Record)) {
	s.T.Helper()
	left := map[int32]int64{}
	s.WaitFor("no transaction is open on "+topic, func() bool {
		stable, err := s.Admin.ListCommittedOffsets(s.T.Context(), topic)
		require.NoError(s.T, err)
		ends, err := s.Admin.ListEndOffsets(s.T.Context(), topic)
		require.NoError(s.T, err)
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
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers), kgo.AlwaysRetryEOF(), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(s.T, err)
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(s.T.Context())
		require.NoError(s.T, fetches.Err())
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

// Headers returns a record's headers by name.
func Headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}
