package obs

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pitchstream/pitchstream/internal/config"
)

// AdminHandler answers an operator's requests:
//
//	/healthz  200 while the process can answer at all
//	/readyz   200 or 503, {"ready": false, "reasons": ["postgres: connection refused"]}, and "notes" of what
//	          is wrong with Redis, which does not make the process unready
//	/metrics  the registry, for Prometheus
//	/debug/pprof/  profiles, for `go tool pprof`, if access allows them
//	/debug/config  the settings with their sources, secrets hidden
//	POST /breaker/reset  200 when reset closed an open breaker, 409 when none was open; see mayChange
func AdminHandler(
	h *Health, m *Metrics, access config.Admin, reset func() bool, settings ...config.Setting,
) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answerReady(w, h) })
	mux.HandleFunc("POST /breaker/reset", func(w http.ResponseWriter, r *http.Request) {
		if status, why := mayChange(r, access.Token.Reveal()); status != http.StatusOK {
			http.Error(w, why, status)
			return
		}
		if !reset() {
			http.Error(w, "nothing is held", http.StatusConflict)
			return
		}
		fmt.Fprintln(w, "going on")
	})
	mux.HandleFunc("GET /debug/config", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = config.Print(w, settings...) // the client may be gone
	})
	// guard: obs: profiles are taken by those who asked for them only | always
	if access.Profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	return mux
}

// mayChange decides about a request that changes what the process does. No web page may send one: a browser
// names its origin in every POST. With a token the request must bear it. Without one it must come from this
// machine, because the address itself asks no client who it is.
func mayChange(r *http.Request, token string) (status int, why string) {
	// guard: obs: no web page changes anything
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return http.StatusForbidden, "a web page may not do this"
	}
	if token == "" {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		// guard: obs: without a token only this machine changes anything
		if err != nil || !from.Addr().Unmap().IsLoopback() {
			return http.StatusForbidden, "from another machine this needs the admin token, and none is set: " +
				"set one and send Authorization: Bearer TOKEN, or ask from the machine itself"
		}
		return http.StatusOK, ""
	}
	// Digests have equal lengths, so the time of the comparison reveals nothing about the token.
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	want, sent := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(given))
	// guard: obs: the token is asked for
	if !bearer || subtle.ConstantTimeCompare(want[:], sent[:]) != 1 {
		return http.StatusUnauthorized, "want the header Authorization: Bearer TOKEN, with the admin token"
	}
	return http.StatusOK, ""
}

func answerReady(w http.ResponseWriter, h *Health) {
	ready, reasons := h.Ready()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(struct { // the client may be gone
		Ready   bool     `json:"ready"`
		Reasons []string `json:"reasons"`
		Notes   []string `json:"notes,omitempty"`
	}{ready, reasons, h.Notes()})
}

// Server is an HTTP server that owns its port, and answers while Serve runs.
type Server struct {
	listener net.Listener
	http     http.Server
}

// Listen takes the port and logs it, so that an address in use is an error at the start. Serve releases it.
// The timeouts bound how long a slow or silent client holds a connection; a profile of one minute still fits.
func Listen(addr string, handler http.Handler, log *slog.Logger) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err // it says "listen tcp" and the address
	}
	log.Info("admin endpoints", "address", l.Addr().String())
	return &Server{listener: l, http: http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      65 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}, nil
}

// Addr returns the address with the port that was taken, also for port 0.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// shutdownTimeout is the longest time that Serve waits for requests in flight.
const shutdownTimeout = 5 * time.Second

// Serve answers until ctx ends. It then accepts no more requests, waits for those in flight and returns nil;
// those that take longer than shutdownTimeout are cut off, and Serve returns an error.
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
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
