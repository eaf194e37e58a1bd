package obs

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/pitchstream/pitchstream/internal/config"
)

func traceparent(n int) string { return fmt.Sprintf("00-%032x-%016x-01", n, n) }

// guard: traces: a batch is linked to so many producers and no more
// guard: traces: a producer is linked once
// guard: traces: a batch that was dropped ends
// guard: traces: off without an endpoint
// guard: traces: the standard switch holds
func TestBatchSpanHasItsStepsAndProducers(t *testing.T) {
	kept := tracetest.NewInMemoryExporter()
	tracer := newTracer(sdk.WithSyncer(kept), "v1", "me")
	require.False(t, tracer.Recording())
	require.Empty(t, tracer.Step("decode", time.Second), "between batches")

	tracer.Began()
	require.True(t, tracer.Recording())
	for _, n := range []int{1, 2, 1} {
		tracer.Link(traceparent(n))
	}
	tracer.Link("nonsense")
	id := tracer.Step("decode", 3*time.Second)
	require.Len(t, id, 32)
	require.Equal(t, id, tracer.Step("postgres", time.Second))
	require.Equal(t, id, tracer.Committed(map[string]int64{"records": 7}))
	spans := kept.GetSpans().Snapshots()
	require.Len(t, spans, 3)
	decode, batch := spans[0], spans[2]
	require.Equal(t, []string{"decode", "postgres", "batch"}, []string{decode.Name(), spans[1].Name(), batch.Name()})
	require.Equal(t, batch.SpanContext().SpanID(), decode.Parent().SpanID())
	require.Equal(t, 3*time.Second, decode.EndTime().Sub(decode.StartTime()))
	require.Len(t, batch.Links(), 2, "each producer once, and no nonsense")
	require.Equal(t, fmt.Sprintf("%016x", 2), batch.Links()[1].SpanContext.SpanID().String())
	require.Contains(t, fmt.Sprint(batch.Attributes()), "pitchstream.records")
	require.Contains(t, batch.Resource().String(), "service.name=pitchstream")

	kept.Reset()
	tracer.Began()
	for n := range 100 {
		tracer.Link(traceparent(n + 1))
	}
	tracer.Began()
	dropped := kept.GetSpans().Snapshots()
	require.Len(t, dropped, 1, "a batch that was dropped ends with the next one")
	require.Equal(t, codes.Error, dropped[0].Status().Code)
	require.Len(t, dropped[0].Links(), maxLinks)
	require.Contains(t, fmt.Sprint(dropped[0].Attributes()), "links_left_out")
	require.NoError(t, tracer.Close(t.Context()))
}

// guard: traces: a batch is linked to so many producers and no more
// guard: traces: a producer is linked once
// guard: traces: a batch that was dropped ends
// guard: traces: off without an endpoint
// guard: traces: the standard switch holds
func TestTracerWithoutAnEndpointMakesNoSpans(t *testing.T) {
	tracer, err := NewTracer(t.Context(), "", "v1", "me", quiet)
	require.NoError(t, err)
	tracer.Began()
	require.False(t, tracer.Recording())
	tracer.Link(traceparent(1))
	require.Empty(t, tracer.Step("decode", time.Second))
	require.Empty(t, tracer.Committed(nil))
	require.NoError(t, tracer.Close(t.Context()))
}

// The flag or the standard variable names the endpoint.
// guard: traces: a batch is linked to so many producers and no more
// guard: traces: a producer is linked once
// guard: traces: a batch that was dropped ends
// guard: traces: off without an endpoint
// guard: traces: the standard switch holds
func TestSpansAreSentToTheEndpoint(t *testing.T) {
	for _, by := range []string{"flag", "variable", "switched off"} {
		asked := make(chan string, 10)
		server := httptest.NewServer(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
		endpoint := ""
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
		switch by {
		case "flag":
			endpoint = server.URL
		case "switched off":
			t.Setenv("OTEL_SDK_DISABLED", "true")
			fallthrough
		default:
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
		}
		tracer, err := NewTracer(t.Context(), endpoint, "v1", "me", quiet)
		require.NoError(t, err)
		require.Equal(t, by == "switched off", tracer.provider == nil)
		tracer.Began()
		tracer.Committed(nil)
		require.NoError(t, tracer.Close(t.Context()))
		server.Close()
		if tracer.provider != nil {
			require.Equal(t, "/v1/traces", <-asked)
		}
		require.Empty(t, asked)
	}
}

// guard: metrics: a slow step leads to its trace
func TestSlowStepHasItsTraceAsExemplar(t *testing.T) {
	m := NewProcessorMetrics("dev", nil, nil)
	const id = "0123456789abcdef0123456789abcdef"
	m.Step("postgres", 2*time.Second, id)
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	w := httptest.NewRecorder()
	AdminHandler(NewHealth(quiet, nil), m, config.Admin{}, nil).ServeHTTP(w, r)
	require.Contains(t, w.Body.String(), `pitchstream_batch_duration_seconds_bucket{step="postgres",le="2.5"} 1 # {trace_id="`+id+`"} 2.0`)
}

// guard: metrics: a revoked partition is no longer reported
// guard: metrics: a lag in seconds grows by itself
func TestLagInSecondsGrowsWithoutEvents(t *testing.T) {
	m := NewProcessorMetrics("dev", nil, nil)
	m.Position("pitches.raw", 3, 10, time.Now().Add(-time.Hour))
	m.Lag("pitches.raw", 3, 2)
	text := scrape(t, m)
	require.Regexp(t, `(?m)^pitchstream_lag_seconds\{partition="3",topic="pitches.raw"\} 360\d\.`, text)
	m.Shown(time.Now().Add(-20*time.Second), time.Now())
	m.Shown(time.Now().Add(-time.Hour), time.Now()) // an older record does not lower it
	text = scrape(t, m)
	require.Contains(t, text, `pitchstream_delay_seconds_bucket{le="30"} 1`)
	require.Less(t, time.Since(time.UnixMilli(m.newestMS)), time.Minute)
	m.Lag("pitches.raw", 3, -1)
	require.False(t, strings.Contains(scrape(t, m), `partition="3"`))
}
