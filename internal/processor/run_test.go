package processor

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// runnable returns options for Run, with topics in a Kafka of their own and an empty Redis.
func runnable(t *testing.T, postgres string) Options {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	o := Options{
		Kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Group: "pitchstream",
		RawTopic: "pitches.raw", RowsTopic: "pitches.rows", DeadTopic: "pitches.dead",
		Postgres:      pgsink.Config{URL: postgres, Schema: "pitchstream"},
		Redis:         redissink.Config{URL: "redis://" + miniredis.RunT(t).Addr(), Prefix: "ps:live:"},
		ServingSchema: "pitchstream_serving", LivePrefix: "ps:live:",
		AdminAddr: testkit.FreeAddr(), Log: slog.New(slog.DiscardHandler),
	}
	client, err := kgo.NewClient(o.Kafka...)
	require.NoError(t, err)
	defer client.Close()
	topics := kafkasink.Topics(kafkasink.TopicsConfig{
		Raw: o.RawTopic, Rows: o.RowsTopic, Dead: o.DeadTopic, Partitions: 1,
	})
	_, err = kafkasink.EnsureTopics(t.Context(), kadm.NewClient(client), topics, false)
	require.NoError(t, err)
	return o
}

func TestRunShowsThatPostgresIsUnavailableAndStopsOnCancel(t *testing.T) {
	o := runnable(t, "postgres://nobody@"+testkit.FreeAddr()+"/none?sslmode=disable")
	o.Hint = func(error) string { return "start the server" }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	var body string
	require.Eventually(t, func() bool {
		var status int
		status, body = ready(o.AdminAddr)
		return status == http.StatusServiceUnavailable && strings.Contains(body, "postgres: ") &&
			strings.Contains(body, "; start the server")
	}, time.Minute, 20*time.Millisecond, &body)
	cancel()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("Run does not return after its context ended")
	}
}

func TestRunRefusesADatabaseOfAnotherEncoding(t *testing.T) {
	o := runnable(t, testkit.PostgresOf(t, testkit.Postgres(t), "LATIN1"))
	require.ErrorIs(t, Run(t.Context(), o), pgsink.ErrEncoding)
}

// guard: nothing touches a schema that lacks a migration
func TestRunWaitsForItsMigrationsAndNamesThoseOfANewerBuild(t *testing.T) {
	o := runnable(t, testkit.Postgres(t))
	store, err := o.OpenStore()
	require.NoError(t, err)
	defer store.Close()
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	exec := func(sql string) {
		t.Helper()
		_, err := store.DB().Pool.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec(`CREATE TABLE kept AS SELECT * FROM pitchstream.schema_migrations WHERE version = 9;
		DELETE FROM pitchstream.schema_migrations WHERE version = 9;
		ALTER TABLE pitchstream.stream_positions RENAME COLUMN topic_id TO away`)

	var log lockedBuffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), o) }()
	says := func(wantStatus int, text string) {
		t.Helper()
		var status int
		var body string
		require.Eventually(t, func() bool {
			status, body = ready(o.AdminAddr)
			return status == wantStatus && strings.Contains(body, text)
		}, time.Minute, 20*time.Millisecond, "%s, want %s", &body, text)
	}
	says(http.StatusServiceUnavailable, "lacks migrations of this build (0009_topic_ids): run `pitchstream migrate`")
	exec(`ALTER TABLE pitchstream.stream_positions RENAME COLUMN away TO topic_id;
		INSERT INTO pitchstream.schema_migrations SELECT * FROM kept`)
	says(http.StatusOK, "{")
	require.NotContains(t, log.String(), "42703", "no statement met a column that is missing")

	exec(`INSERT INTO pitchstream.schema_migrations VALUES (9000, 'more_columns', '')`)
	says(http.StatusOK, "a newer build has applied [9000_more_columns]")
	require.Contains(t, log.String(), "unknown=[9000_more_columns]")
	exec(`INSERT INTO pitchstream.schema_migrations VALUES (9001, 'other_registers_breaking', '')`)
	require.ErrorIs(t, <-ended, pgsink.ErrNewerSchema)
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestRunRefusesAnAdminAddressInUse(t *testing.T) {
	o := Options{
		Postgres: pgsink.Config{URL: "postgres://nobody@" + testkit.FreeAddr() + "/none", Schema: "pitchstream"},
		Redis:    redissink.Config{URL: "redis://" + testkit.FreeAddr(), Prefix: "ps:live:"},
		Log:      slog.New(slog.DiscardHandler), AdminAddr: "127.0.0.1:99999",
	}
	require.ErrorContains(t, Run(t.Context(), o), "listen tcp")
}

// ready returns the status and body of /readyz; 0 while no server answers.
func ready(addr string) (status int, body string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}
