package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/api"
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/web"
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

	settings []config.Setting // as they were given, for who looks at a process
}

// Help is what serve --help says below its first line.
func (*serveCmd) Help() string {
	return `
Reads Redis, and Postgres where Redis cannot be trusted or does not have it; writes nothing. Any number of them may run,
anywhere: they share nothing. The API's document is at /openapi.json and, to read, at /docs. Kafka is read for two things
only, swings that are to be drawn and dead letters; without --kafka-brokers there are none.

  pitchstream serve --postgres-url=… --redis-url=… --kafka-brokers=…
  curl localhost:8080/v1/batters/660271
  curl localhost:8080/v1/batters/660271/stream`
}

// BeforeReset says, before anything is parsed, what this command can do without.
func (c *serveCmd) BeforeReset() error {
	c.Kafka.Optional = true
	return nil
}

// Validate says what is wrong and what would be right.
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
		return checkReady(ctx, string(c.Serving.AdminAddr))
	}
	log, err := obs.NewLogger(std.Err, c.Log.Format, c.Log.Level)
	if err != nil {
		return err
	}
	log = slog.New(hinting{log.Handler(), hintFor(c)})
	c.settings = loader.Settings(parsed)
	log.Info("starting", "build", obs.Build(), config.LogAttr(c.settings...))
	return c.serve(ctx, log, nil)
}

// serve opens the stores and serves until ctx ends; started is told the address, if it is not nil.
func (c *serveCmd) serve(ctx context.Context, log *slog.Logger, started func(addr string)) error {
	served, err := c.openServed(log)
	if err != nil {
		return err
	}
	defer served.close()

	records, err := c.records()
	if err != nil {
		return err
	}
	dead, closeLetters, err := c.letters()
	if err != nil {
		return err
	}
	defer closeLetters()
	metrics := obs.NewMetrics(obs.Build())
	health := obs.NewHealth(log, metrics, "stores")
	handler, err := api.NewSwitch(ctx, api.SwitchConfig{Open: served.open, Pointer: served.pointer, Copy: served.redis.Pointer, API: api.Config{
		Records: records, Letters: dead, Topic: c.TopicRaw, Build: obs.Build(), MaxLag: time.Duration(c.MaxLag), AtLeastWait: time.Duration(c.AtLeastWait),
		MaxStreams: c.MaxStreams, CORSOrigins: c.CORSOrigins, Token: c.Token.Reveal(), Registerer: metrics.Registry, Log: log, Pages: web.Handler(),
	}})
	if err != nil {
		return err
	}
	defer handler.Close()
	server, err := api.Listen(string(c.Serving.APIAddr), handler)
	if err != nil {
		return err
	}
	log.Info("serving", "address", server.Addr())

	var helpers []func(context.Context) error
	if c.Serving.AdminAddr != config.Off {
		admin, err := obs.Listen(string(c.Serving.AdminAddr), obs.AdminHandler(health, metrics, func() bool { return false }, c.settings...), log)
		if err != nil {
			return err
		}
		log.Info("admin endpoints", "address", admin.Addr())
		helpers = append(helpers, admin.Serve)
	}
	if started != nil {
		started(server.Addr())
	}
	helpers = append(helpers, func(ctx context.Context) error { return watchStores(ctx, handler, health) })
	return lifecycle.Run(ctx, func(ctx context.Context) error {
		// From here on a load balancer must send no more requests.
		defer context.AfterFunc(ctx, func() { health.Set("serving", false, "ending") })()
		return server.Serve(ctx)
	}, helpers...)
}

// watchStores keeps the health of what is read up to date until ctx ends.
func watchStores(ctx context.Context, handler *api.Switch, health *obs.Health) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		err := handler.Ready(ctx)
		if ctx.Err() != nil {
			return nil
		}
		health.Set("stores", err == nil, reasonOf(err))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// swingRecords are the records of the raw topic, for who draws a swing.
type swingRecords struct{ topic *kafkaread.Reader }

// records are nil where no broker is named.
func (c *serveCmd) records() (api.Records, error) {
	if len(c.Kafka.Brokers) == 0 {
		return nil, nil
	}
	opts, err := c.Kafka.Options()
	if err != nil {
		return nil, err
	}
	return swingRecords{kafkaread.NewReader(append(opts, kgo.ClientID("pitchstream serve"))...)}, nil
}

// SwingPath reads one record, and nil where it is gone.
func (r swingRecords) SwingPath(ctx context.Context, at schemas.Coordinates) (*schemas.SwingPath, error) {
	value, err := r.topic.Value(ctx, at)
	if errors.Is(err, kafkaread.ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	path, ok := features.SwingPath(value)
	if !ok {
		return nil, nil
	}
	return &path, nil
}

// checkReady asks a server on this machine whether it is ready.
func checkReady(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--admin-addr=%s: want an address to ask at", addr)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	why, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(why)))
	}
	return nil
}

const checkTimeout = 4 * time.Second
