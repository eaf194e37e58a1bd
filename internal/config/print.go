package config

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

// Setting is a setting as it holds, secrets hidden, and where it comes from.
type Setting struct {
	Name   string // as the flag, without dashes
	Value  string // empty: none
	Source string // "flag", "env PITCHSTREAM_…", "file PATH:LINE" or "default"; for a secret's file, its path too
}

// Settings are those of the command that was parsed, in the order of its help.
func (l *Loader) Settings(ctx *kong.Context) []Setting {
	var settings []Setting
	for _, f := range ctx.Flags() {
		if f.Name != "help" && f.Name != "config" {
			settings = append(settings, Setting{f.Name, show(f.Target), l.source(ctx, f)})
		}
	}
	return settings
}

// Print writes a line for each setting: name, value, source.
func Print(w io.Writer, settings ...Setting) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, s.Value, s.Source)
	}
	return t.Flush()
}

// LogAttr is all settings as one group, for a log that machines read: name → "value (source)".
func LogAttr(settings ...Setting) slog.Attr {
	attrs := make([]any, 0, len(settings))
	for _, s := range settings {
		attrs = append(attrs, slog.String(s.Name, strings.TrimSpace(s.Value+" ("+s.Source+")")))
	}
	return slog.Group("settings", attrs...)
}

func (l *Loader) source(ctx *kong.Context, f *kong.Flag) string {
	source := "default"
	switch line := l.file.line(f.Name); {
	case given(ctx, f):
		return "flag"
	case l.secrets[f.Name] != "":
		source = l.source(ctx, fileFlag(ctx, f)) + ": " + l.secrets[f.Name]
	case env(f) != "":
		source = "env " + f.Envs[0]
	case line > 0:
		source = fmt.Sprintf("file %s:%d", l.file.path, line)
	}
	return source
}

func (f *file) line(key string) int {
	if f == nil {
		return 0
	}
	return f.lines[key]
}

// show is a value as it would be given.
func show(v reflect.Value) string {
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v.Interface())
}
