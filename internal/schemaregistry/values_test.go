package schemaregistry

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestARecordWithThePrefixBecomesTheRowOfItsJSON(t *testing.T) {
	f, c := newFake(t)
	records := pitches(t, 40)
	inJSON := register(t, f, "pitches.raw-value", jsonSchema())
	text, values := asAvro(t, records)
	inAvro := register(t, f, "pitches.avro-value", sr.Schema{Schema: text, Type: sr.TypeAvro})
	for i, r := range records {
		sameChange(t, c, r, r)
		sameChange(t, c, r, framed(r, inJSON, r.Value))
		sameChange(t, c, r, framed(r, inAvro, values[i]))
	}
	require.EqualValues(t, 2, f.asked.Load(), "once a schema")
}

func TestWithoutARegistryNothingChanges(t *testing.T) {
	var none *Client
	r := framed(pitches(t, 1)[0], 1, []byte(`{}`))
	sameChange(t, none, r, r)
}

// guard: registry: only a schema that is not there is the record's fault
func TestARegistryThatIsDownRejectsNothing(t *testing.T) {
	f, c := newFake(t)
	r := pitches(t, 1)[0]
	id := register(t, f, "pitches.raw-value", jsonSchema())
	for _, status := range []int64{500, 503, 401, 403, 404, 429} {
		f.status.Store(status)
		_, rejection, err := c.Transform(t.Context(), framed(r, id, r.Value), features.Limits{})
		require.ErrorContains(t, err, fmt.Sprintf("schema registry: HTTP status %d", status))
		require.Nil(t, rejection)
	}
	f.status.Store(0)
	sameChange(t, c, r, framed(r, id, r.Value))

	closed, err := Open(Options{URLs: []string{"http://127.0.0.1:1"}})
	require.NoError(t, err)
	_, rejection, err := closed.Transform(t.Context(), framed(r, id, r.Value), features.Limits{})
	require.ErrorContains(t, err, "connection refused")
	require.Nil(t, rejection)
}

func TestASchemaThatIsNotThereIsADeadLetterThatSaysSo(t *testing.T) {
	f, c := newFake(t)
	now := time.Unix(0, 0)
	c.cache.now = func() time.Time { return now }
	r := framed(pitches(t, 1)[0], 77, []byte(`{}`))
	for range 3 {
		_, rejection, err := c.Transform(t.Context(), r, features.Limits{})
		require.NoError(t, err)
		require.Equal(t, schemas.CodeMalformedJSON, rejection.Code)
		require.Equal(t, "malformed_json: the registry has no schema 77, which the value's prefix names", rejection.Error())
	}
	require.EqualValues(t, 1, f.asked.Load())
	now = now.Add(missingFor)
	_, _, err := c.Transform(t.Context(), r, features.Limits{})
	require.NoError(t, err)
	require.EqualValues(t, 2, f.asked.Load(), "it may have come since")
}

func TestTheCoreJudgesTheHeadersFirst(t *testing.T) {
	_, c := newFake(t)
	r := framed(pitches(t, 1)[0], 77, nil)
	r.Headers = append(r.Headers, schemas.Header{Key: schemas.HeaderOp, Value: []byte("delete")})
	_, want := features.Transform(r, features.Limits{})
	_, rejection, err := c.Transform(t.Context(), r, features.Limits{})
	require.NoError(t, err)
	require.Equal(t, schemas.CodeSchemaViolation, rejection.Code)
	require.Equal(t, want, rejection)
}

