package obs

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracer makes a span of each batch, and a child of each of its steps. A batch is linked to what its records' producers
// were doing: their traceparent headers, maxLinks of them at most.
//
// A nil Tracer makes none. Its methods may be called by many goroutines; one batch is under way at a time.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer

	mu     sync.Mutex
	ctx    context.Context // of the batch under way
	batch  trace.Span      // nil: none is
	linked []trace.SpanContext
	more   int // producers that are not linked, there being too many
}

// maxLinks is how many producers' spans one batch is linked to.
const maxLinks = 32

// NewTracer sends spans to an OTLP endpoint over HTTP (http://host:4318). Without one the OTEL_… variables of the
// environment say where to; without these, too, it is nil. They also say what is kept (OTEL_TRACES_SAMPLER), and what
// this process is called (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES).
func NewTracer(ctx context.Context, endpoint, build, instance string, log *slog.Logger) (*Tracer, error) {
	// guard: traces: off unless somebody says where to | || endpoint == "" && !endpointInEnvironment() ->
	// guard: traces: the standard switch holds | os.Getenv("OTEL_SDK_DISABLED") == "true" -> false
	if off := os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none"; off || endpoint == "" && !endpointInEnvironment() {
		return nil, nil
	}
	var options []otlptracehttp.Option
	if endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(strings.TrimSuffix(strings.TrimRight(endpoint, "/"), tracesPath)+tracesPath))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are not taken", "error", err) }))
	return newTracer(sdk.WithBatcher(exporter), build, instance), nil
}

// tracesPath follows on an endpoint, as it does on that of the variable.
const tracesPath = "/v1/traces"

func endpointInEnvironment() bool {
	return os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != ""
}

func newTracer(to sdk.TracerProviderOption, build, instance string) *Tracer {
	what := resource.NewSchemaless(attribute.String("service.name", "pitchstream"),
		attribute.String("service.version", build), attribute.String("service.instance.id", instance))
	if named, err := resource.Merge(what, resource.Environment()); err == nil { // the environment wins
		what = named
	}
	p := sdk.NewTracerProvider(to, sdk.WithResource(what))
	return &Tracer{provider: p, tracer: p.Tracer("pitchstream")}
}

// Began begins a batch. One that was under way was dropped.
func (t *Tracer) Began() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// guard: traces: a batch that was dropped ends
	t.drop()
	t.ctx, t.batch = t.tracer.Start(context.Background(), "batch", trace.WithSpanKind(trace.SpanKindConsumer))
}

// drop ends a batch of which nothing was committed. The lock is held.
func (t *Tracer) drop() {
	if t.batch == nil {
		return
	}
	t.batch.SetStatus(codes.Error, "dropped: it is read again")
	t.end()
}

func (t *Tracer) end() {
	if t.more > 0 {
		t.batch.SetAttributes(attribute.Int("pitchstream.links_left_out", t.more))
	}
	t.batch.End()
	t.batch, t.linked, t.more = nil, nil, 0
}

// Recording tells whether producers are to be named.
func (t *Tracer) Recording() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.batch != nil && t.batch.IsRecording()
}

// Link names the producer of a record by its traceparent header. What is none is ignored.
func (t *Tracer) Link(traceparent string) {
	carrier := propagation.MapCarrier{"traceparent": traceparent}
	of := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	if t == nil || !of.IsValid() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	same := func(o trace.SpanContext) bool { return o.SpanID() == of.SpanID() && o.TraceID() == of.TraceID() }
	switch {
	// guard: traces: a producer is linked once
	case t.batch == nil || slices.ContainsFunc(t.linked, same):
	// guard: traces: a batch is linked to so many producers and no more
	case len(t.linked) >= maxLinks:
		t.more++
	default:
		t.linked = append(t.linked, of)
		t.batch.AddLink(trace.Link{SpanContext: of})
	}
}

// Step adds a step that ended now to the batch under way. It gives the name of the trace, where that is kept.
func (t *Tracer) Step(name string, took time.Duration) (traceID string) {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.batch == nil {
		return ""
	}
	now := time.Now()
	_, span := t.tracer.Start(t.ctx, strings.ToLower(name), trace.WithTimestamp(now.Add(-took)))
	span.End(trace.WithTimestamp(now))
	return t.traceID()
}

// traceID is with the lock held.
func (t *Tracer) traceID() string {
	if !t.batch.SpanContext().IsSampled() {
		return ""
	}
	return t.batch.SpanContext().TraceID().String()
}

// Committed ends the batch under way, with its counts. It gives the name of its trace, where that is kept.
func (t *Tracer) Committed(counts map[string]int64) (traceID string) {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.batch == nil {
		return ""
	}
	for name, n := range counts {
		t.batch.SetAttributes(attribute.Int64("pitchstream."+name, n))
	}
	traceID = t.traceID()
	t.end()
	return traceID
}

// Close sends what is left, for as long as ctx lasts.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	t.drop()
	t.mu.Unlock()
	return t.provider.Shutdown(ctx)
}
