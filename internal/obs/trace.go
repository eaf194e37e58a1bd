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

// Tracer makes a span of each batch, and a child span of each of its steps. It links the batch to the spans
// of its records' producers, by their traceparent headers. The zero Tracer makes no spans. Its methods may be
// called by many goroutines, but only one batch is in progress at a time.
type Tracer struct {
	provider *sdk.TracerProvider // nil: no spans are made
	tracer   trace.Tracer

	mu     sync.Mutex      // guards the fields below
	ctx    context.Context // with the span of the batch
	batch  trace.Span      // nil: no batch is in progress
	linked []trace.SpanContext
	more   int // producers beyond maxLinks
}

// maxLinks bounds the links of one batch.
const maxLinks = 32

// tracesPath is appended to an endpoint, as the standard does for OTEL_EXPORTER_OTLP_ENDPOINT.
const tracesPath = "/v1/traces"

// NewTracer returns a tracer that sends spans to an OTLP endpoint over HTTP (http://host:4318). Without an
// endpoint the OTEL_ variables of the environment name it. Without these, too, the tracer makes no spans. The
// variables also apply to the sampling (OTEL_TRACES_SAMPLER) and to the name of this process
// (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES).
func NewTracer(ctx context.Context, endpoint, build, instance string, log *slog.Logger) (*Tracer, error) {
	fromEnv := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")+os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != ""
	// guard: traces: the standard switch holds | os.Getenv("OTEL_SDK_DISABLED") == "true" -> false
	off := os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none"
	// guard: traces: off without an endpoint | || endpoint == "" && !fromEnv -> || fromEnv && !fromEnv
	if off || endpoint == "" && !fromEnv {
		return &Tracer{}, nil
	}
	var options []otlptracehttp.Option
	if endpoint != "" {
		base := strings.TrimSuffix(strings.TrimRight(endpoint, "/"), tracesPath)
		options = append(options, otlptracehttp.WithEndpointURL(base+tracesPath))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("cannot send traces", "error", err) }))
	return newTracer(sdk.WithBatcher(exporter), build, instance), nil
}

func newTracer(to sdk.TracerProviderOption, build, instance string) *Tracer {
	attributes := resource.NewSchemaless(attribute.String("service.name", "pitchstream"),
		attribute.String("service.version", build), attribute.String("service.instance.id", instance))
	if merged, err := resource.Merge(attributes, resource.Environment()); err == nil { // the environment wins
		attributes = merged
	}
	p := sdk.NewTracerProvider(to, sdk.WithResource(attributes))
	return &Tracer{provider: p, tracer: p.Tracer("pitchstream")}
}

// Began starts the span of a batch. The batch in progress was dropped, so its span ends.
func (t *Tracer) Began() {
	if t.provider == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// guard: traces: a batch that was dropped ends
	t.drop()
	t.ctx, t.batch = t.tracer.Start(context.Background(), "batch", trace.WithSpanKind(trace.SpanKindConsumer))
}

// drop ends a batch that was not committed. mu must be held.
func (t *Tracer) drop() {
	if t.batch != nil {
		t.batch.SetStatus(codes.Error, "dropped: it is read again")
		t.end()
	}
}

func (t *Tracer) end() {
	if t.more > 0 {
		t.batch.SetAttributes(attribute.Int("pitchstream.links_left_out", t.more))
	}
	t.batch.End()
	t.batch, t.linked, t.more = nil, nil, 0
}

// Recording reports whether the batch in progress keeps links.
func (t *Tracer) Recording() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.batch != nil && t.batch.IsRecording()
}

// Link links the batch to the producer of a record by its traceparent header. It ignores a malformed header.
func (t *Tracer) Link(traceparent string) {
	carrier := propagation.MapCarrier{"traceparent": traceparent}
	producer := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	same := func(o trace.SpanContext) bool {
		return o.SpanID() == producer.SpanID() && o.TraceID() == producer.TraceID()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.batch == nil || !producer.IsValid():
	// guard: traces: a producer is linked once
	case slices.ContainsFunc(t.linked, same):
	// guard: traces: a batch is linked to so many producers and no more
	case len(t.linked) >= maxLinks:
		t.more++
	default:
		t.linked = append(t.linked, producer)
		t.batch.AddLink(trace.Link{SpanContext: producer})
	}
}

// Step adds a step that ended now. It returns the ID of the batch's trace, "" when that is not kept.
func (t *Tracer) Step(name string, took time.Duration) (traceID string) {
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

func (t *Tracer) traceID() string {
	if !t.batch.SpanContext().IsSampled() {
		return ""
	}
	return t.batch.SpanContext().TraceID().String()
}

// Committed ends the batch and adds its counts. It returns the ID of its trace, "" when that is not kept.
func (t *Tracer) Committed(counts map[string]int64) (traceID string) {
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

// Close ends the batch in progress and sends the remaining spans until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	t.mu.Lock()
	t.drop()
	t.mu.Unlock()
	return t.provider.Shutdown(ctx)
}
