package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
)

// runCmd is one processor, until it is stopped.
type runCmd struct {
	Kafka    config.Kafka          `embed:"" group:"Kafka"`
	Topics   config.Topics         `embed:"" group:"Kafka"`
	Postgres config.Postgres       `embed:"" group:"Postgres"`
	Redis    config.Redis          `embed:"" group:"Redis"`
	Registry config.SchemaRegistry `embed:"" group:"Schema registry"`
	Rows     config.Rows           `embed:"" group:"Schema registry"`
	Limits   config.Limits         `embed:"" group:"Processing"`
	Memory   config.Memory         `embed:"" group:"Processing"`
	Breaker  config.Breaker        `embed:"" group:"Processing"`
	Instance config.Instance       `embed:"" group:"Processing"`
	Member   config.Membership     `embed:"" group:"Processing"`
	Target   config.TargetName     `embed:"" group:"Processing"`
	Log      config.Log            `embed:"" group:"Operation"`
	Tracing  config.Tracing        `embed:"" group:"Operation"`
	Admin    config.Admin          `embed:"" group:"Operation"`

	AdminAddr      config.Addr     `name:"admin-addr" default:":9090" placeholder:"HOST:PORT" group:"Operation" help:"Address of /healthz, /readyz, /metrics, /debug/config and POST /breaker/reset; off for none. Default: :9090. DANGER: without access control, not for the internet."`
	PollMaxRecords int             `name:"poll-max-records" default:"2000" placeholder:"N" group:"Processing" help:"Most records of one poll. A transaction in Postgres holds up to four polls. Default: 2000."`
	QualityEvery   config.Duration `name:"quality-every" default:"30s" placeholder:"TIME" group:"Processing" help:"How often the quality of the data is computed, by one processor of all; 0: never. Default: 30s."`
	DriftEvery     config.Duration `name:"drift-every" default:"10s" placeholder:"TIME" group:"Processing" help:"How often drift of mechanics is looked for among who plays now, by one processor of all; 0: never. Default: 10s."`
	ChangesKeep    config.Duration `name:"changes-keep" default:"168h" placeholder:"TIME" group:"Processing" help:"How long a change stays in the feed of changes (/v1/changes). Default: 168h."`
	ChangesMost    int64           `name:"changes-most" default:"2000000" placeholder:"N" group:"Processing" help:"Most changes that the feed keeps: 0.1 kB each of a new pitch, 1 to 2 kB of another. Default: 2,000,000."`
	RecordSteps    string          `name:"record-steps" placeholder:"FILE" group:"Operation" help:"Append each step of the protocol to this file, in JSON Lines, to compare it with the model in docs/model. It grows by about 1 kB a pitch. Default: none."`
	AcceptGap      bool            `name:"accept-gap" group:"Processing" help:"Go on where records that were not processed yet are no longer in the topic. Each process accepts, in each partition, the gap that it finds when it first reads it: take the flag out again afterwards. DANGER: what is missing there is lost to this group; without it the processor waits and says so."`
}

// Run processes until ctx ends.
func (c *runCmd) Run(ctx context.Context, std *stdio, loader *config.Loader, parsed *kong.Context) error {
	log, err := newLogger(std, c.Log, c)
	if err != nil {
		return err
	}
	c.Memory.Apply()
	settings := loader.Settings(parsed)
	logStart(log, loader, parsed)
	o, err := c.options(c.Target.Target, log)
	if err != nil {
		return err
	}
	o.Settings = settings
	// The stream does not wait for the checks, because a slow server must not delay pitches.
	checks, stop := context.WithCancel(ctx)
	var checking sync.WaitGroup
	checking.Go(func() { c.logFindings(checks, log) })
	defer checking.Wait()
	defer stop()
	return processor.Run(ctx, o)
}

// Validate reports wrong usage. Kong calls it before Run.
func (c *runCmd) Validate() error {
	if c.ChangesKeep <= 0 || c.ChangesMost <= 0 {
		return errors.New("--changes-keep and --changes-most: want more than 0")
	}
	return c.Rows.Check(c.Registry)
}

// options returns the options of a processor of this target. It derives the names of group, topics, schema
// and prefix of a target other than live from those in the flags.
func (c *runCmd) options(target string, log *slog.Logger) (o processor.Options, err error) {
	o.ServingSchema, o.LivePrefix = c.Postgres.ServingSchema(), c.Redis.Prefix
	own := *c // Use changes the copy, not the flags
	c = &own
	names := config.Targets{Kafka: &c.Kafka, Topics: &c.Topics, Postgres: &c.Postgres, Redis: &c.Redis}
	if _, err := names.Use(target); err != nil {
		return o, err
	}
	if o.Kafka, err = c.Kafka.Options(); err != nil {
		return o, err
	}
	if o.Redis, err = redisConfig(c.Redis); err != nil {
		return o, err
	}
	if o.Registry, err = c.Registry.Open(); err != nil {
		return o, err
	}
	o.RowsFormat, o.RowsMustExist = schemaregistry.Format(c.Rows.Format), !c.Rows.AutoRegister
	o.Postgres = storeConfig(c.Postgres)
	o.Group, o.InstanceID, o.StatefulSet = c.Kafka.Group, c.Instance.InstanceID, c.Member.StatefulSet
	o.RawTopic, o.RowsTopic, o.DeadTopic = c.Topics.TopicRaw, c.Topics.TopicRows, c.Topics.TopicDead
	o.MaxRecordBytes, o.FetchMaxBytes = int(c.Limits.MaxRecordBytes), int32(c.Memory.FetchMaxBytes)
	o.PollMaxRecords = c.PollMaxRecords
	o.SessionTimeout = time.Duration(c.Member.SessionTimeout)
	o.AcceptGap, o.RecordSteps = c.AcceptGap, c.RecordSteps
	o.Breaker = consumer.BreakerLimits{ // no limit is 0 in the flags and −1 here, where 0 is the default
		InARow: cmp.Or(c.Breaker.InARow, -1), Share: cmp.Or(c.Breaker.Share, -1),
		Window: c.Breaker.Window, WindowMin: c.Breaker.WindowMin,
	}
	o.ChangesKept, o.MostChanges = time.Duration(c.ChangesKeep), c.ChangesMost
	o.QualityInterval, o.DriftInterval = time.Duration(c.QualityEvery), time.Duration(c.DriftEvery)
	o.AdminAddr, o.Admin = c.AdminAddr.Listen(), c.Admin
	o.OTLPEndpoint = c.Tracing.OTLPEndpoint.Reveal()
	o.Log = log
	o.Hint = hintFor(c)
	return o, nil
}
