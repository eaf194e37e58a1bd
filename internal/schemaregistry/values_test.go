package schemaregistry

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

// An answer is not read further than its bound. A schema of another team that is longer makes a dead letter
// of the record that names it. A long page of a proxy is no answer of the registry.
// guard: registry: an answer is bounded
// guard: registry: a schema that is too large to read stops nothing
func TestAnAnswerIsBounded(t *testing.T) {
	kind := "application/vnd.schemaregistry.v1+json"
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"schemaType":"JSON","schema":"%s"}`, long(maxAnswerBytes))
	}))
	defer s.Close()
	c, err := Open(Options{URLs: []string{s.URL}})
	require.NoError(t, err)
	ask := func(id int) (*features.Rejection, error) {
		_, rejection, err := c.Transform(t.Context(), framed(schemas.Record{}, id, nil), features.Limits{})
		return rejection, err
	}
	rejection, err := ask(1)
	require.NoError(t, err)
	require.ErrorContains(t, rejection, "the value's schema 1 cannot be read: the answer has more than 1048576 bytes")
	status = http.StatusBadGateway
	_, err = ask(2)
	require.ErrorIs(t, err, errLongPage)
	kind, status = "text/html", http.StatusOK
	_, err = ask(3)
	require.ErrorIs(t, err, errLongPage)
}

// Some registries answer an id beyond 32 bits as they answer a wrong path, which would hold up the partition.
// guard: registry: an id that no registry gives is not asked about
func TestAnIDThatNoRegistryGivesIsNotAskedAbout(t *testing.T) {
	f, c := newFake(t)
	f.status.Store(http.StatusNotFound)
	for _, id := range []int{0, 1 << 31, 1<<32 - 1} {
		_, rejection, err := c.Transform(t.Context(), framed(schemas.Record{}, id, []byte("xx")), features.Limits{})
		require.NoError(t, err)
		require.ErrorContains(t, rejection, fmt.Sprintf("the registry has no schema %d", id))
	}
	require.Zero(t, f.asked.Load())
}

// A schema that refers to one that was deleted, or to too much, cannot be read at any time.
// guard: registry: a reference that is not there stops nothing
// guard: registry: the schemas that one refers to are bounded in bytes
func TestAReferenceThatCannotBeReadIsADeadLetter(t *testing.T) {
	size, code := 1, 40402
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		switch {
		case strings.HasPrefix(r.URL.Path, "/schemas/ids/"):
			var references []string
			for i := range 8 {
				references = append(references, fmt.Sprintf(`{"name":"a%[1]d","subject":"a%[1]d","version":1}`, i))
			}
			_, _ = fmt.Fprintf(w, `{"schema":"\"long\"","references":[%s]}`, strings.Join(references, ","))
		case code != 0:
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprintf(w, `{"error_code":%d,"message":"it is gone"}`, code)
		default:
			_, _ = fmt.Fprintf(w, `{"id":1,"version":1,"subject":"a","schema":"\"%s\""}`, long(size))
		}
	}))
	defer s.Close()
	c, err := Open(Options{URLs: []string{s.URL}})
	require.NoError(t, err)
	ask := func(id int) (*features.Rejection, error) {
		_, rejection, err := c.Transform(t.Context(), framed(schemas.Record{}, id, []byte{2}), features.Limits{})
		return rejection, err
	}
	rejection, err := ask(1)
	require.NoError(t, err)
	require.ErrorContains(t, rejection, "the value's schema 1 refers to one that cannot be read: it is gone")
	code, size = 0, maxSchemaBytes/7
	rejection, err = ask(2)
	require.NoError(t, err)
	require.ErrorContains(t, rejection, "it has more than 4194304 bytes")
	code = 50001
	_, err = ask(3)
	require.ErrorContains(t, err, "it is gone", "another error may pass")
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
