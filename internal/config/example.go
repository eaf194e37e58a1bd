package config

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

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
