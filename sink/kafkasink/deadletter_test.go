package kafkasink

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	encoder = Encoder{RowsTopic: "pitches.rows", DeadTopic: "pitches.dead", Group: "pitchstream", Build: "b1"}
	monday  = time.Date(2026, 4, 6, 12, 0, 0, 123_456_789, time.UTC)
)

func failed(headers ...schemas.Header) schemas.DeadLetter {
	rec := schemas.Record{Coordinates: schemas.Coordinates{Topic: "pitches.raw", Partition: 3, Offset: 42, TimestampMS: 1727561077926},
		Key: []byte("716404"), Value: []byte("{\xff"), Headers: headers}
	return schemas.DeadLetter{Record: rec, Origin: features.Origin(rec), Code: schemas.CodeMalformedJSON, Message: "byte 1: not\nUTF-8"}
}

// headersOf fails when a header stands twice.
func headersOf(t *testing.T, r *kgo.Record) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, h := range r.Headers {
		_, twice := m[h.Key]
		require.False(t, twice, "%s stands twice", h.Key)
		m[h.Key] = string(h.Value)
	}
	return m
}

func TestALetterIsTheRecordAndWhyItFailed(t *testing.T) {
	r := encoder.DeadLetter(failed(schemas.Header{Key: "venue", Value: []byte("Wrigley")}), monday)
	require.Equal(t, "pitches.dead", r.Topic)
	require.Equal(t, []byte("716404"), r.Key)
	require.Equal(t, []byte("{\xff"), r.Value)
	require.Equal(t, map[string]string{
		"venue":    "Wrigley",
		"dlq.code": "malformed_json", "dlq.message": "byte 1: not UTF-8",
		"dlq.origin.topic": "pitches.raw", "dlq.origin.partition": "3", "dlq.origin.offset": "42", "dlq.origin.timestamp": "2024-09-28T22:04:37.926Z",
		"dlq.topic": "pitches.raw", "dlq.partition": "3", "dlq.offset": "42", "dlq.timestamp": "2024-09-28T22:04:37.926Z",
		"dlq.group": "pitchstream", "dlq.build": "b1", "dlq.attempts": "1",
		"dlq.first_failed_at": "2026-04-06T12:00:00.123Z", "dlq.failed_at": "2026-04-06T12:00:00.123Z",
		"__connect.errors.topic": "pitches.raw", "__connect.errors.partition": "3", "__connect.errors.offset": "42",
		"__connect.errors.exception.message": "byte 1: not UTF-8", "__connect.errors.exception.class.name": "malformed_json",
	}, headersOf(t, r))
}

// redrive sends the record of a dead letter back unchanged, at new coordinates, and lets it fail again.
func redrive(r *kgo.Record, offset int64) schemas.DeadLetter {
	l := failed()
	l.Record.Offset, l.Record.Headers = offset, nil
	for _, h := range r.Headers {
		l.Record.Headers = append(l.Record.Headers, schemas.Header{Key: h.Key, Value: h.Value})
	}
	l.Record.Key, l.Record.Value = r.Key, r.Value
	l.Origin = features.Origin(l.Record)
	return l
}

func TestALetterThatFailsAgainKeepsItsOriginAndReplacesTheRest(t *testing.T) {
	r := encoder.DeadLetter(failed(), monday)
	for i := range int64(20) {
		r = encoder.DeadLetter(redrive(r, 100+i), monday.Add(time.Duration(i+1)*time.Hour))
	}
	h := headersOf(t, r)
	require.Equal(t, "42", h["dlq.origin.offset"])
	require.Equal(t, "119", h["dlq.offset"])
	require.Equal(t, "21", h["dlq.attempts"])
	require.Equal(t, "2026-04-06T12:00:00.123Z", h["dlq.first_failed_at"])
	require.Equal(t, "2026-04-07T08:00:00.123Z", h["dlq.failed_at"])
	require.Equal(t, []byte("{\xff"), r.Value)
	size := 0
	for k, v := range h {
		size += len(k) + len(v)
	}
	require.Less(t, size, 8<<10)
}

func TestHeadersThatAreTooLargeAreDroppedButNotThoseThatMeanSomething(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 60<<10)
	l := failed(schemas.Header{Key: "trash", Value: big}, schemas.Header{Key: "more", Value: big},
		schemas.Header{Key: "revision", Value: []byte("7")}, schemas.Header{Key: "small", Value: []byte("s")})
	h := headersOf(t, encoder.DeadLetter(l, monday))
	require.Equal(t, "7", h["revision"])
	require.Equal(t, "s", h["small"])
	require.NotContains(t, h, "trash")
	require.Contains(t, h, "more")
	require.Equal(t, "1", h["dlq.headers_dropped"])
	again := headersOf(t, encoder.DeadLetter(redrive(encoder.DeadLetter(l, monday), 1), monday))
	require.Equal(t, "1", again["dlq.headers_dropped"], "what was dropped once is still dropped")
}

func TestAMessageIsOneLineOfAtMostAKilobyte(t *testing.T) {
	l := failed()
	l.Message = strings.Repeat("ü\n", 2000)
	h := headersOf(t, encoder.DeadLetter(l, monday))
	require.LessOrEqual(t, len(h["dlq.message"]), 1<<10)
	require.NotContains(t, h["dlq.message"], "\n")
	require.True(t, strings.HasSuffix(h["dlq.message"], "ü") || strings.HasSuffix(h["dlq.message"], " "), "cut at a whole character")
}

