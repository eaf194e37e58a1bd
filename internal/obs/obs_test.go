package obs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quiet discards what is logged.
var quiet = slog.New(slog.DiscardHandler)

func TestLoggerHasAFormatAndALevel(t *testing.T) {
	for _, c := range []struct{ format, level, want string }{
		{"text", "info", `level=INFO msg=hello n=1`},
		{"json", "debug", `"msg":"hello","n":1}`},
		{"auto", "info", `"msg":"hello","n":1}`},
		{"json", "warn", ``},
	} {
		var out bytes.Buffer
		log, err := NewLogger(&out, c.format, c.level)
		require.NoError(t, err)
		log.Info("hello", "n", 1)
		require.True(t, strings.HasSuffix(strings.TrimSpace(out.String()), c.want), out.String())
		require.Equal(t, c.want == "", out.Len() == 0)
	}
	_, err := NewLogger(os.Stderr, "xml", "info")
	require.EqualError(t, err, `log format "xml": want auto, text or json`)
	_, err = NewLogger(os.Stderr, "text", "loud")
	require.EqualError(t, err, `log level "loud": want debug, info, warn or error`)
}

func TestEveryMetricIsZeroFromTheStart(t *testing.T) {
	text := scrape(t, NewProcessorMetrics("v1.2.3", []string{"malformed_json", "too_large"}, []string{"inning"}))
	for _, line := range []string{
		`pitchstream_build_info{version="v1.2.3"} 1`,
		`pitchstream_records_total 0`,
		`pitchstream_arrival_time_records_total 0`,
		`pitchstream_bytes_total 0`,
		`pitchstream_rows_total 0`,
		`pitchstream_lost_total 0`,
		`pitchstream_superseded_total 0`,
		`pitchstream_letters_total{code="malformed_json"} 0`,
		`pitchstream_letters_total{code="too_large"} 0`,
		`pitchstream_issues_total{column="inning"} 0`,
		`pitchstream_issues_total{column="other"} 0`,
		`pitchstream_store_errors_total{store="redis"} 0`,
		`pitchstream_store_up{store="postgres"} 0`,
		`pitchstream_redis_phase{phase="away"} 0`,
		`pitchstream_batch_duration_seconds_count{step="decode"} 0`,
		`pitchstream_batch_duration_seconds_count{step="commit"} 0`,
		`pitchstream_commit_timestamp_seconds 0`,
		`pitchstream_ready 0`,
	} {
		require.Contains(t, text, "\n"+line+"\n")
	}
	require.Contains(t, text, "\ngo_goroutines ")
}

// guard: metrics: an unknown column makes no series
func TestCountsAreInPrometheusAndInTheTotals(t *testing.T) {
	m := NewProcessorMetrics("dev", nil, []string{"inning"})
	m.Committed(10, 1000, 7, 2)
	m.Committed(1, 100, 1, 0)
	m.DeadLetters("too_large", 1)
	m.Issues(map[string]int{"inning:type": 2, "inning:range": 1, "made-up:type": 4})
	m.Failed("postgres")
	m.Step("redis", time.Millisecond, "")
	m.Phase("mending")
	m.Swept("ok", 3)
	m.Skipped()
	m.Position("pitches.raw", 1, 17, time.Time{})
	m.Lag("pitches.raw", 0, 5)
	m.Lag("pitches.raw", 1, 6)
	m.Lag("pitches.raw", 0, 4)
	want := Totals{Records: 11, Bytes: 1100, Rows: 8, Superseded: 2, DeadLetters: 1, LagRecords: 10}
	require.Equal(t, want, m.Totals())
	text := scrape(t, m)
	for _, line := range []string{
		`pitchstream_records_total 11`,
		`pitchstream_bytes_total 1100`,
		`pitchstream_rows_total 8`,
		`pitchstream_lost_total 2`,
		`pitchstream_superseded_total 2`,
		`pitchstream_letters_total{code="too_large"} 1`,
		`pitchstream_issues_total{column="inning"} 3`,
		`pitchstream_issues_total{column="other"} 4`,
		`pitchstream_store_errors_total{store="postgres"} 1`,
		`pitchstream_store_up{store="redis"} 1`,
		`pitchstream_redis_phase{phase="mending"} 1`,
		`pitchstream_redis_phase{phase="ok"} 0`,
		`pitchstream_redis_sweeps_total{outcome="ok"} 1`,
		`pitchstream_redis_mended_batters_total 3`,
		`pitchstream_redis_skipped_pushes_total 1`,
		`pitchstream_position_offset{partition="1",topic="pitches.raw"} 17`,
		`pitchstream_lag_seconds{partition="1",topic="pitches.raw"} 0`,
		`pitchstream_lag_records{partition="0",topic="pitches.raw"} 4`,
		`pitchstream_batch_duration_seconds_count{step="redis"} 1`,
	} {
		require.Contains(t, text, "\n"+line+"\n")
	}
	require.NotContains(t, text, "pitchstream_commit_timestamp_seconds 0")

	m.Lag("pitches.raw", 0, -1)
	require.EqualValues(t, 6, m.Totals().LagRecords)
	require.NotContains(t, scrape(t, m), `partition="0"`)
}

