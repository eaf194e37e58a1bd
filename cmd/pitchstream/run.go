package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kong"
	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

type runCmd struct {
	Kafka    config.Kafka      `embed:"" group:"Kafka"`
	Topics   config.Topics     `embed:"" group:"Kafka"`
	Postgres config.Postgres   `embed:"" group:"Postgres"`
	Redis    config.Redis      `embed:"" group:"Redis"`
	Limits   config.Limits     `embed:"" group:"Processing"`
	Memory   config.Memory     `embed:"" group:"Processing"`
	Breaker  config.Breaker    `embed:"" group:"Processing"`
	Instance config.Instance   `embed:"" group:"Processing"`
	Member   config.Membership `embed:"" group:"Processing"`
	Target   config.TargetName `embed:"" group:"Processing"`
	Log      config.Log        `embed:"" group:"Operation"`
	Tracing  config.Tracing    `embed:"" group:"Operation"`

	AdminAddr      config.Addr     `name:"admin-addr" default:":9090" placeholder:"HOST:PORT" group:"Operation" help:"Address of /healthz, /readyz, /metrics, /debug/config, /debug/pprof and POST /breaker/reset; off for none. Default: :9090. DANGER: without access control, not for the internet."`
	PollMaxRecords int             `name:"poll-max-records" default:"2000" placeholder:"N" group:"Processing" help:"Most records of one poll, and of one transaction in Postgres. Default: 2000."`
	QualityEvery   config.Duration `name:"quality-every" default:"30s" placeholder:"TIME" group:"Processing" help:"How often the quality of the data is computed, by one processor of all; 0: never. Default: 30s."`
	AcceptGap      bool            `name:"accept-gap" group:"Processing" help:"Go on where records that were not processed yet are no longer in the topic. DANGER: what is missing there is lost to this group; without it the processor waits and says so."`

	settings []config.Setting // as they were given, for who looks at a process
	live     liveNames
}

// liveNames are where all targets look for what readers see, and tell it.
type liveNames struct{ serving, prefix string }

// use turns the settings, which are live's, into those of a target.
func (c *runCmd) use(target string) error {
	c.live = liveNames{c.Postgres.ServingSchema(), c.Redis.Prefix}
	_, err := (config.Targets{Kafka: &c.Kafka, Topics: &c.Topics, Postgres: &c.Postgres, Redis: &c.Redis}).Use(target)
	return err
}

// Run processes until ctx ends.
func (c *runCmd) Run(ctx context.Context, std *stdio, loader *config.Loader, parsed *kong.Context) error {
	log, err := obs.NewLogger(std.Err, c.Log.Format, c.Log.Level)
	if err != nil {
		return err
	}
	log = slog.New(hinting{log.Handler(), c})
	c.Memory.Apply()
	c.settings = loader.Settings(parsed)
	log.Info("starting", "build", buildName(), config.LogAttr(c.settings...))
	if err := c.use(c.Target.Target); err != nil {
		return err
	}
	return c.process(ctx, log)
}

