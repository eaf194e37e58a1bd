package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// hintFor is config.Hint for a process that waits for its servers.
func hintFor(command any, err error) string {
	if command == nil || config.Closed(err) {
		return ""
	}
	return config.Hint(command, err)
}

// explained is an error's text, with the setting to look at where one is known.
func explained(command any, err error) string {
	if hint := hintFor(command, err); hint != "" {
		return err.Error() + "; " + hint
	}
	return err.Error()
}

// hinting adds the setting to look at to every line of the log that has an error: a processor waits for its servers
// rather than to end, so that its log is where one reads of a wrong password.
type hinting struct {
	slog.Handler
	command any
}

func (h hinting) Handle(ctx context.Context, r slog.Record) error {
	hint := ""
	r.Attrs(func(a slog.Attr) bool {
		err, isError := a.Value.Any().(error)
		if !isError && a.Key == "reason" { // Redis' keeper tells why as text
			err = errors.New(a.Value.String())
		}
		if err != nil {
			hint = hintFor(h.command, err)
		}
		return hint == ""
	})
	if hint != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("hint", hint))
	}
	return h.Handler.Handle(ctx, r)
}

func (h hinting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return hinting{h.Handler.WithAttrs(attrs), h.command}
}

func (h hinting) WithGroup(name string) slog.Handler {
	return hinting{h.Handler.WithGroup(name), h.command}
}

// tellRedis logs why Redis refuses us, once for each setting to look at: the keeper tells only the first reason for which
// it is away, and that may be that connections ended.
func (c *runCmd) tellRedis(log *slog.Logger) func(redissink.State) {
	var mu sync.Mutex
	told := ""
	return func(s redissink.State) {
		hint := hintFor(c, errors.New(s.Reason))
		mu.Lock()
		defer mu.Unlock()
		switch {
		case s.Phase == redissink.PhaseOK:
			told = ""
		case hint != "" && hint != told:
			told = hint
			log.Warn("Redis refuses us", "reason", s.Reason)
		}
	}
}

// openRedis opens the projection; log is nil for commands that end with what goes wrong.
func openRedis(ctx context.Context, c config.Redis, log *slog.Logger) (*redissink.Sink, error) {
	cfg, err := redisConfig(c)
	if err != nil {
		return nil, err
	}
	cfg.Log = log
	return redissink.Open(ctx, cfg)
}

func redisConfig(c config.Redis) (redissink.Config, error) {
	trust, err := c.TLSConfig()
	return redissink.Config{URL: c.URL.Reveal(), TLS: trust, Prefix: c.Prefix}, err
}
