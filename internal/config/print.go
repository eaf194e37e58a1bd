package config

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

// Setting is one setting of this process with its source. Secrets are hidden in it.
type Setting struct {
	Name   string // the flag's, without dashes
	Value  string // "": none
	Source string // "flag", "env PITCHSTREAM_…", "file PATH:LINE" or "default"; with the path of a secret's file
}

// Settings returns the settings of the parsed command, in the order of its help.
func (l *Loader) Settings(ctx *kong.Context) []Setting {
	var settings []Setting
	for _, f := range ctx.Flags() {
		value := fmt.Sprint(f.Target.Interface())
		if list, ok := f.Target.Interface().([]string); ok {
			value = strings.Join(list, ",")
		}
		if f.Name != "help" && f.Name != "config" {
			settings = append(settings, Setting{f.Name, value, l.source(ctx, f)})
		}
	}
	return settings
}

// Print writes name, value and source of each setting, one a line.
func Print(w io.Writer, settings ...Setting) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, s.Value, s.Source)
	}
	return t.Flush()
}

// LogAttr returns the settings that are given as one group of attributes: name → "value (source)". It leaves
// out those with their default, so that the line can be read.
func LogAttr(settings ...Setting) slog.Attr {
	attrs := make([]any, 0, len(settings))
	for _, s := range settings {
		if s.Source != "default" {
			attrs = append(attrs, slog.String(s.Name, strings.TrimSpace(s.Value+" ("+s.Source+")")))
		}
	}
	return slog.Group("settings", attrs...)
}

func (l *Loader) source(ctx *kong.Context, f *kong.Flag) string {
	switch {
	case given(ctx, f):
		return "flag"
	case l.secrets[f.Name] != "":
		return l.source(ctx, secretFileFlag(ctx, f)) + ": " + l.secrets[f.Name]
	case env(f) != "":
		return "env " + variable(f)
	case l.file.lines[f.Name] > 0:
		return fmt.Sprintf("file %s:%d", l.file.path, l.file.lines[f.Name])
	}
	return "default"
}

// exampleWidth bounds the lines of comments in the example.
const exampleWidth = 100

// WriteExample writes a file of settings in YAML, in which every setting of any command is a comment with its
// meaning and its default. It leaves out flags that have no variable, because they belong to one call.
func WriteExample(out io.Writer, app *kong.Node) error {
	w := bufio.NewWriter(out)
	fmt.Fprint(w, "# Settings of pitchstream: pitchstream --config FILE, or PITCHSTREAM_CONFIG=FILE.\n"+
		"# Flags and environment variables win over them. Take the # away from those that you change.\n")
	done := map[string]bool{"config": true, "help": true}
	for _, f := range allFlags(app) {
		if len(f.Envs) == 0 || done[f.Name] || f.Hidden {
			continue
		}
		done[f.Name] = true
		fmt.Fprintln(w)
		for _, line := range wrapped(f.Help, exampleWidth) {
			fmt.Fprintln(w, "#", line)
		}
		fmt.Fprintf(w, "#%s:%s\n", f.Name, exampleValue(f))
	}
	return w.Flush()
}

// exampleValue returns the default of a flag; "" if it has none.
func exampleValue(f *kong.Flag) string {
	switch value := f.Default; {
	case value == "":
		return ""
	case strings.ContainsAny(value, ":#{}[],&*'\"") || slices.Contains([]string{"off", "on", "yes", "no"},
		value):
		return fmt.Sprintf(" %q", value)
	default:
		return " " + value
	}
}

// wrapped returns the lines of a text, at most width wide unless a single word is wider.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}
