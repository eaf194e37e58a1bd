package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
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
	decoded, err := decode(t.Context(), &Config{Now: time.Now, Observer: NopObserver{}}, []*kgo.Record{r}, false)
	require.NoError(t, err)
	return decoded[0]
}

// conditionLog keeps the conditions that are reported.
type conditionLog struct {
	NopObserver
	mu   sync.Mutex
	seen []string
}

func (c *conditionLog) Condition(name string, ok bool, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, fmt.Sprintf("%s %v %s", name, ok, reason))
}

// guard: registry: a registry that is down makes no dead letter
func TestARegistryThatIsDownIsAskedUntilItAnswers(t *testing.T) {
	var records []*kgo.Record
	for range 100 {
		records = append(records, &kgo.Record{Topic: rawTopic, Value: []byte(`{`)})
	}
	var asked atomic.Int64
	watch := &conditionLog{}
	cfg := &Config{Now: time.Now, Observer: watch, Log: slog.New(slog.DiscardHandler), Workers: 4}
	want := &features.Rejection{Code: schemas.CodeMalformedJSON, Message: "the registry has said so"}
	cfg.Transform = func(
		context.Context, schemas.Record, features.Limits,
	) (schemas.Change, *features.Rejection, error) {
		if asked.Add(1) <= 8 {
			return schemas.Change{}, nil, errors.New("connection refused")
		}
		return schemas.Change{}, want, nil
	}
	decoded, err := decode(t.Context(), cfg, records, false)
	require.NoError(t, err)
	for _, d := range decoded {
		require.Same(t, want, d.Rejection)
	}
	require.Equal(t, "schema-registry false connection refused", watch.seen[0])
	require.Equal(t, "schema-registry true ", watch.seen[len(watch.seen)-1])
}

func TestABatchIsDroppedThatEndsWhileTheRegistryIsDown(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cfg := &Config{Now: time.Now, Observer: NopObserver{}, Log: slog.New(slog.DiscardHandler), Workers: 4}
	cfg.Transform = func(
		context.Context, schemas.Record, features.Limits,
	) (schemas.Change, *features.Rejection, error) {
		cancel(errRevoked)
		return schemas.Change{}, nil, errors.New("connection refused")
	}
	_, err := decode(ctx, cfg, []*kgo.Record{{Value: []byte(`{`)}, {Value: []byte(`{`)}}, false)
	require.ErrorIs(t, err, errRevoked)
}
