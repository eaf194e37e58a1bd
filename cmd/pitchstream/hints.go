package main

import (
	"context"
	"errors"
	"log/slog"

	"pitchstream/internal/config"
	"pitchstream/sink/redissink"
)

// explained is an error's text, with the setting to look at where one is known.
func explained(command any, err error) string {
	if command != nil {
		if hint := config.Hint(command, err); hint != "" {
			return err.Error() + "; " + hint
		}
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
		err, _ := a.Value.Any().(error)
		if a.Key == "reason" { // Redis' keeper tells why as text
			err = errors.New(a.Value.String())
		}
		if err != nil {
			hint = config.Hint(h.command, err)
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

// openRedis opens the projection; log is nil for commands that end with what goes wrong.
func openRedis(ctx context.Context, c config.Redis, log *slog.Logger) (*redissink.Sink, error) {
	trust, err := c.TLSConfig()
	if err != nil {
		return nil, err
	}
	return redissink.Open(ctx, redissink.Config{URL: c.URL.Reveal(), TLS: trust, Prefix: c.Prefix, Log: log})
}
