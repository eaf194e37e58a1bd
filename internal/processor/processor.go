// Package processor runs the stream processor. Run opens the stores and joins the consumer group. Until its
// context ends, it keeps Postgres and Redis up to date with the raw topic.
//
// The work on a batch is package consumer's. This package joins it to the real stores and to what an operator
// sees: metrics, health, traces, heartbeats, the admin endpoints and the quality of the data. Tools that run
// the same processor in another way (replay, bench) build the same Options and take the parts: OpenStore,
// OpenRedis, ConsumerConfig, Encoder.
package processor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/internal/memberprofile"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// Options say where a processor reads and writes, and within which limits.
type Options struct {
	Kafka      []kgo.Opt // how every Kafka client reaches the brokers: seed brokers, TLS, SASL
	Group      string    // consumer group
	InstanceID string    // name of this replica, kept over restarts; "": a fresh one for each start
	RawTopic   string    // read
	RowsTopic  string    // gets a record for each changed row; "": none are sent
	DeadTopic  string    // gets the dead letters

	Postgres pgsink.Config    // URL and Schema; OpenStore sets Group, Build, CoreVersion and Log
	Redis    redissink.Config // URL, TLS and Prefix; OpenRedis sets Log

	// ServingSchema and LivePrefix say where the target that readers see is kept: the schema of the pointer in
	// Postgres, and the Redis prefix of its copy. They are those of the live target, whichever target this
	// processor fills.
	ServingSchema string
	LivePrefix    string

	// Registry reads raw values with its prefix, and has the schema of the rows; nil: none.
	Registry *schemaregistry.Client
	// RowsFormat is how rows are written; all but JSON, which is "" too, need Registry.
	RowsFormat schemaregistry.Format
	// RowsMustExist says that the schema of the rows must be registered already.
	RowsMustExist bool

	MaxRecordBytes int           // a larger record is a dead letter; 0: no limit
	PollMaxRecords int           // records of one poll, and a quarter of one transaction in Postgres; 0: 2,000
	FetchMaxBytes  int32         // what one broker sends at a time, compressed; 0: 16 MiB
	SessionTimeout time.Duration // silence after which the group gives the partitions to others; 0: 10 s
	StatefulSet    string        // the Kubernetes StatefulSet of which InstanceID is a pod; "": none
	RecordSteps    string        // the file for the steps of the protocol; "": none
	AcceptGap      bool          // go on where unprocessed records left the topic; DANGER: they are lost
	Breaker        consumer.BreakerLimits
	// ChangesKept and MostChanges bound the feed of changes: how long one is kept, 0: 7 days, and how many are,
	// 0: two million.
	ChangesKept time.Duration
	MostChanges int64
	// Members counts the members of the records that are processed; nil: they are not counted.
	Members         *memberprofile.Counter
	QualityInterval time.Duration // time between two computations of the data's quality; 0: never
	DriftInterval   time.Duration // time between two searches for drift of mechanics; 0: never

	AdminAddr    string           // address of the admin endpoints; "": none
	Admin        config.Admin     // who may do what there
	OTLPEndpoint string           // where traces are sent; "": where the OTEL_ variables say, if they do
	Settings     []config.Setting // shown at /debug/config
	Log          *slog.Logger

	// Hint returns the remedy for an error of Kafka, Postgres or Redis, "" for none. It is shown with the error,
	// because a processor waits for its servers instead of ending with the error. nil: no hints.
	Hint func(error) string
}

// OpenStore opens Postgres for the group of o. It does not connect yet.
func (o Options) OpenStore() (*pgsink.Sink, error) {
	c := o.Postgres
	c.Group, c.Build, c.CoreVersion, c.Log = o.Group, obs.Build(), features.CoreVersion, o.Log
	c.NewScorer = scoring.New
	return pgsink.Open(c)
}

// OpenRedis opens the live values.
func (o Options) OpenRedis(ctx context.Context) (*redissink.Sink, error) {
	c := o.Redis
	c.Log = o.Log
	return redissink.Open(ctx, c)
}

