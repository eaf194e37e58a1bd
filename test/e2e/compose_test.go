package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// The compose file from nothing: topics, schema, processor and API come up by themselves, and a record goes
// through.
func TestComposeFromNothing(t *testing.T) {
	compose := composeCommand(t)
	build := exec.Command("make", "build")
	build.Dir = testkit.Root()
	b, err := build.CombinedOutput()
	require.NoError(t, err, string(b))

	kafka, postgres, admin, api, watch := testkit.FreePort(), testkit.FreePort(), testkit.FreePort(),
		testkit.FreePort(), testkit.FreePort()
	env := append(os.Environ(), "PITCHSTREAM_DOCKERFILE=deploy/Dockerfile.binary", "PITCHSTREAM_IMAGE=pitchstream:test",
		"KAFKA_PORT="+kafka, "POSTGRES_PORT="+postgres, "REDIS_PORT="+testkit.FreePort(), "ADMIN_PORT="+admin, "API_PORT="+api, "API_ADMIN_PORT="+testkit.FreePort(), "PROMETHEUS_PORT="+watch)
	project := strings.ToLower(testkit.Name(t))
	run := func(ctx context.Context, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, compose[0], append(compose[1:], append([]string{"-p", project}, args...)...)...)
		cmd.Dir, cmd.Env = testkit.Root(), env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if t.Failed() {
			logs, _ := run(ctx, "logs", "--tail=20")
			t.Log(logs)
		}
		out, err := run(ctx, "--profile", "observability", "down", "-v")
		require.NoError(t, err, out)
	})
	out, err := run(t.Context(), "up", "-d", "--build")
	require.NoError(t, err, out)

	w := &stack.Stack{T: t, Patience: 2 * time.Minute}
	defer http.DefaultClient.CloseIdleConnections()
	answers := func(port, path string) bool {
		resp, err := http.Get("http://127.0.0.1:" + port + path)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	w.WaitFor("the processor is ready", func() bool { return answers(admin, "/readyz") })
	client, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:" + kafka))
	require.NoError(t, err)
	defer client.Close()
	record := `{"summary_acts":{"pitch":{"eventId":"c9e9c616-612e-7696-a6ce-cc1b78e51061","type":"Sinker"}}}`
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "pitches.raw", Key: []byte("716404"), Value: []byte(record)}).FirstErr())
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://pitchstream:pitchstream@127.0.0.1:%s/pitchstream?sslmode=disable", postgres))
	require.NoError(t, err)
	defer conn.Close(context.Background())
	w.WaitFor("the row is in Postgres", func() bool {
		var kind string
		return conn.QueryRow(t.Context(), `SELECT pitch_type FROM pitchstream.pitches`).Scan(&kind) == nil && kind == "Sinker"
	})
	w.WaitFor("the API answers with it", func() bool { return answers(api, "/v1/pitches/c9e9c616-612e-7696-a6ce-cc1b78e51061") })
	require.True(t, answers(api, "/"), "the dashboard")
	for _, service := range []string{"processor", "api"} {
		w.WaitFor(service+" is healthy", func() bool {
			out, err := run(t.Context(), "ps", service)
			return err == nil && strings.Contains(out, "(healthy)")
		})
	}
	composeWatched(t, w, run, &prometheus{port: watch, kafka: kafka, api: api})
}

// composeCommand is `docker compose`, or the older docker-compose; without either, or without an engine, the
// test is skipped (fails under CI).
func composeCommand(t *testing.T) []string {
	t.Helper()
	if os.Getenv("PITCHSTREAM_TEST_CONTAINERS") != "off" && exec.Command("docker", "info").Run() == nil {
		if exec.Command("docker", "compose", "version").Run() == nil {
			return []string{"docker", "compose"}
		}
		if exec.Command("docker-compose", "version").Run() == nil {
			return []string{"docker-compose"}
		}
	}
	testkit.Unavailable(t, "needs a container engine and docker compose")
	return nil
}