func TestWhatCannotBeReadSaysWhy(t *testing.T) {
	f, c := newFake(t)
	proto := register(t, f, "p-value", sr.Schema{Schema: `syntax = "proto3"; message A {}`, Type: sr.TypeProtobuf})
	number := register(t, f, "n-value", sr.Schema{Schema: `"long"`, Type: sr.TypeAvro})
	for _, test := range []struct {
		id    int
		value string
		want  string
	}{
		{proto, "\x00", "PROTOBUF, and raw values are read as JSON Schema or Avro"},
		{number, "\x02\x02", "1 bytes follow it"},
		{number, "", "it ends too early"},
	} {
		rec := framed(schemas.Record{}, test.id, []byte(test.value))
		_, rejection, err := c.Transform(t.Context(), rec, features.Limits{})
		require.NoError(t, err)
		require.ErrorContains(t, rejection, test.want)
		require.Equal(t, schemas.CodeMalformedJSON, rejection.Code)
	}
}

// guard: registry: a fault is counted from the value's first byte
func TestTheByteOfAFaultIsThatOfTheWholeValue(t *testing.T) {
	f, c := newFake(t)
	id := register(t, f, "s-value", jsonSchema())
	_, plain, err := c.Transform(t.Context(), schemas.Record{Value: []byte(`{"a":x}`)}, features.Limits{})
	require.NoError(t, err)
	_, rejection, err := c.Transform(t.Context(), framed(schemas.Record{}, id, []byte(`{"a":x}`)), features.Limits{})
	require.NoError(t, err)
	require.Equal(t, plain.Offset+5, rejection.Offset)
}

// guard: registry: the registry is not asked about a value that is too large
func TestALargeValueIsTooLargeWithoutTheRegistry(t *testing.T) {
	f, c := newFake(t)
	rec := framed(schemas.Record{}, 1, []byte(long(2000)))
	_, rejection, err := c.Transform(t.Context(), rec, features.Limits{MaxRecordBytes: 1000})
	require.NoError(t, err)
	require.Equal(t, schemas.CodeTooLarge, rejection.Code)
	require.Zero(t, f.asked.Load())
}

func TestUTF16IsNotAskedAbout(t *testing.T) {
	f, c := newFake(t)
	_, rejection, err := c.Transform(t.Context(), schemas.Record{Value: []byte("\x00{\x00\"\x00a")}, features.Limits{})
	require.NoError(t, err)
	require.ErrorContains(t, rejection, "UTF-16")
	require.Zero(t, f.asked.Load())
}

// guard: registry: many values of one new schema ask once
func TestManyValuesOfANewSchemaAskOnce(t *testing.T) {
	f, c := newFake(t)
	id := register(t, f, "s-value", jsonSchema())
	r := pitches(t, 1)[0]
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { sameChange(t, c, r, framed(r, id, r.Value)) })
	}
	all.Wait()
	require.EqualValues(t, 1, f.asked.Load())
}

func TestWhoWaitsForAnotherRequestEndsWithItsContext(t *testing.T) {
	_, c := newFake(t)
	c.asking <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := c.Transform(ctx, framed(schemas.Record{}, 1, nil), features.Limits{})
	require.ErrorIs(t, err, context.Canceled)
}

// guard: registry: an answer is bounded
func TestAnAnswerIsBounded(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"schemaType":"JSON","schema":"%s"}`, long(maxAnswerBytes))
	}))
	defer s.Close()
	c, err := Open(Options{URLs: []string{s.URL}})
	require.NoError(t, err)
	_, _, err = c.Transform(t.Context(), framed(schemas.Record{}, 1, nil), features.Limits{})
	require.ErrorIs(t, err, errTooLong)
}

// guard: registry: the schemas that are kept are bounded in bytes
func TestKeptSchemasAreBoundedInBytes(t *testing.T) {
	_, c := newFake(t)
	for id := range 20 {
		c.cache.add(id, &schema{size: 1 << 20})
	}
	require.Equal(t, maxKeptBytes>>20, c.cache.kept.Len())
	require.Equal(t, maxKeptBytes, c.cache.size)
	c.cache.add(19, &schema{size: 1})
	require.Equal(t, maxKeptBytes-1<<20+1, c.cache.size, "a schema that is asked about again counts once")
}
