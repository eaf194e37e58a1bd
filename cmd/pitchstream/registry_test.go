package main

import (
	"context"
	"encoding/binary"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pitchstream/pitchstream/schemas"
)

// pauseOf returns a switch: while it is on, the registry answers with an error.
func pauseOf(t *testing.T, f *srfake.Registry) *atomic.Bool {
	t.Helper()
	var down atomic.Bool
	f.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return down.Load()
	})
	return &down
}

// fetch returns the first n records of a topic.
func (s *station) fetch(topic string, n int) (all []*kgo.Record) {
	s.t.Helper()
	c := kafkaClient(s.t, s.cluster, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	for len(all) < n {
		fetches := c.PollFetches(ctx)
		require.NoError(s.t, fetches.Err0(), "%d of %d records of %s", len(all), n, topic)
		all = append(all, fetches.Records()...)
	}
	return all
}

// A registry that is down at the start and in the stream loses nothing and rejects nothing. A schema that it
// does not have makes a dead letter of the record's own bytes. A retry sends them unchanged.
//
// guard: verify: a schema that came later is no difference
func TestRawAndRowsGoThroughARegistry(t *testing.T) {
	s := newStation(t)
	registry := srfake.New()
	t.Cleanup(registry.Close)
	down := pauseOf(t, registry)
	registry.SeedSchema("pitches.raw-value", 1, 41, sr.Schema{Schema: `{"type":"object"}`, Type: sr.TypeJSON})
	framed := func(id uint32, n byte) *kgo.Record {
		value := recordOfPitch(schemas.PitchID{n}, "")
		if id > 0 {
			value = string(binary.BigEndian.AppendUint32([]byte{0}, id)) + value
		}
		return &kgo.Record{Topic: "pitches.raw", Key: []byte("1"), Value: []byte(value)}
	}
	producer := kafkaClient(t, s.cluster)
	send := func(records ...*kgo.Record) {
		t.Helper()
		require.NoError(t, producer.ProduceSync(t.Context(), records...).FirstErr())
	}
	s.args = append(s.args, "--schema-registry-url="+registry.URL())
	at := s.args[len(s.args)-1]

	down.Store(true)
	stop := s.start("--rows-format=avro")
	s.waitReady(503, "schema-registry: schema registry: HTTP status 503")
	require.False(t, registry.SubjectExists("pitches.rows-value"))
	down.Store(false)
	s.waitReady(200, "")
	require.Contains(t, s.command("schema", "check", "--rows-format=avro", at), "registered as version 1")

	down.Store(true)
	send(framed(0, 1), framed(41, 2), framed(77, 3))
	s.waitReady(503, "schema-registry: schema registry: HTTP status 503")
	require.Zero(t, s.letters())
	down.Store(false)
	s.waitReady(200, "")

	rows := s.fetch("pitches.rows", 2)
	avro, found := registry.GetSchema("pitches.rows-value", 1)
	require.True(t, found)
	for _, r := range rows {
		require.Equal(t, binary.BigEndian.AppendUint32([]byte{0}, uint32(avro.ID)), r.Value[:5])
	}
	letter := s.fetch("pitches.dead", 1)[0]
	require.Equal(t, framed(77, 3).Value, letter.Value)
	verify := append([]string{"verify", "--wait=10s"}, s.args...)
	require.Contains(t, s.command(verify...), "no difference")

	registry.SeedSchema("pitches.late-value", 1, 77, sr.Schema{Schema: `{"type":"object"}`, Type: sr.TypeJSON})
	stop() // a processor asks again after 30 seconds, or when it starts
	s.start("--rows-format=avro")
	s.command("dlq", "retry", s.args[0], s.args[1], at)
	again := s.fetch("pitches.raw", 4)
	require.Equal(t, framed(77, 3).Value, again[len(again)-1].Value)
	require.Contains(t, string(s.fetch("pitches.rows", 3)[2].Key), schemas.PitchID{3}.String())
	require.Contains(t, s.command(verify...), "no difference")
}

func TestRowsWithASchemaNeedARegistry(t *testing.T) {
	for _, command := range []string{"run", "replay --into=live"} {
		args := append(strings.Fields(command), "--rows-format=avro", "--kafka-brokers=h:1", "--postgres-url=postgres://h/d",
			"--redis-url=redis://h")
		var stderr strings.Builder
		status := run(t.Context(), args, &stdio{In: strings.NewReader(""), Out: &stderr, Err: &stderr})
		require.Equal(t, exitUsage, status)
		require.Contains(t, stderr.String(), "--schema-registry-url is missing")
	}
}
