// Package api is the HTTP API for applications: batters, games, leaders and pitches as JSON, and their states
// as streams of server-sent events. It reads Redis if that is up to date, else Postgres, else its own earlier
// answers. Every answer says where it comes from, how fresh it is, and how far the processors are behind.
//
// The API's document is generated from this code: GET /openapi.json, and as a page GET /docs.
package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Config names the sources of an API and its limits. A zero duration or count stands for its default.
type Config struct {
	// Live is Redis, Store is Postgres.
	Live  Live
	Store Store
	// Records reads swings to be drawn from Kafka. nil: swings are not available.
	Records Records
	// nil: dead letters are not available.
	Letters Letters
	Topic   string
	Build   string

	// MaxLag is how long a record may wait before answers count as stale; 10 s.
	MaxLag time.Duration
	// AtLeastWait is the longest that a request waits for the records in at_least; 5 s.
	AtLeastWait time.Duration
	// Timeout limits a request that is no stream; 10 s. LiveTimeout limits one answer of Redis; 1 s.
	Timeout     time.Duration
	LiveTimeout time.Duration
	// PollEvery is the interval at which the streamed states are polled; 40 ms.
	PollEvery time.Duration
	// PingEvery is the interval between comments on a silent stream; 15 s.
	PingEvery time.Duration
	// WriteLimit is how long a client may take to accept an event or a whole answer; 10 s.
	WriteLimit time.Duration
	// Remembered and RememberedBytes bound the answers that are kept for the time when no store can be read:
	// their number, 10,000, and the memory that they take, 64 MiB.
	Remembered      int
	RememberedBytes int64
	// MaxStreams is the number of open streams; 10,000.
	MaxStreams int
	// ClientRate is how many requests a second one client may send; 0: as many as it likes. ClientStreams is how
	// many streams it may have open; 8,000.
	ClientRate    float64
	ClientStreams int
	// TrustedProxies are the networks of proxies whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix

	// CORSOrigins are the origins of web pages that may read; "*" allows all.
	CORSOrigins []string
	// Token must be sent with every request to /v1. "": no token is needed.
	Token string
	// Apps have tokens and limits of their own. With any, a token is needed.
	Apps []App
	// Pages answers "/" and "/assets/", without a token. nil: there are no pages.
	Pages http.Handler
	// Registerer takes the metrics. nil: they are counted, and not exported.
	Registerer prometheus.Registerer
	metrics    *metrics
	clients    *clients
	apps       *apps
	turns      *turns
	// successor returns the API of the current target once readers have moved to another one, else nil. A Switch
	// sets it.
	successor func() *API
	// certainty reports how certain it is that this target is the one that readers see. A Switch sets it.
	certainty func() certainty
	Log       *slog.Logger
}

func (c Config) withDefaults() (_ Config, err error) {
	c.MaxLag = cmp.Or(c.MaxLag, 10*time.Second)
	c.AtLeastWait = cmp.Or(c.AtLeastWait, 5*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.LiveTimeout = cmp.Or(c.LiveTimeout, time.Second)
	c.PollEvery = cmp.Or(c.PollEvery, 40*time.Millisecond)
	c.PingEvery = cmp.Or(c.PingEvery, 15*time.Second)
	c.WriteLimit = cmp.Or(c.WriteLimit, 10*time.Second)
	c.Remembered = cmp.Or(c.Remembered, 10_000)
	c.RememberedBytes = cmp.Or(c.RememberedBytes, 64<<20)
	c.MaxStreams = cmp.Or(c.MaxStreams, 10_000)
	c.ClientStreams = cmp.Or(c.ClientStreams, 8_000)
	c.Topic = cmp.Or(c.Topic, "pitches.raw")
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.certainty == nil {
		c.certainty = func() certainty { return certain }
	}
	if c.metrics == nil { // a Switch passes its own to the API of each target
		c.metrics, c.turns = newMetrics(c.Registerer), newTurns()
		if c.clients, err = newClients(c); err == nil {
			c.apps, err = newApps(c)
		}
	}
	return c, err
}

// API answers requests. Run must be running, or names stay unknown and streams send their first state only.
type API struct {
	cfg      Config
	sources  sources
	names    names
	paths    paths
	overview overview
	hub      hub
	tail     feedTail
	deltas   deltas
	metrics  *metrics
	clients  *clients
	apps     *apps
	large    *semaphore.Weighted // bytes of large answers that are being sent
	waiting  *semaphore.Weighted // bytes of those that wait for it
	shares   shares              // of each client in both
	mux      *http.ServeMux
	streams  map[string]bool // the patterns of the mux that are streams
	handler  http.Handler
	document *huma.OpenAPI
}

// New returns an API with its routes. It reads nothing yet.
func New(cfg Config) (*API, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &API{cfg: cfg, metrics: cfg.metrics, clients: cfg.clients, apps: cfg.apps}
	a.large, a.waiting = semaphore.NewWeighted(largeBytes), semaphore.NewWeighted(largeBytes)
	if err := cmp.Or(a.sources.init(cfg), a.paths.init(cfg), a.deltas.init()); err != nil {
		return nil, err
	}
	a.names.store = cfg.Store
	a.overview.reading = make(chan struct{}, 1)
	a.hub.init(a)
	a.tail.init(a)
	a.handler, err = routes(a)
	return a, err
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Run refreshes the names and polls for the streams until ctx ends. Then it ends the streams.
func (a *API) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		a.names.refresh(ctx)
		every(ctx, namesEvery, func() { a.names.refresh(ctx) })
		return nil
	})
	g.Go(func() error { a.hub.run(ctx); return nil })
	g.Go(func() error { a.tail.run(ctx); return nil })
	return g.Wait()
}

// every calls f at each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, f func()) {
	tick := time.Tick(interval)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			f()
		}
	}
}

// Ready returns nil if anything can be read: an up-to-date Redis, or Postgres. Otherwise the error says why
// not.
func (a *API) Ready(ctx context.Context) error { return a.sources.ready(ctx) }

// log makes an API a Service.
func (a *API) log() *slog.Logger { return a.cfg.Log }

// Limits of a connection. Streams and slow answers set deadlines of their own.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	drainTimeout      = 10 * time.Second
	maxHeaderBytes    = 16 << 10
)

// Server owns its port from Listen on, and answers once Serve is called.
type Server struct {
	listener net.Listener
	api      Service
	http     http.Server
}

// Service is the handler of a server: an API, or a Switch of several. Run keeps it working, and ends its
// streams.
type Service interface {
	http.Handler
	Run(ctx context.Context) error
	log() *slog.Logger
}

// Listen binds the port, so that an address in use is an error at the start and not later.
func Listen(addr string, a Service) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err // it names the address
	}
	return &Server{listener: problemListener{l}, api: a, http: http.Server{
		Handler: a, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(a.log().Handler(), slog.LevelDebug), // clients that hang up
	}}, nil
}

// Addr returns the address with the port that was bound.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until ctx ends. Then it accepts no more connections, ends the streams (their clients
// reconnect to another server), and lets the other requests finish, for ten seconds at most.
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
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if failed := s.http.Shutdown(grace); failed != nil {
		err = errors.Join(err, failed, s.http.Close())
	}
	// A read of stores that hang may hold it for seconds, and no client is to come meanwhile.
	<-ran    //nolint:errcheck // only that it has ended counts
	<-served //nolint:errcheck // only that it has ended counts
	return err
}
