// Package api is the HTTP API that applications read from: batters, games, leaders and pitches as JSON, and their states
// as streams of server-sent events. It reads Redis where Redis can be trusted, else Postgres, else what it answered
// last, and says which, how fresh it is, and how far the processors are behind.
//
// Its document is made from this code: GET /openapi.json, and as a page GET /docs.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Config says what is read, and the limits. Zero durations and counts stand for their defaults.
type Config struct {
	Live  Live  // Redis
	Store Store // Postgres
	// Records is Kafka, for swings to be drawn; nil: there is none to read from.
	Records Records
	Letters Letters // dead letters; nil: there are none to read
	Topic   string
	Build   string

	MaxLag      time.Duration // an answer is stale when a record has waited longer; 10 s
	AtLeastWait time.Duration // the longest that a request waits for its offsets; 5 s
	Timeout     time.Duration // of one request that is no stream; 10 s
	LiveTimeout time.Duration // for one answer of Redis; 1 s
	PollEvery   time.Duration // between two looks at what is streamed; 40 ms
	PingEvery   time.Duration // between two comments on a silent stream; 15 s
	WriteLimit  time.Duration // a client that does not take an event for so long is dropped; 10 s
	Remembered  int           // answers that are kept for when nothing can be read; 10,000
	MaxStreams  int           // streams at a time; 10,000

	CORSOrigins []string     // origins of web pages that may read; "*": all
	Token       string       // that every request to /v1 must bear; "": none
	Pages       http.Handler // answers "/" and "/assets/", without a token; nil: nobody
	Registerer  prometheus.Registerer
	successor   func() *API      // that of another target, once readers see that one; of a Switch
	certainty   func() certainty // that readers see this target; of a Switch
	Log         *slog.Logger
}

func (c Config) withDefaults() Config {
	or := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	or(&c.MaxLag, 10*time.Second)
	or(&c.AtLeastWait, 5*time.Second)
	or(&c.Timeout, 10*time.Second)
	or(&c.LiveTimeout, time.Second)
	or(&c.PollEvery, 40*time.Millisecond)
	or(&c.PingEvery, 15*time.Second)
	or(&c.WriteLimit, 10*time.Second)
	if c.Remembered <= 0 {
		c.Remembered = 10_000
	}
	if c.MaxStreams <= 0 {
		c.MaxStreams = 10_000
	}
	if c.Topic == "" {
		c.Topic = "pitches.raw"
	}
	if c.certainty == nil {
		c.certainty = func() certainty { return certain }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	return c
}

// API answers requests. Run must be running for names to be known and for streams to move.
type API struct {
	cfg      Config
	sources  sources
	names    names
	paths    paths
	overview overview
	hub      hub
	metrics  metrics
	handler  http.Handler
}

// New makes an API.
func New(cfg Config) (*API, error) {
	cfg = cfg.withDefaults()
	a := &API{cfg: cfg, metrics: newMetrics(cfg.Registerer)}
	if err := a.sources.init(cfg); err != nil {
		return nil, err
	}
	if err := a.paths.init(cfg); err != nil {
		return nil, err
	}
	a.names.store = cfg.Store
	a.hub.init(a)
	handler, err := a.routes()
	if err != nil {
		return nil, err
	}
	a.handler = handler
	return a, nil
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Run keeps the names and moves the streams until ctx ends; then it ends the streams.
func (a *API) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { a.names.keep(ctx); return nil })
	g.Go(func() error { a.hub.run(ctx); return nil })
	return g.Wait()
}

// Ready says whether anything can be read now: Redis that is whole, or Postgres; and if not, why.
func (a *API) Ready(ctx context.Context) error { return a.sources.ready(ctx) }

// Limits of a connection. Streams and slow answers have deadlines of their own.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	drainTimeout      = 10 * time.Second
	maxHeaderBytes    = 16 << 10
)

// Server has its port, and answers when Serve is called.
type Server struct {
	listener net.Listener
	api      Service
	http     http.Server
}

// Service is what a server serves: an API, or a Switch of several. Run keeps it going, and ends its streams.
type Service interface {
	http.Handler
	Run(ctx context.Context) error
	log() *slog.Logger
}

// Listen takes the port, so that an address in use is an error at the start.
func Listen(addr string, a Service) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &Server{listener: l, api: a, http: http.Server{
		Handler: a, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(a.log().Handler(), slog.LevelDebug), // clients that hang up
	}}, nil
}

// Addr is the address with the port that was taken.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until ctx ends. Then it takes no more connections, ends the streams, whose clients come back to another
// server, and lets the other requests end, for ten seconds at most.
func (s *Server) Serve(ctx context.Context) error {
	moving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ran, served := make(chan error, 1), make(chan error, 1)
	go func() { ran <- s.api.Run(moving) }()
	go func() { served <- s.http.Serve(s.listener) }()
	var err error
	select {
	case err = <-served:
		served <- nil
	case <-ctx.Done():
	}
	stop()
	<-ran
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if failed := s.http.Shutdown(grace); failed != nil {
		err = errors.Join(err, failed, s.http.Close())
	}
	<-served
	return err
}