// Run processes the raw topic until ctx ends, finishes the batch in flight and returns nil. It waits for
// servers that do not answer, and for migrations of this build. It returns an error only where waiting cannot
// help: wrong options, an address in use, a refused login, a schema that a newer build changed.
func Run(ctx context.Context, o Options) error {
	watch := NewObserver(o.Log, o.Hint)
	id := instanceName(o.InstanceID)
	var err error
	if watch.traces, err = obs.NewTracer(ctx, o.OTLPEndpoint, obs.Build(), id, o.Log); err != nil {
		return err
	}
	defer closeTraces(watch.traces, o.Log)
	steps, err := openSteps(o.RecordSteps, o.Log)
	if err != nil {
		return err
	}
	defer steps.close()
	store, err := o.OpenStore()
	if err != nil {
		return err
	}
	defer store.Close()
	redis, err := o.OpenRedis(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = redis.Close() }()
	beats := &beats{
		o: &o, instance: id, watch: watch, redis: redis, books: pgbooks.New(store.DB()),
		rows: pgbooks.NewHeartbeats(store.DB()), now: make(chan struct{}, 1),
	}
	hooks := watch.RedisHooks(beats.soon)
	keeper := redissink.NewKeeper(redis, beats.books, hooks)
	beats.keeper = keeper
	watch.Metrics.Phase(string(keeper.State().Phase))

	migrated := make(chan struct{}) // closed once the schema is known to be one that this build can use
	onceMigrated := func(f func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			// guard: nothing touches a schema that lacks a migration | case <-migrated: -> default:
			select {
			case <-migrated:
				return f(ctx)
			case <-ctx.Done():
				return nil
			}
		}
	}
	helpers := []func(context.Context) error{
		onceMigrated(keeper.Run), onceMigrated(beats.Run), watch.pingPostgres(store, migrated),
		func(ctx context.Context) error { watch.Metrics.Summarize(ctx, o.Log); return nil },
	}
	forgetter := &changesKeeper{
		store: store, keep: cmp.Or(o.ChangesKept, 7*24*time.Hour), most: cmp.Or(o.MostChanges, 2_000_000),
		log: o.Log,
	}
	refits := &refitsKeeper{store: store, metrics: watch.Metrics.Refits(), log: o.Log}
	helpers = append(helpers, onceMigrated(forgetter.Run), onceMigrated(refits.Run))
	if o.QualityInterval > 0 {
		o.Members = memberprofile.New(time.Now)
	}
	if o.QualityInterval > 0 || o.DriftInterval > 0 {
		// Connections of their own, because a batch must not wait for them.
		own, err := o.OpenStore()
		if err != nil {
			return err
		}
		defer own.Close()
		for _, run := range o.keepers(own, watch.Metrics) {
			helpers = append(helpers, onceMigrated(run))
		}
	}
	var processor atomic.Pointer[consumer.Processor] // nil until Kafka has answered
	if o.AdminAddr != "" {
		reset := func() bool { p := processor.Load(); return p != nil && p.ResetBreaker() }
		handler := obs.AdminHandler(watch.health, watch.Metrics, o.Admin, reset, o.Settings...)
		admin, err := obs.Listen(o.AdminAddr, handler, o.Log)
		if err != nil {
			return err
		}
		helpers = append(helpers, admin.Serve)
	}
	return lifecycle.Run(ctx, func(ctx context.Context) error {
		cfg, err := o.ConsumerConfig(ctx, watch)
		if err != nil || ctx.Err() != nil {
			return err
		}
		cfg.Trace = steps.report()
		encoder, err := o.Encoder(ctx, watch)
		if err != nil || ctx.Err() != nil {
			return err
		}
		processor.Store(consumer.New(cfg, store, keeper, encoder))
		return onceMigrated(processor.Load().Run)(ctx)
	}, helpers...)
}

