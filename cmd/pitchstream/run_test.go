package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// station holds Kafka in memory and real stores, prepared by the commands topics and migrate.
type station struct {
	t       *testing.T
	cluster *kfake.Cluster
	admin   string
	args    []string // of every command
}

func newStation(t *testing.T) *station {
	t.Helper()
	return newStationAt(t, testkit.Postgres(t))
}

// newStationAt returns a station with this Postgres.
func newStationAt(t *testing.T, postgres string) *station {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	s := &station{t: t, cluster: cluster, admin: testkit.FreeAddr(), args: []string{
		"--kafka-brokers=" + strings.Join(cluster.ListenAddrs(), ","), "--postgres-url=" + postgres,
		"--redis-url=redis://" + testkit.Redis(t), "--redis-prefix=" + testkit.Name(t) + ":",
	}}
	s.command("topics", s.args[0])
	s.command("migrate", s.args[1])
	return s
}

func (s *station) command(args ...string) (out string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(s.t.Context(), args, &stdio{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	require.Zero(s.t, status, "%v: %s", args, stderr.String())
	return stdout.String()
}

// loadBroken sends 200 records that are no pitches, of which load complains.
func (s *station) loadBroken() {
	s.t.Helper()
	args := []string{"load", s.args[0], "--game=1", "-"}
	var stderr bytes.Buffer
	in := strings.NewReader(strings.Repeat("{\"broken\n", 200))
	require.Equal(s.t, 1, run(s.t.Context(), args, &stdio{In: in, Out: io.Discard, Err: &stderr}))
	require.Contains(s.t, stderr.String(), "none of 200 records is a pitch: all become dead letters")
}

// start runs a processor. stop ends it and waits for its end.
func (s *station) start(args ...string) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended, log := make(chan int, 1), &lockedBuffer{}
	go func() {
		ended <- run(ctx, append(append([]string{"run", "--admin-addr=" + s.admin}, s.args...), args...), &stdio{In: strings.NewReader(""), Out: io.Discard, Err: log})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if status := <-ended; status != exitOK {
			s.t.Errorf("status %d:\n%s", status, log.String())
		}
	})
	s.t.Cleanup(stop)
	return stop
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ask returns status and body of an admin page; 0 while no server answers.
func (s *station) ask(method, path string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.admin+path, nil)
	require.NoError(s.t, err)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode, string(body)
}

// waitReady waits until /readyz has this status and its body contains this text.
func (s *station) waitReady(status int, says string) {
	s.t.Helper()
	var code int
	var body string
	ok := func() bool {
		code, body = s.ask("GET", "/readyz")
		return code == status && strings.Contains(body, says)
	}
	require.Eventually(s.t, ok, 30*time.Second, 50*time.Millisecond, "%d %s", status, says)
}

func (s *station) letters() (n int64) {
	for _, p := range s.cluster.PartitionInfos("pitches.dead") {
		n += p.LastStableOffset
	}
	return n
}

// An operator sees the reason and that the process is alive. A reset or a restart lets it continue.
func TestRunHoldsWhenTooManyRecordsAreRejected(t *testing.T) {
	s := newStation(t)
	s.loadBroken()
	stop := s.start("--breaker-in-a-row=100", "--poll-max-records=20")
	s.waitReady(503, "breaker: 100 records in a row were rejected, as pitches.raw/")
	code, body := s.ask("GET", "/healthz")
	require.Equal(t, 200, code, body)
	_, metrics := s.ask("GET", "/metrics")
	require.Contains(t, metrics, "\npitchstream_breaker_open 1\n")
	require.Less(t, s.letters(), int64(100))

	code, body = s.ask("POST", "/breaker/reset")
	require.Equal(t, 200, code, body)
	require.Eventually(t, func() bool { return s.letters() >= 100 }, 30*time.Second, 20*time.Millisecond)
	s.waitReady(503, "breaker: 100 records in a row")
	stop()

	s.start("--breaker-in-a-row=0", "--breaker-share=0")
	s.waitReady(200, "")
	require.Eventually(t, func() bool { return s.letters() >= 200 }, 30*time.Second, 20*time.Millisecond)
	code, body = s.ask("POST", "/breaker/reset")
	require.Equal(t, http.StatusConflict, code, body)
}

func TestRunReportsUnavailableServers(t *testing.T) {
	s := newStation(t)
	s.args[1] = fmt.Sprintf("--postgres-url=postgres://nobody@%s/none?sslmode=disable", testkit.FreeAddr())
	s.start()
	s.waitReady(503, "postgres: ")
	code, _ := s.ask("GET", "/healthz")
	require.Equal(t, 200, code)
}

// A processor that starts while Kafka is unavailable waits for it.
func TestRunWaitsForKafka(t *testing.T) {
	s := newStation(t)
	there := s.args[0]
	s.args[0] = "--kafka-brokers=" + testkit.FreeAddr()
	stop := s.start()
	s.waitReady(503, "kafka: ")
	stop()
	s.args[0] = there
	s.start()
	s.waitReady(200, "")
}
