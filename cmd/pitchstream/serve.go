package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/server"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

type serveCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Redis    config.Redis    `embed:"" group:"Redis"`
	Kafka    config.Kafka    `embed:"" group:"Kafka"`
	Serving  config.Serving  `embed:"" group:"Operation"`
	Log      config.Log      `embed:"" group:"Operation"`

	TopicDead string `name:"topic-dead" default:"pitches.dead" placeholder:"TOPIC" group:"Kafka" help:"Topic of the dead letters, for /v1/letters. Default: pitches.dead."`
	TopicRaw  string `name:"topic-raw" default:"pitches.raw" placeholder:"TOPIC" group:"Kafka" help:"Topic that at_least is about. Default: pitches.raw."`

	MaxLag      config.Duration `name:"max-lag" default:"10s" placeholder:"TIME" group:"API" help:"An answer is stale when a record has waited for longer. Default: 10s."`
	AtLeastWait config.Duration `name:"at-least-wait" default:"5s" placeholder:"TIME" group:"API" help:"The longest that a request with at_least waits, up to 9s. Default: 5s."`
	CORSOrigins []string        `name:"cors-origins" placeholder:"ORIGIN" group:"API" help:"Origins of web pages that may read, as https://app.example.org; * for all. None by default."`
	Token       config.Secret   `name:"api-token" placeholder:"SECRET" group:"API" help:"Every request to /v1 must bear it (Authorization: Bearer). Seen by all who may list processes when given as a flag: prefer the variable or the file. None by default: whoever reaches the address may read."`
	TokenFile   string          `name:"api-token-file" placeholder:"FILE" group:"API" help:"File with the token."`
	Check       bool            `name:"check" group:"Operation" help:"Ask the admin address of a serve that runs here whether it is ready, and end: with status 1 if not. For an image that has nothing else in it."`
	MaxStreams  int             `name:"max-streams" default:"10000" placeholder:"N" group:"API" help:"Streams at a time. Default: 10,000."`
}

// Help returns the text of serve --help below its first line.
func (*serveCmd) Help() string {
	return `
Reads Redis, and Postgres where Redis cannot be trusted or does not have it; writes nothing. Any number of them may run,
anywhere: they share nothing. The API's document is at /openapi.json and, to read, at /docs. Kafka is read for two things
only, swings that are to be drawn and dead letters; without --kafka-brokers there are none.

  pitchstream serve --postgres-url=… --redis-url=… --kafka-brokers=…
  curl localhost:8080/v1/batters/660271
  curl localhost:8080/v1/batters/660271/stream`
}

// BeforeReset makes the Kafka flags optional before anything is parsed.
func (c *serveCmd) BeforeReset() error {
	c.Kafka.Optional = true
	return nil
}

// Validate checks the values; an error says which are allowed.
func (c *serveCmd) Validate() error {
	if c.Serving.APIAddr == config.Off {
		return fmt.Errorf("--api-addr=off: want an address to serve at")
	}
	if c.AtLeastWait <= 0 || time.Duration(c.AtLeastWait) > 9*time.Second {
		return fmt.Errorf("--at-least-wait=%v: want more than 0, at most 9s", c.AtLeastWait)
	}
	if c.MaxLag <= 0 {
		return fmt.Errorf("--max-lag=%v: want more than 0", c.MaxLag)
	}
	if c.MaxStreams < 1 {
		return fmt.Errorf("--max-streams=%d: want 1 or more", c.MaxStreams)
	}
	for _, o := range c.CORSOrigins {
		if u, err := url.Parse(o); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			return fmt.Errorf("--cors-origins=%s: want an origin as https://app.example.org, or *", o)
		}
	}
	return nil
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, std *stdio, loader *config.Loader, parsed *kong.Context) error {
	if c.Check {
		if c.Serving.AdminAddr == config.Off {
			return fmt.Errorf("--admin-addr=off: want an address to ask at")
		}
		return server.CheckReady(ctx, string(c.Serving.AdminAddr))
	}
	log, err := newLogger(std, c.Log, c)
	if err != nil {
		return err
	}
	settings := loader.Settings(parsed)
	log.Info("starting", "build", obs.Build(), config.LogAttr(settings...))
	o, err := c.options(log)
	if err != nil {
		return err
	}
	o.Settings = settings
	return server.Run(ctx, o)
}

// options returns the options of a server as the flags say.
func (c *serveCmd) options(log *slog.Logger) (o server.Options, err error) {
	o = server.Options{
		Addr: string(c.Serving.APIAddr), AdminAddr: c.Serving.AdminAddr.Listen(),
		Postgres:      pgsink.Config{URL: c.Postgres.URL.Reveal(), Schema: c.Postgres.Schema, Group: c.Kafka.Group},
		ServingSchema: c.Postgres.ServingSchema(), RawTopic: c.TopicRaw, DeadTopic: c.TopicDead,
		MaxLag: time.Duration(c.MaxLag), AtLeastWait: time.Duration(c.AtLeastWait), MaxStreams: c.MaxStreams,
		CORSOrigins: c.CORSOrigins, Token: c.Token.Reveal(), Log: log,
	}
	if len(c.Kafka.Brokers) > 0 {
		if o.Kafka, err = c.Kafka.Options(); err != nil {
			return o, err
		}
	}
	o.Redis, err = redisConfig(c.Redis)
	return o, err
}