// process opens the stores, joins the group and runs until ctx ends; then it finishes the batch in hand. Settings of which
// use has made no others are live's.
func (c *runCmd) process(ctx context.Context, log *slog.Logger) error {
	watch := newWatch(log)
	watch.command = c
	id := c.Instance.ID()
	if c.live == (liveNames{}) {
		c.live = liveNames{c.Postgres.ServingSchema(), c.Redis.Prefix}
	}
	var err error
	if watch.traces, err = obs.NewTracer(ctx, c.Tracing.OTLPEndpoint.Reveal(), buildName(), id, log); err != nil {
		return err
	}
	defer closeTraces(watch.traces, log)
	store, err := openStore(c.Postgres, c.Kafka.Group, func(p *pgsink.Config) { p.Log = log })
	if err != nil {
		return err
	}
	defer store.Close()
	redis, err := openRedis(ctx, c.Redis, log)
	if err != nil {
		return err
	}
	defer redis.Close()
	beats := &beats{instance: id, topic: c.Topics.TopicRaw, of: &watch.at, work: watch.work, health: watch.health, redis: redis, store: store, live: c.live, log: log, now: make(chan struct{}, 1)}
	tell := c.tellRedis(log)
	keeper := redissink.NewKeeper(redis, store, redissink.KeeperConfig{Log: log, Hooks: watch.redis(func(s redissink.State) {
		tell(s)
		beats.soon()
	})})
	beats.keeper = keeper
	watch.metrics.Phase(string(keeper.State().Phase))
	encoder := kafkasink.Encoder{RowsTopic: c.Topics.TopicRows, DeadTopic: c.Topics.TopicDead, Group: c.Kafka.Group, Build: buildName()}
	var processor atomic.Pointer[consumer.Processor]
	reset := func() bool { p := processor.Load(); return p != nil && p.ResetBreaker() }

	var admin *obs.Server
	if c.AdminAddr != config.Off {
		if admin, err = obs.Listen(string(c.AdminAddr), obs.AdminHandler(watch.health, watch.metrics, reset, c.settings...), log); err != nil {
			return err
		}
		log.Info("admin endpoints", "address", admin.Addr())
	}

	g, ctx := errgroup.WithContext(ctx)
	rest, stopRest := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { // what follows is kept until the last batch is through
		defer stopRest()
		cfg, err := c.consumerConfig(ctx, log, watch)
		if err != nil || ctx.Err() != nil {
			return err
		}
		processor.Store(consumer.New(cfg, store, keeper, encoder))
		return processor.Load().Run(ctx)
	})
	g.Go(untilDone(rest, keeper.Run))
	g.Go(untilDone(rest, beats.Run))
	g.Go(untilDone(rest, watch.postgres(store)))
	g.Go(untilDone(rest, func(ctx context.Context) error { watch.metrics.Summarize(ctx, log); return nil }))
	if c.QualityEvery > 0 {
		// Connections of its own: the batches' are not to be waited for.
		own, err := openStore(c.Postgres, c.Kafka.Group, func(p *pgsink.Config) { p.Log = log })
		if err != nil {
			stopRest()
			return errors.Join(err, g.Wait())
		}
		defer own.Close()
		k := &qualityKeeper{store: own, metrics: watch.metrics.Quality(), every: time.Duration(c.QualityEvery), log: log}
		g.Go(untilDone(rest, k.Run))
	}
	if admin != nil {
		g.Go(untilDone(rest, admin.Serve))
	}
	return g.Wait()
}

// closeTraces sends the last spans, without waiting long for who takes them.
func closeTraces(t *obs.Tracer, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.Warn("the last traces were not taken", "error", err)
	}
}

// untilDone runs f until ctx ends; that it ended is no error then.
func untilDone(ctx context.Context, f func(context.Context) error) func() error {
	return func() error {
		if err := f(ctx); ctx.Err() == nil {
			return err
		}
		return nil
	}
}

func (c *runCmd) consumerConfig(ctx context.Context, log *slog.Logger, watch *watch) (consumer.Config, error) {
	opts, err := c.Kafka.Options()
	if err != nil {
		return consumer.Config{}, err
	}
	cfg := consumer.Config{
		Topic: c.Topics.TopicRaw, Group: c.Kafka.Group, InstanceID: c.Instance.InstanceID, Client: append(opts, watch.metrics.Kafka("processor", quiet(log))...),
		Limits: features.Limits{MaxRecordBytes: int(c.Limits.MaxRecordBytes)}, PollMaxRecords: c.PollMaxRecords, FetchMaxBytes: int32(c.Memory.FetchMaxBytes),
		SessionTimeout: time.Duration(c.Member.SessionTimeout), IsScaledIn: c.leaves(log), AcceptGap: c.AcceptGap, Breaker: breakerLimits(c.Breaker), Log: log, Observer: watch,
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 2*time.Second
	for {
		err := c.measureTopics(ctx, &cfg)
		if ctx.Err() != nil {
			return cfg, nil
		}
		if !isAway(err) {
			return cfg, err
		}
		wait := pause.NextBackOff()
		watch.Condition("kafka", false, err.Error())
		log.Warn("waiting for Kafka", "error", err, "after", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// isAway tells a Kafka that cannot be reached, and may be later, from one that refuses us.
func isAway(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF)
}

// measureTopics asks what the topics take: what is sent must fit, whatever they were made with.
func (c *runCmd) measureTopics(ctx context.Context, cfg *consumer.Config) error {
	client, err := connect(c.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if cfg.DeadLetterMaxBytes, err = kafkasink.MaxMessageBytes(ctx, admin, c.Topics.TopicDead); err != nil {
		return err
	}
	if c.Topics.TopicRows != "" {
		cfg.RowMaxBytes, err = kafkasink.MaxMessageBytes(ctx, admin, c.Topics.TopicRows)
	}
	return err
}

// breakerLimits says "no limit" in the consumer's words.
func breakerLimits(b config.Breaker) consumer.BreakerLimits {
	l := consumer.BreakerLimits{InARow: b.InARow, Share: b.Share, Window: b.Window, WindowMin: b.WindowMin}
	if l.InARow == 0 {
		l.InARow = -1
	}
	if l.Share == 0 {
		l.Share = -1
	}
	return l
}
