// Package server runs the HTTP API: Run serves batters, games, pitches and their streams from the target that
// readers see, until its context ends. It writes nothing, so any number of servers may run.
//
// Requests and answers are package api's. This package gives it the stores of the current target
// (targets.go), the dead letters (deadletters.go), the records of the raw topic for drawing swings, and the
// admin endpoints.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/api"
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/redissink"
	"github.com/pitchstream/pitchstream/web"
)

// Options say what a server reads and where it listens.
type Options struct {
	Addr      string // of the API and the dashboard
	AdminAddr string // of the admin endpoints; "": none

	Postgres      pgsink.Config    // URL, Schema and Group of the live target
	ServingSchema string           // schema of the pointer to the target that readers see
	Redis         redissink.Config // URL, TLS and the Prefix of the live target

	Kafka     []kgo.Opt // how to reach the brokers; nil: no swing is drawn and no dead letter shown
	RawTopic  string    // that at_least is about
	Archive   string    // of the raw topic, for swings that it has no more; "": none
	DeadTopic string

	MaxLag      time.Duration // an answer is stale when a record has waited longer; 0: 10 s
	AtLeastWait time.Duration // the longest that a request with at_least waits; 0: 5 s
	MaxStreams  int           // streams at a time; 0: 10,000

	ClientRate     float64        // requests a second of one client; 0: no limit
	ClientStreams  int            // streams of one client; 0: 8,000
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	AnswerBytes    int64          // of earlier answers, kept for when no store can be read; 0: 64 MiB
	DrainWait      time.Duration  // between not being ready and taking no more requests

	CORSOrigins []string  // origins of web pages that may read; "*": all
	Token       string    // bearer token of every request to /v1; "": none
	Apps        []api.App // with tokens and limits of their own; with any, a token is needed

	Admin    config.Admin     // who may do what at the admin address
	Settings []config.Setting // shown at /debug/config
	Log      *slog.Logger
	Started  func(addr string) // called with the address of the API before the first request; nil: not called
}

// Run serves until ctx ends, then lets the requests in flight end. It starts while the stores are
// unavailable; an error is a wrong option or an address in use.
func Run(ctx context.Context, o Options) error {
	stores, err := openTargets(o)
	if err != nil {
		return err
	}
	defer stores.close()
	c := api.Config{
		Topic: o.RawTopic, Build: obs.Build(), MaxLag: o.MaxLag, AtLeastWait: o.AtLeastWait,
		MaxStreams: o.MaxStreams, ClientRate: o.ClientRate, ClientStreams: o.ClientStreams,
		TrustedProxies: o.TrustedProxies, RememberedBytes: o.AnswerBytes,
		CORSOrigins: o.CORSOrigins, Token: o.Token, Apps: o.Apps, Log: o.Log, Pages: web.Handler(),
	}
	if o.Kafka != nil {
		o.Kafka = append(o.Kafka[:len(o.Kafka):len(o.Kafka)], kgo.ClientID("pitchstream serve"))
		dead, err := openDeadLetters(o)
		if err != nil {
			return err
		}
		defer dead.close()
		records := kafkaread.NewReader(o.Kafka...)
		records.ReadBeyond(archive.Beyond(o.Archive))
		defer records.Close()
		c.Letters, c.Records = dead, swingRecords{records}
	}
	metrics := obs.NewMetrics(obs.Build())
	c.Registerer = metrics.Registry
	health := obs.NewHealth(o.Log, metrics, "stores")
	handler, err := api.NewSwitch(ctx, api.SwitchConfig{
		Open: stores.open, Pointer: stores.pointer, Copy: stores.redis.Pointer, API: c,
	})
	if err != nil {
		return err
	}
	defer handler.Close()
	server, err := api.Listen(o.Addr, handler)
	if err != nil {
		return err
	}
	o.Log.Info("serving", "address", server.Addr())
	watch := func(ctx context.Context) error { return watchStores(ctx, handler, stores, health) }
	helpers := []func(context.Context) error{watch}
	if o.AdminAddr != "" {
		nothingToReset := func() bool { return false }
		pages := obs.AdminHandler(health, metrics, o.Admin, nothingToReset, o.Settings...)
		admin, err := obs.Listen(o.AdminAddr, pages, o.Log)
		if err != nil {
			return err
		}
		helpers = append(helpers, admin.Serve)
	}
	if o.Started != nil {
		o.Started(server.Addr())
	}
	return lifecycle.Run(ctx, func(ctx context.Context) error {
		// Not ready from the signal on, so that a load balancer sends no more requests while the last ones
		// end.
		serving, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		defer context.AfterFunc(ctx, func() {
			health.Set("serving", false, "ending")
			// guard: server: requests are taken while load balancers notice
			time.Sleep(o.DrainWait)
			stop()
		})()
		return server.Serve(serving)
	}, helpers...)
}

// watchStores checks each second until ctx ends whether the stores can be read, and whether the schema has
// the migrations of this build. The server is ready with one of them, and names the other one. It returns an
// error for a database that this build must not read.
func watchStores(ctx context.Context, handler *api.Switch, stores *targets, health *obs.Health) error {
	tick := time.Tick(time.Second)
	for {
		err := handler.Ready(ctx)
		if ctx.Err() != nil {
			return nil
		}
		ping, cancel := context.WithTimeout(ctx, time.Second)
		why := stores.live.Ping(ping)
		_, _, lost := stores.redis.Seqs(ping, nil)
		cancel()
		if errors.Is(why, pgread.ErrEncoding) || errors.Is(why, pgread.ErrNewerSchema) {
			return why
		}
		// guard: server: a schema that lacks a migration is named
		if errors.Is(why, pgread.ErrNotMigrated) {
			err = why
		}
		health.Set("stores", err == nil, reasonOf(err))
		// guard: server: a store that does not answer is named | reasonOf(lost) -> reasonOf(lost)[:0]
		health.Note("redis", reasonOf(lost))
		health.Note("postgres", reasonOf(why))
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
	}
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// swingRecords reads records of the raw topic, to draw their swings.
type swingRecords struct{ topic *kafkaread.Reader }

// SwingPath returns the swing of one record; nil when the record is gone, is another one, or has no swing.
func (r swingRecords) SwingPath(
	ctx context.Context, at schemas.Coordinates,
) (swing *schemas.SwingPath, err error) {
	err = r.topic.Use(ctx, at, kafkaread.MaxAnswerBytes, func(record schemas.Record) {
		// guard: serve: the record of a topic that was created anew is another
		if min(max(record.TimestampMS, 0), schemas.MaxTimestampMS) != at.TimestampMS {
			return
		}
		if path, ok := features.SwingPath(record.Value); ok {
			swing = &path
		}
	})
	if errors.Is(err, kafkaread.ErrGone) {
		return nil, nil
	}
	return swing, err
}

// checkTimeout is how long CheckReady waits for an answer.
const checkTimeout = 4 * time.Second

// CheckReady returns nil when the server with this admin address is ready, else an error with its reasons. An
// address without a host is on this machine.
func CheckReady(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port) + "/readyz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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