// keepers returns what looks at the rows in the background, over a store that outlives it.
func (o Options) keepers(store *pgsink.Sink, metrics *obs.Metrics) (all []func(context.Context) error) {
	if o.QualityInterval > 0 {
		k := &qualityKeeper{store: store, metrics: metrics.Quality(), every: o.QualityInterval, log: o.Log}
		all = append(all, k.Run, NewMembersKeeper(store, o.Members, o.Log).Run)
	}
	if o.DriftInterval > 0 {
		k := &mechanicsKeeper{store: store, metrics: metrics.Mechanics(), every: o.DriftInterval, log: o.Log}
		all = append(all, k.Run)
	}
	return all
}

// instanceName returns the given name, or a fresh one from host, process and chance.
func instanceName(given string) string {
	if given != "" {
		return given
	}
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), strings.ToLower(rand.Text()[:8]))
}

// closeTraces sends the last spans, for at most a second.
func closeTraces(t *obs.Tracer, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.Warn("could not send the last traces", "error", err)
	}
}

// ConsumerConfig returns the consumer's configuration, with the size limits that the topics have now. It
// waits until a broker answers; when ctx ends first, it returns nil, and the configuration must not be used.
func (o Options) ConsumerConfig(ctx context.Context, watch *Observer) (consumer.Config, error) {
	cfg := consumer.Config{
		Topic: o.RawTopic, Group: o.Group, InstanceID: o.InstanceID,
		Outputs: slices.DeleteFunc([]string{o.RowsTopic, o.DeadTopic},
			func(topic string) bool { return topic == "" }),
		Client:         append(o.Kafka[:len(o.Kafka):len(o.Kafka)], watch.Metrics.Kafka("processor", o.Log)...),
		Limits:         features.Limits{MaxRecordBytes: o.MaxRecordBytes},
		PollMaxRecords: o.PollMaxRecords, FetchMaxBytes: o.FetchMaxBytes, SessionTimeout: o.SessionTimeout,
		IsScaledIn: o.leaves(), AcceptGap: o.AcceptGap, Breaker: o.Breaker, Log: o.Log, Observer: watch,
	}
	switch {
	case o.Members != nil:
		// guard: members: a processor counts the members of its records | instead
		cfg.Transform = o.transformCounted
	case o.Registry != nil:
		cfg.Transform = o.Registry.Transform
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 2*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := o.measureTopics(ctx, &cfg)
		if err != nil && !isUnavailable(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			watch.Condition("kafka", false, err.Error())
			o.Log.Warn("waiting for Kafka", "error", err, "after", wait)
		}))
	if ctx.Err() != nil {
		return cfg, nil
	}
	return cfg, err
}

// transformCounted is features.Transform of a record, as its schema says, whose members are counted.
func (o Options) transformCounted(
	ctx context.Context, rec schemas.Record, limits features.Limits,
) (schemas.Change, *features.Rejection, error) {
	return o.Registry.TransformWith(ctx, rec, limits, o.Members.Transform)
}

// isUnavailable reports whether a Kafka error means that no broker answers, or cannot yet, so that waiting
// may help.
func isUnavailable(err error) bool {
	var op *net.OpError
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition): // retryable, but only a person creates a topic
		return false
	case errors.As(err, &op) && op.Op == "dial",
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF):
		return true
	}
	// guard: a broker that resets connections is waited for | instead return false
	return kgo.IsRetryableBrokerErr(err) || kerr.IsRetriable(err)
}

// measureTopics sets the size limits of what is sent, because it must fit the topics however they were
// created.
func (o Options) measureTopics(ctx context.Context, cfg *consumer.Config) error {
	client, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if cfg.DeadLetterMaxBytes, err = kafkasink.MaxMessageBytes(ctx, admin, o.DeadTopic); err != nil {
		return err
	}
	if o.RowsTopic != "" {
		cfg.RowMaxBytes, err = kafkasink.MaxMessageBytes(ctx, admin, o.RowsTopic)
	}
	return err
}
