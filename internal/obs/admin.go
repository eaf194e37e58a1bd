package obs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pitchstream/pitchstream/internal/config"
)

// AdminHandler answers those who look after the process:
//
//	/healthz  200 while the process can answer at all
//	/readyz   200 or 503, {"ready": false, "reasons": ["postgres: connection refused"]}
//	/metrics  the registry, for Prometheus
//	/debug/pprof/  profiles, for `go tool pprof`
//	/debug/config  the settings that hold and where each comes from, secrets hidden
//	POST /breaker/reset  200 when reset let something go on, 409 when nothing was held
func AdminHandler(h *Health, m *Metrics, reset func() bool, settings ...config.Setting) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answerReady(w, h) })
	mux.HandleFunc("POST /breaker/reset", func(w http.ResponseWriter, _ *http.Request) {
		if !reset() {
			http.Error(w, "nothing is held", http.StatusConflict)
			return
		}
		fmt.Fprintln(w, "going on")
	})
	mux.HandleFunc("GET /debug/config", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = config.Print(w, settings...) // whoever asked may have gone
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	return mux
}

func answerReady(w http.ResponseWriter, h *Health) {
	ready, reasons := h.Ready()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(struct { // whoever asked may have gone
		Ready   bool     `json:"ready"`
		Reasons []string `json:"reasons"`
	}{ready, reasons})
}

// Limits of an HTTP connection. A slow or silent client holds a connection no longer than these.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 65 * time.Second // a profile of a minute
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 5 * time.Second
	maxHeaderBytes    = 16 << 10
)

// Server is an HTTP server that has its port, and serves when Serve is called.
type Server struct {
	listener net.Listener
	http     http.Server
}

// Listen takes the port, so that an address in use is an error at the start. Close or Serve gives it back.
func Listen(addr string, handler http.Handler, log *slog.Logger) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &Server{listener: l, http: http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}, nil
}

// Addr is the address with the port that was taken, for an address with port 0.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close gives the port back without serving.
func (s *Server) Close() error { return s.listener.Close() }

// Serve answers until ctx is done; then it takes no more requests and lets those in flight end, for five seconds at most.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(grace)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-failed
	return err
}
