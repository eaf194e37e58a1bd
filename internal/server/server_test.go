package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// testOptions returns options over a migrated Postgres, an empty Redis and Kafka in memory, and clients of
// two of them.
func testOptions(t *testing.T) (Options, *kgo.Client, *pgsink.Sink) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	o := Options{
		Addr: "127.0.0.1:0", Kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, RawTopic: "pitches.raw", DeadTopic: "pitches.dead",
		Postgres: pgsink.Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "pitchstream"}, ServingSchema: "pitchstream_serving",
		Redis: redissink.Config{URL: "redis://" + testkit.Redis(t), Prefix: testkit.Name(t) + ":"}, Log: slog.New(slog.DiscardHandler),
	}
	client, err := kgo.NewClient(o.Kafka...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	topics := kafkasink.Topics(kafkasink.TopicsConfig{Raw: "pitches.raw", Rows: "pitches.rows", Dead: "pitches.dead", Partitions: 1})
	_, err = kafkasink.EnsureTopics(t.Context(), kadm.NewClient(client), topics, false)
	require.NoError(t, err)
	store, err := pgsink.Open(o.Postgres)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	return o, client, store
}

func TestServerRefusesADatabaseOfAnotherEncoding(t *testing.T) {
	o, _, _ := testOptions(t)
	o.Postgres.URL = testkit.PostgresOf(t, o.Postgres.URL, "LATIN1")
	require.ErrorIs(t, Run(t.Context(), o), pgsink.ErrEncoding)
}

// guard: server: a schema that lacks a migration is named
func TestServerNamesAMigrationThatIsMissing(t *testing.T) {
	o, _, store := testOptions(t)
	o.AdminAddr = testkit.FreeAddr()
	exec := func(sql string) {
		t.Helper()
		_, err := store.DB().Pool.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec(`CREATE TABLE kept AS SELECT * FROM pitchstream.schema_migrations WHERE version = 9;
		DELETE FROM pitchstream.schema_migrations WHERE version = 9`)
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), o) }()
	var err error
	require.Eventually(t, func() bool {
		err = CheckReady(t.Context(), o.AdminAddr)
		return err != nil && strings.Contains(err.Error(), "lacks migrations of this build (0009_topic_ids)")
	}, time.Minute, 20*time.Millisecond, &err)
	exec(`INSERT INTO pitchstream.schema_migrations SELECT * FROM kept`)
	ready := func() bool { return CheckReady(t.Context(), o.AdminAddr) == nil }
	require.Eventually(t, ready, time.Minute, 20*time.Millisecond)
	exec(`INSERT INTO pitchstream.schema_migrations VALUES (9001, 'other_views_breaking', '')`)
	require.ErrorIs(t, <-ended, pgsink.ErrNewerSchema)
}

// guard: server: requests are taken while load balancers notice
// guard: server: a store that does not answer is named
func TestServerNamesAStoreThatDoesNotAnswer(t *testing.T) {
	o, _, _ := testOptions(t)
	o.AdminAddr, o.Redis.URL = testkit.FreeAddr(), "redis://"+testkit.FreeAddr()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	page := ""
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + o.AdminAddr + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		page = string(body)
		return resp.StatusCode == http.StatusOK && strings.Contains(page, `"redis: `)
	}, time.Minute, 20*time.Millisecond, &page)
	require.NotContains(t, page, `"postgres: `)
	stop()
	require.NoError(t, <-ended)
}

