package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
)

// demoAPI is pitchstream serve, in this process.
type demoAPI struct {
	addr string
	stop context.CancelFunc
	done chan struct{} // closed when it has ended
	err  error         // why; for after done
}

// start returns when it answers. It serves until close, whatever becomes of ctx.
func (a *demoAPI) start(ctx context.Context, s *demoServers, port uint16, log io.Writer) error {
	var c serveCmd
	err := demoDefaults(&c, "--postgres-url="+s.postgres.URL, "--redis-url="+s.redisURL(), "--kafka-brokers="+s.kafkaAddr(), "--admin-addr=off", fmt.Sprintf("--api-addr=127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	ctx, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	a.done = make(chan struct{})
	started := make(chan string, 1)
	go func() {
		defer close(a.done)
		a.err = c.serve(ctx, slog.New(slog.NewTextHandler(log, nil)), func(addr string) { started <- addr })
	}()
	select {
	case a.addr = <-started:
		return nil
	case <-a.done:
		a.stop()
		a.stop = nil
		return fmt.Errorf("the API: %w", a.err)
	}
}

// close ends it.
func (a *demoAPI) close() error {
	if a.stop == nil {
		return nil
	}
	a.stop()
	<-a.done
	return a.err
}
