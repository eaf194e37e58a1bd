package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
)

// newLogger returns the log of a command that waits for its servers instead of ending with their errors. Each
// line with an error names the setting to look at, where one is known.
func newLogger(std *stdio, c config.Log, command any) (*slog.Logger, error) {
	log, err := obs.NewLogger(std.Err, c.Format, c.Level)
	if err != nil {
		return nil, err
	}
	return slog.New(hinting{log.Handler(), hintFor(command)}), nil
}

// logStart logs the settings that are not defaults, and what is probably wrong with them.
func logStart(log *slog.Logger, loader *config.Loader, parsed *kong.Context) {
	log.Info("starting", "build", obs.Build(), config.LogAttr(loader.Settings(parsed)...))
	for _, warning := range loader.Warnings(parsed) {
		log.Warn("a setting is probably wrong", "warning", warning)
	}
}

// hintFor returns config.Hint for the flags of a command. A connection that was only closed needs no remedy.
func hintFor(command any) func(error) string {
	return func(err error) string {
		if config.Closed(err) {
			return ""
		}
		return config.Hint(command, err)
	}
}

// hinting is a log handler that adds the attribute hint to every record that has an error, or a reason for
// which Redis is unavailable.
type hinting struct {
	slog.Handler
	hint func(error) string
}

func (h hinting) Handle(ctx context.Context, r slog.Record) error {
	hint := ""
	r.Attrs(func(a slog.Attr) bool {
		err, isError := a.Value.Any().(error)
		if !isError && a.Key == "reason" { // the keeper of Redis logs reasons as text
			err = errors.New(a.Value.String())
		}
		if err != nil {
			hint = h.hint(err)
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
	return hinting{h.Handler.WithAttrs(attrs), h.hint}
}

func (h hinting) WithGroup(name string) slog.Handler {
	return hinting{h.Handler.WithGroup(name), h.hint}
}