func TestServerAnswersUntilItsContextEnds(t *testing.T) {
	o, _, _ := testOptions(t)
	o.AdminAddr, o.DrainWait = testkit.FreeAddr(), 2*time.Second
	ctx, cancel := context.WithCancel(t.Context())
	started, ended := make(chan string, 1), make(chan error, 1)
	o.Started = func(addr string) { started <- addr }
	go func() { ended <- Run(ctx, o) }()
	url := "http://" + <-started
	ready := func() bool { return CheckReady(t.Context(), o.AdminAddr) == nil }
	require.Eventually(t, ready, time.Minute, 20*time.Millisecond)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, status := range map[string]int{"/openapi.json": 200, "/": 200, "/v1/batters/1": 404, "/v1/letters": 200} {
		resp, err := client.Get(url + path)
		require.NoError(t, err)
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		require.Equal(t, status, resp.StatusCode, "%s: %s", path, body)
	}
	cancel()
	require.Eventually(t, func() bool { return !ready() }, time.Minute, time.Millisecond)
	resp, err := client.Get(url + "/openapi.json")
	require.NoError(t, err, "it still answers while load balancers notice that it is not ready")
	require.NoError(t, resp.Body.Close())
	require.NoError(t, <-ended)
	require.Error(t, CheckReady(t.Context(), o.AdminAddr))
}

// guard: server: a key may be as long as a record
// guard: bytes: one dead letter is read at a time
func TestDeadLetterReportReadsTheTopicOnce(t *testing.T) {
	o, client, store := testOptions(t)
	encoder := kafkasink.Encoder{DeadTopic: o.DeadTopic, Group: "pitchstream", Build: "old"}
	var decisions []schemas.DeadLetterDecision
	for i, value := range []string{`{"torn`, `[1]`, `{"torn too`, `{"also torn`} {
		origin := schemas.Coordinates{Topic: o.RawTopic, Offset: int64(i), TimestampMS: 1_700_000_000_000}
		l := schemas.DeadLetter{Record: schemas.Record{Coordinates: origin, Value: []byte(value)}, Origin: origin, Code: schemas.CodeMalformedJSON, Message: "torn"}
		if value == "[1]" {
			l.Code, l.Message = schemas.CodeNotAPitch, "no pitch"
		}
		require.NoError(t, client.ProduceSync(t.Context(), encoder.DeadLetter(l, time.Now())).FirstErr())
		decisions = append(decisions, schemas.DeadLetterDecision{ID: schemas.DeadLetterID{Origin: origin, Attempts: 1}, Action: schemas.DeadLetterDiscarded, Reason: "torn", By: "me"})
	}
	require.NoError(t, pgbooks.NewDeadLetters(store.DB()).DecideDeadLetters(t.Context(), decisions[:1]))

	dead, err := openDeadLetters(o)
	require.NoError(t, err)
	defer dead.close()
	report, err := dead.DeadLetterReport(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, report.Letters)
	require.EqualValues(t, 1, report.Discarded)
	require.EqualValues(t, 3, report.Open)
	require.NotZero(t, report.ReadAt)
	again, err := dead.DeadLetterReport(t.Context())
	require.NoError(t, err)
	require.Equal(t, report.ReadAt, again.ReadAt, "the topic is not read for each request")

	l, err := dead.Letter(t.Context(), 0, 0)
	require.NoError(t, err)
	require.EqualValues(t, schemas.CodeMalformedJSON, l.Code)
	require.Equal(t, "discarded", l.Status)
	require.Equal(t, "torn", l.Decision.Reason)
	require.Equal(t, "fails", l.Today)
	require.Len(t, l.SHA256, 64)
	long := kgo.Record{Topic: o.DeadTopic, Key: bytes.Repeat([]byte("k"), 64<<10), Value: []byte("x"),
		Headers: []kgo.RecordHeader{{Key: "big", Value: bytes.Repeat([]byte("h"), 64<<10)}}}
	require.NoError(t, client.ProduceSync(t.Context(), &long).FirstErr())
	l, err = dead.Letter(t.Context(), 0, long.Offset)
	require.NoError(t, err)
	require.Len(t, l.Key, textBytes+len("…"))
	require.Len(t, l.Headers[0].Value, textBytes+len("…"))

	require.True(t, dead.turn.TryAcquire(1))
	waiting, end := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer end()
	_, err = dead.Letter(waiting, 0, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	dead.turn.Release(1)

	for _, at := range []schemas.Coordinates{{Offset: 1 << 40}, {Partition: 99}} {
		none, err := dead.Letter(t.Context(), at.Partition, at.Offset)
		require.NoError(t, err)
		require.Nil(t, none)
	}
}
