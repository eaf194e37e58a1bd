package consumer

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// recycledAndUntouched are records whose bytes are overwritten after they were decoded and let go, and the
// same untouched.
func recycledAndUntouched(t *testing.T, seed uint64, n int) (after, want []Decoded) {
	t.Helper()
	var records []*kgo.Record
	var bytesOf [][]byte
	for _, r := range newScorer(seed).records(n) {
		k := &kgo.Record{Topic: rawTopic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		bytesOf = append(bytesOf, r.Key, r.Value)
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			bytesOf = append(bytesOf, h.Value)
		}
		records = append(records, k)
		want = append(want, transformed(t, &kgo.Record{
			Topic: k.Topic, Partition: k.Partition,
			Key: bytes.Clone(k.Key), Value: bytes.Clone(k.Value), Headers: cloned(k.Headers),
		}))
		after = append(after, transformed(t, k))
	}
	recycleBytes(after, records)
	for _, b := range bytesOf {
		for i := range b {
			b[i] = 0xdb
		}
	}
	return after, want
}

// guard: what was rejected keeps its bytes when the poll's are let go
func TestAcceptedRecordsShareNoBytesWithThePoll(t *testing.T) {
	after, want := recycledAndUntouched(t, 31, 300)
	kept := 0
	for i := range after {
		require.Equal(t, want[i].Change, after[i].Change)
		require.Equal(t, want[i].Rejection, after[i].Rejection)
		require.Equal(t, want[i].Bytes, after[i].Bytes)
		if after[i].Rejection != nil {
			kept++
			require.Equal(t, want[i].Record, after[i].Record, "a dead letter needs all of its record")
		} else {
			require.Nil(t, after[i].Record.Value)
		}
	}
	require.Positive(t, kept)
}

func cloned(headers []kgo.RecordHeader) []kgo.RecordHeader {
	var c []kgo.RecordHeader
	for _, h := range headers {
		c = append(c, kgo.RecordHeader{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	return c
}

func transformed(t *testing.T, r *kgo.Record) Decoded {
	t.Helper()
	decoded, err := decode(&Config{Now: time.Now, Observer: NopObserver{}}, []*kgo.Record{r})
	require.NoError(t, err)
	return decoded[0]
}