func TestUnreadableCountsOfEarlierLettersCountAsNone(t *testing.T) {
	l := failed(schemas.Header{Key: "dlq.attempts", Value: []byte("many")}, schemas.Header{Key: "dlq.first_failed_at", Value: []byte("yesterday")})
	h := headersOf(t, encoder.DeadLetter(l, monday))
	require.Equal(t, "1", h["dlq.attempts"])
	require.Equal(t, h["dlq.failed_at"], h["dlq.first_failed_at"])
}

func TestADeletedPitchIsATombstoneWithItsVersion(t *testing.T) {
	id, _ := schemas.ParsePitchID("C9E9C616-612e-7696-a6ce-cc1b78e51061")
	r := encoder.Row(schemas.Published{
		PitchID: id, Version: schemas.Version{Revision: 2, TimestampMS: 3, Offset: 4, Partition: 5},
	})
	require.Equal(t, "c9e9c616-612e-7696-a6ce-cc1b78e51061", string(r.Key))
	require.Nil(t, r.Value)
	require.Equal(t, map[string]string{"revision": "2", "record_ts_ms": "3", "source_offset": "4", "source_partition": "5"}, headersOf(t, r))
}

func TestARowIsFlatJSONWithEveryColumn(t *testing.T) {
	row := schemas.StoredRow{Row: schemas.Row{Issues: []string{}, PitchType: "Slider"}, Provenance: schemas.Provenance{EventTime: 1727561077926}}
	r := encoder.Row(schemas.Published{Row: &row})
	var m map[string]any
	require.NoError(t, jsonUnmarshal(r.Value, &m))
	require.Len(t, m, len(schemas.StoredColumns))
	for _, c := range schemas.StoredColumns {
		require.Contains(t, m, c.Name)
	}
	require.Nil(t, m["game_pk"])
	require.Equal(t, "Slider", m["pitch_type"])
	require.Equal(t, "2024-09-28T22:04:37.926Z", m["event_time"])
	require.Equal(t, []any{}, m["issues"])
	require.Nil(t, Encoder{}.Row(schemas.Published{Row: &row}), "no topic, no record")
}

func TestAFailureIsDecodedAsItWasEncoded(t *testing.T) {
	at := schemas.Some(schemas.TimeMS(1727561077926))
	for _, f := range []Failure{
		{
			Code: schemas.CodeNotAPitch, Message: "not_a_pitch: one line", Group: "g", Build: "b", Attempts: 7,
			Origin:      schemas.Coordinates{Topic: "pitches.raw", Partition: 3, Offset: 42, TimestampMS: 1727561077926},
			Failed:      schemas.Coordinates{Topic: "pitches.raw", Partition: 1, Offset: 1 << 40, TimestampMS: 1},
			FailedKnown: true, FirstFailedAt: at, FailedAt: schemas.Some(at.Value + 1), HeadersDropped: 2,
		},
		{
			Origin:      schemas.Coordinates{Topic: "t", Partition: 1<<31 - 1, Offset: 1<<63 - 1},
			FailedKnown: true, Attempts: 1<<31 - 1, FirstFailedAt: at, FailedAt: at,
		},
	} {
		own := []schemas.Header{{Key: "venue", Value: []byte("Wrigley")}}
		require.Equal(t, f, DecodeFailure(schemas.Record{Headers: append(own, f.headers()...)}))
	}
	own := schemas.Coordinates{Topic: "pitches.dead", Partition: 1, Offset: 2, TimestampMS: 3}
	require.Equal(t, Failure{Origin: own}, DecodeFailure(schemas.Record{Coordinates: own}), "no headers")
}

// guard: dead letters: one whose key is a beginning says so
func TestADeadLetterWithTheBeginningOfAKeySaysSo(t *testing.T) {
	key := []byte(strings.Repeat("k", 20_000))
	l := schemas.DeadLetter{Record: schemas.Record{Key: key, Value: []byte("no pitch")}}
	failureOf := func(r *kgo.Record) Failure {
		rec := schemas.Record{}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, schemas.Header{Key: h.Key, Value: h.Value})
		}
		return DecodeFailure(rec)
	}
	e := Encoder{DeadTopic: "dead"}
	require.Nil(t, failureOf(e.DeadLetter(l, time.Now())).Cut)
	whole := schemas.Cut{Bytes: 8, SHA256: sha256.Sum256(l.Record.Value)}
	cut := whole
	cut.KeyBytes = 20_000
	require.Equal(t, &cut, failureOf(e.Truncated(l, time.Now(), 100)).Cut)
	require.Equal(t, &whole, failureOf(e.Truncated(l, time.Now(), 20_000)).Cut)

	l.Record.Key = key[:16_000]
	l.Record.Cut = &schemas.Cut{Bytes: 8, SHA256: whole.SHA256, KeyBytes: 20_000, Headers: 3}
	f := failureOf(e.DeadLetter(l, time.Now()))
	require.EqualValues(t, 3, f.HeadersDropped)
	cut.Headers = 3
	require.Equal(t, &cut, f.Cut)
	require.Equal(t, &cut, failureOf(e.Truncated(l, time.Now(), 100)).Cut)
	require.EqualValues(t, 3, l.Record.Cut.Headers, "other copies of the record share it")
}
