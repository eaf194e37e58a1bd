package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

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
