package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/server"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

type serveCmd struct {
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Redis    config.Redis    `embed:"" group:"Redis"`
	Kafka    config.Kafka    `embed:"" group:"Kafka"`
	Archive  config.Archive  `embed:"" group:"Kafka"`
	Serving  config.Serving  `embed:"" group:"Operation"`
	Log      config.Log      `embed:"" group:"Operation"`
	Admin    config.Admin    `embed:"" group:"Operation"`

	TopicDead string `name:"topic-dead" default:"pitches.dead" placeholder:"TOPIC" group:"Kafka" help:"Topic of the dead letters, for /v1/letters. Default: pitches.dead."`
	TopicRaw  string `name:"topic-raw" default:"pitches.raw" placeholder:"TOPIC" group:"Kafka" help:"Topic that at_least is about. Default: pitches.raw."`

	MaxLag      config.Duration `name:"max-lag" default:"10s" placeholder:"TIME" group:"API" help:"An answer is stale when a record has waited for longer. Default: 10s."`
	AtLeastWait config.Duration `name:"at-least-wait" default:"5s" placeholder:"TIME" group:"API" help:"The longest that a request with at_least waits, up to 9s. Default: 5s."`
	CORSOrigins []string        `name:"cors-origins" placeholder:"ORIGIN" group:"API" help:"Origins of web pages that may read, as https://app.example.org; * for all. None by default."`
	Token       config.Secret   `name:"api-token" placeholder:"SECRET" group:"API" help:"Every request to /v1 must bear it (Authorization: Bearer). Seen by all who may list processes when given as a flag: prefer the variable or the file. None by default: whoever reaches the address may read."`
	TokenFile   string          `name:"api-token-file" placeholder:"FILE" group:"API" help:"File with the token."`
	AppsFile    string          `name:"api-apps-file" placeholder:"FILE" group:"API" help:"YAML file of apps with tokens and limits of their own: a list of app, token or token_sha256, requests_per_second, streams. With it, every request to /v1 must bear the token of an app, or --api-token."`
	Check       bool            `env:"-" name:"check" group:"Operation" help:"Ask the admin address of a serve, or with --admin-addr of a run, whether it is ready, and end: with status 1 if not. For an image that has nothing else in it."`
	MaxStreams  int             `name:"max-streams" default:"10000" placeholder:"N" group:"API" help:"Streams at a time. Default: 10,000."`

	ClientRate     float64         `name:"client-rate" default:"5000" placeholder:"N" group:"API" help:"Requests a second of one client, an address (of IPv6 its /64), over some seconds; more are answered with 429. 0: no limit. Default: 5000."`
	ClientStreams  int             `name:"client-streams" default:"8000" placeholder:"N" group:"API" help:"Streams of one client at a time. Default: 8000."`
	TrustedProxies []string        `name:"trusted-proxies" placeholder:"CIDR" group:"API" help:"Networks of proxies whose X-Forwarded-For names the client, as 10.0.0.0/8. None by default: then a proxy is one client."`
	AnswerCache    config.Bytes    `name:"answer-cache" default:"64MiB" placeholder:"SIZE" group:"API" help:"Memory for earlier answers, which are given while neither Redis nor Postgres can be read. Default: 64MiB."`
	MemoryLimit    config.Bytes    `name:"memory-limit" default:"320MiB" placeholder:"SIZE" group:"API" help:"The collector works harder the nearer memory comes to this (as GOMEMLIMIT, which wins when it is set): leave about a third of the container's limit above it. Default: 320MiB."`
	DrainWait      config.Duration `name:"drain-wait" default:"0s" placeholder:"TIME" group:"API" help:"How long it still takes requests after SIGTERM, while /readyz says 503, so that load balancers notice. Default: 0s."`
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
	for name, n := range map[string]int{"max-streams": c.MaxStreams, "client-streams": c.ClientStreams} {
		if n < 1 {
			return fmt.Errorf("--%s=%d: want 1 or more", name, n)
		}
	}
	if c.ClientRate < 0 {
		return fmt.Errorf("--client-rate=%v: want requests a second, or 0 for no limit", c.ClientRate)
	}
	if c.AnswerCache < 1<<20 || c.MemoryLimit < 64<<20 {
		return fmt.Errorf("--answer-cache=%v --memory-limit=%v: want 1MiB and 64MiB or more",
			c.AnswerCache, c.MemoryLimit)
	}
	if c.DrainWait < 0 || time.Duration(c.DrainWait) > time.Minute {
		return fmt.Errorf("--drain-wait=%v: want 0s to 1m", c.DrainWait)
	}
	if _, err := c.proxies(); err != nil {
		return err
	}
	for _, o := range c.CORSOrigins {
		if u, err := url.Parse(o); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			return fmt.Errorf("--cors-origins=%s: want an origin as https://app.example.org, or *", o)
		}
	}
	return nil
}

// proxies returns the networks of the trusted proxies.
func (c *serveCmd) proxies() (networks []netip.Prefix, err error) {
	for _, text := range c.TrustedProxies {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies=%s: want a network as 10.0.0.0/8", text)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

// PostgresRole returns a reader, which this command connects as.
func (*serveCmd) PostgresRole() config.Role { return config.Reader }

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
	config.Memory{MemoryLimit: c.MemoryLimit}.Apply()
	settings := loader.Settings(parsed)
	logStart(log, loader, parsed)
	o, err := c.options(log)
	if err != nil {
		return err
	}
	o.Settings = settings
	o.Started = func(addr string) { log.Info("the dashboard is there", "url", browserURL(addr)) }
	return server.Run(ctx, o)
}

// browserURL returns the address to type on this machine for a server that listens at addr.
func browserURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		addr = net.JoinHostPort("localhost", port)
	}
	return "http://" + addr + "/"
}

// options returns the options of a server as the flags say.
func (c *serveCmd) options(log *slog.Logger) (o server.Options, err error) {
	o = server.Options{
		Addr: string(c.Serving.APIAddr), AdminAddr: c.Serving.AdminAddr.Listen(),
		Postgres:      pgsink.Config{URL: c.Postgres.Address(), Schema: c.Postgres.Schema, Group: c.Kafka.Group},
		ServingSchema: c.Postgres.ServingSchema(), RawTopic: c.TopicRaw, DeadTopic: c.TopicDead,
		Archive: c.Archive.Place(),
		MaxLag:  time.Duration(c.MaxLag), AtLeastWait: time.Duration(c.AtLeastWait), MaxStreams: c.MaxStreams,
		ClientRate: c.ClientRate, ClientStreams: c.ClientStreams, AnswerBytes: int64(c.AnswerCache),
		CORSOrigins: c.CORSOrigins, Token: c.Token.Reveal(), Admin: c.Admin,
		DrainWait: time.Duration(c.DrainWait), Log: log,
	}
	if c.AppsFile != "" {
		if o.Apps, err = server.ReadApps(c.AppsFile); err != nil {
			return o, fmt.Errorf("--api-apps-file: %w", err)
		}
	}
	if o.TrustedProxies, err = c.proxies(); err != nil {
		return o, err
	}
	if len(c.Kafka.Brokers) > 0 {
		if o.Kafka, err = c.Kafka.Options(); err != nil {
			return o, err
		}
	}
	o.Redis, err = redisConfig(c.Redis)
	return o, err
}
