package processor

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
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
	"github.com/pitchstream/pitchstream/sink/redissink"
)

func TestRunShowsThatPostgresIsUnavailableAndStopsOnCancel(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	o := Options{
		Kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Group: "pitchstream",
		RawTopic: "pitches.raw", RowsTopic: "pitches.rows", DeadTopic: "pitches.dead",
		Postgres: pgsink.Config{
			URL: "postgres://nobody@" + testkit.FreeAddr() + "/none?sslmode=disable", Schema: "pitchstream",
		},
		Redis:         redissink.Config{URL: "redis://" + miniredis.RunT(t).Addr(), Prefix: "ps:live:"},
		ServingSchema: "pitchstream_serving", LivePrefix: "ps:live:",
		AdminAddr: testkit.FreeAddr(), Log: slog.New(slog.DiscardHandler),
		Hint: func(error) string { return "start the server" },
	}
	client, err := kgo.NewClient(o.Kafka...)
	require.NoError(t, err)
	defer client.Close()
	topics := kafkasink.Topics(kafkasink.TopicsConfig{
		Raw: o.RawTopic, Rows: o.RowsTopic, Dead: o.DeadTopic, Partitions: 1,
	})
	_, err = kafkasink.EnsureTopics(t.Context(), kadm.NewClient(client), topics, false)
	require.NoError(t, err)

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
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	o := Options{
		Kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Group: "pitchstream",
		RawTopic: "pitches.raw", RowsTopic: "pitches.rows", DeadTopic: "pitches.dead",
		Postgres: pgsink.Config{
			URL: testkit.PostgresOf(t, testkit.Postgres(t), "LATIN1"), Schema: "pitchstream",
		},
		Redis: redissink.Config{URL: "redis://" + miniredis.RunT(t).Addr(), Prefix: "ps:live:"},
		Log:   slog.New(slog.DiscardHandler),
	}
	client, err := kgo.NewClient(o.Kafka...)
	require.NoError(t, err)
	defer client.Close()
	topics := kafkasink.Topics(kafkasink.TopicsConfig{
		Raw: o.RawTopic, Rows: o.RowsTopic, Dead: o.DeadTopic, Partitions: 1,
	})
	_, err = kafkasink.EnsureTopics(t.Context(), kadm.NewClient(client), topics, false)
	require.NoError(t, err)
	require.ErrorIs(t, Run(t.Context(), o), pgsink.ErrEncoding)
}

func TestRunRefusesAnAdminAddressInUse(t *testing.T) {
	o := Options{
		Postgres: pgsink.Config{URL: "postgres://nobody@" + testkit.FreeAddr() + "/none", Schema: "pitchstream"},
		Redis:    redissink.Config{URL: "redis://" + testkit.FreeAddr(), Prefix: "ps:live:"},
		Log:      slog.New(slog.DiscardHandler), AdminAddr: "127.0.0.1:99999",
	}
	require.ErrorContains(t, Run(t.Context(), o), "listen tcp")
}

// ready returns the status and body of /readyz; 0 while nobody answers.
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
