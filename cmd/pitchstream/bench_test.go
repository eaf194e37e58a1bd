package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/bench"
)

// traces returns the names of everything that bench has left behind on the servers.
func (s *station) traces() (names []string) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.ListenAddrs()...))
	require.NoError(s.t, err)
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(s.t.Context())
	require.NoError(s.t, err)
	groups, err := kadm.NewClient(client).ListGroups(s.t.Context())
	require.NoError(s.t, err)
	names = append(topics.Names(), groups.Groups()...)

	conn, err := pgx.Connect(s.t.Context(), strings.TrimPrefix(s.args[1], "--postgres-url="))
	require.NoError(s.t, err)
	defer conn.Close(s.t.Context())
	rows, err := conn.Query(s.t.Context(), `SELECT nspname FROM pg_namespace`)
	require.NoError(s.t, err)
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(s.t, err)

	stored := redis.NewClient(&redis.Options{Addr: strings.TrimPrefix(s.args[2], "--redis-url=redis://")})
	defer stored.Close()
	keys, err := stored.Keys(s.t.Context(), "ps:bench:*").Result()
	require.NoError(s.t, err)
	names = append(append(names, schemas...), keys...)
	return slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, "bench") })
}

func TestBenchMeasuresEveryStageAndLeavesNothing(t *testing.T) {
	s := newStation(t)
	profile := filepath.Join(t.TempDir(), "cpu.out")
	out := s.command(append([]string{"bench", "--json", "--pitches=60", "--rounds=2", "--rate=50", "--for=400ms",
		"--pprof=" + profile}, s.args...)...)
	var report bench.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	assert.NotEmpty(t, report.Conditions.CPU)
	assert.NotZero(t, report.Conditions.Cores)
	assert.Contains(t, report.Data, "--seed 1 --pitches 60")

	wants := map[string]string{
		"decode": "records values allocations", "transform": "records values allocations", "postgres": "records a transaction of 60, p50",
		"redis": "records batters a push, p99", "stream": "records values a loop that only polls share of that loop time in postgres",
		"latency": "sent to acknowledged, p50 sent to readable in Redis, p50 sent to readable in Redis, p99",
	}
	require.Len(t, report.Stages, len(wants))
	for _, stage := range report.Stages {
		assert.Empty(t, stage.Skipped, stage.Stage)
		for _, m := range stage.Measures {
			wants[stage.Stage] = strings.TrimSpace(strings.Replace(wants[stage.Stage], m.Name, "", 1))
			assert.Len(t, m.Runs, 2, "%s %s", stage.Stage, m.Name)
			assert.True(t, m.Least <= m.Median && m.Median <= m.Most && m.Most > 0, "%s %+v", stage.Stage, m)
		}
		assert.Empty(t, strings.ReplaceAll(wants[stage.Stage], " ", ""), stage.Stage)
	}
	assert.Empty(t, s.traces())
	info, err := os.Stat(profile)
	require.NoError(t, err)
	assert.NotZero(t, info.Size())
}

// interrupter cancels a context at the first line that contains the words.
type interrupter struct {
	lockedBuffer
	at     string
	cancel context.CancelFunc
}

func (i *interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(i.at)) {
		i.cancel()
	}
	return i.lockedBuffer.Write(p)
}

func TestInterruptedBenchLeavesNothing(t *testing.T) {
	s := newStation(t)
	for _, stage := range []string{"postgres", "redis", "stream", "latency"} {
		ctx, cancel := context.WithCancel(t.Context())
		log := &interrupter{at: stage + ", round 1", cancel: cancel}
		args := append([]string{"bench", stage, "--pitches=60", "--for=1s"}, s.args...)
		assert.Equal(t, exitFailed, run(ctx, args, &stdio{Out: new(bytes.Buffer), Err: log}), stage)
		assert.Contains(t, log.String(), "context canceled", stage)
		assert.NotContains(t, log.String(), "not removed", stage)
		assert.Empty(t, s.traces(), stage)
	}
}

func withoutServers(t *testing.T) {
	for _, name := range []string{"KAFKA_BROKERS", "POSTGRES_URL", "POSTGRES_URL_FILE", "REDIS_URL",
		"REDIS_URL_FILE"} {
		t.Setenv("PITCHSTREAM_"+name, "")
	}
}

func TestBenchSkipsStagesWithoutTheirServer(t *testing.T) {
	withoutServers(t)
	status, out, _ := runCLI(t, "bench", "--pitches=20", "--rounds=1")
	assert.Equal(t, exitOK, status)
	assert.Contains(t, out, "decode: bytes of a record to its row")
	assert.Contains(t, out, "postgres: skipped: --postgres-url not given")
	assert.Contains(t, out, "stream: skipped: --kafka-brokers and --postgres-url and --redis-url not given")
}

func TestBenchRejectsWrongFlags(t *testing.T) {
	withoutServers(t)
	for flags, want := range map[string]string{
		"stream --redis-url=h":         "stage stream: --kafka-brokers and --postgres-url not given",
		"everything":                   `stage "everything": want decode, transform`,
		"--pitches=1":                  "--pitches=1: want 10 or more",
		"--rounds=0":                   "--rounds=0: want 1 or more",
		"--rate=0":                     "--rate=0: want more than 0",
		"--for=1ms":                    "--for=1ms: want 100ms or more",
		"decode --redis-url=http://h":  "--redis-url=http://h: want redis://",
		"decode --kafka-brokers=b:0":   "want host:port",
		"decode --pprof=/nowhere/cpu":  "/nowhere/cpu",
		"decode --postgres-url=a://b:": "--postgres-url",
	} {
		status, _, errs := runCLI(t, append([]string{"bench"}, strings.Fields(flags)...)...)
		assert.NotEqual(t, exitOK, status, flags)
		assert.Contains(t, errs, want, flags)
	}
}