func TestMetricNamesFollowPrometheus(t *testing.T) {
	families, err := NewProcessorMetrics("dev", nil, nil).Registry.Gather()
	require.NoError(t, err)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestKafkaClientsHaveTheirOwnSeries(t *testing.T) {
	m := NewMetrics("dev")
	for _, name := range []string{"consumer", "admin"} {
		c, err := kgo.NewClient(m.Kafka(name, quiet)...)
		require.NoError(t, err)
		defer c.Close()
	}
	text := scrape(t, m)
	require.Contains(t, text, `pitchstream_kafka_buffered_fetch_records_total{client="admin"} 0`)
	require.Contains(t, text, `pitchstream_kafka_buffered_fetch_records_total{client="consumer"} 0`)
}

// The gauges are about the clients that are open, whichever came first.
//
// guard: obs: a client that is closed counts no more
func TestTheGaugesOfKafkaClientsOfOneNameAreOfAllThatAreOpen(t *testing.T) {
	const series = `pitchstream_kafka_buffered_produce_records_total{client="processor"} %d`
	m := NewMetrics("dev")
	options := append(m.Kafka("processor", quiet), kgo.DefaultProduceTopic("t"), kgo.ManualFlushing())
	open := func(records int) *kgo.Client {
		c, err := kgo.NewClient(options...)
		require.NoError(t, err)
		for range records {
			c.Produce(t.Context(), &kgo.Record{Value: []byte("x")}, nil)
		}
		return c
	}
	first, second := open(1), open(2)
	require.Contains(t, scrape(t, m), fmt.Sprintf(series, 3))
	first.Close()
	require.Contains(t, scrape(t, m), fmt.Sprintf(series, 2))
	third := open(4)
	require.Contains(t, scrape(t, m), fmt.Sprintf(series, 6))
	second.Close()
	third.Close()
	require.NotContains(t, scrape(t, m), "buffered_produce_records_total")
}

// A processor that refills a store has a second client beside the one of its session.
//
// guard: obs: clients that are open together share their metrics
// guard: obs: metrics stay until the last client is closed
func TestKafkaClientsOfOneNameShareTheirSeries(t *testing.T) {
	const series = `pitchstream_kafka_buffered_fetch_records_total{client="processor"} 0`
	m := NewMetrics("dev")
	options := m.Kafka("processor", quiet)
	open := func() *kgo.Client {
		c, err := kgo.NewClient(options...)
		require.NoError(t, err)
		return c
	}
	for range 2 { // a session ends, and the next one begins
		session, refill := open(), open()
		refill.Close()
		require.Contains(t, scrape(t, m), series)
		refill = open()
		session.Close()
		require.Contains(t, scrape(t, m), series)
		refill.Close()
		require.NotContains(t, scrape(t, m), series)
	}
}

func TestProcessIsReadyWhenAllChecksPass(t *testing.T) {
	var log bytes.Buffer
	m := NewMetrics("dev")
	h := NewHealth(slog.New(slog.NewJSONHandler(&log, nil)), m, "postgres", "assigned")
	said := func() string {
		ready, reasons := h.Ready()
		require.Equal(t, ready, strings.Contains(scrape(t, m), "\npitchstream_ready 1\n"))
		require.Equal(t, ready, len(reasons) == 0)
		require.Equal(t, !strings.Contains(strings.Join(reasons, ";"), "postgres"), strings.Contains(scrape(t, m), "\npitchstream_check_ok{check=\"postgres\"} 1\n"))
		return strings.Join(reasons, "; ")
	}
	require.Equal(t, "assigned: starting; postgres: starting", said())
	h.Set("assigned", true, "ignored")
	require.Equal(t, "postgres: starting", said())
	h.Set("postgres", true, "")
	require.Equal(t, "", said())
	h.Set("pitches.raw/3", false, "has not moved for 60s")
	h.Set("postgres", false, "")
	require.Equal(t, "pitches.raw/3: has not moved for 60s; postgres: failed", said())
	h.Set("pitches.raw/3", true, "")
	require.Equal(t, "postgres: failed", said())
	h.Set("postgres", true, "")
	require.Equal(t, "", said())

	require.Equal(t, []string{"ready", "not ready", "ready"}, messages(t, &log), "only changes are logged")
}

// scrape returns the metrics as Prometheus reads them.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	AdminHandler(NewHealth(quiet, nil), m, config.Admin{}, nil).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	return w.Body.String()
}

// messages returns the messages of a JSON log.
func messages(t *testing.T, log *bytes.Buffer) (messages []string) {
	t.Helper()
	for d := json.NewDecoder(log); d.More(); {
		var line struct{ Msg string }
		require.NoError(t, d.Decode(&line))
		messages = append(messages, line.Msg)
	}
	return messages
}

func TestADurationInALogHasItsUnit(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, "json", "info")
	require.NoError(t, err)
	log.Info("waiting", "after", 51*time.Millisecond)
	require.Contains(t, out.String(), `"after":"51ms"`)
}
