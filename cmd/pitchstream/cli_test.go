package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// outputOf runs a command, and returns its exit status and what it wrote.
func outputOf(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, &stdio{In: strings.NewReader(""), Out: &o, Err: &e})
	return status, o.String(), e.String()
}

func TestHelpIsThereHoweverItIsAskedFor(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"--help"}, {"-h"}} {
		status, out, errs := outputOf(t, args...)
		require.Equal(t, exitOK, status)
		require.Empty(t, errs)
		for _, group := range []string{"Start here", "Set up", "Stream", "Files and records", "Look and repair"} {
			require.Contains(t, out, "\n"+group+"\n")
		}
	}
	status, out, _ := outputOf(t, "help", "dlq", "show")
	require.Equal(t, exitOK, status)
	require.Contains(t, out, "Usage: pitchstream dlq show")
	status, _, errs := outputOf(t, "load")
	require.Equal(t, exitUsage, status)
	require.Contains(t, errs, "try: pitchstream load --help\n", "it can be pasted")
}

func TestVersionSaysWhatRuns(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}, {"-v"}} {
		status, out, _ := outputOf(t, args...)
		require.Equal(t, exitOK, status)
		require.Regexp(t, `^pitchstream \S+\ncommit +\S.*\ngo +go1\.\S+ \w+/\w+\ncore +\d+\n$`, out)
	}
	_, out, _ := outputOf(t, "version", "--json")
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.EqualValues(t, features.CoreVersion, v["core"])
	for _, name := range []string{"version", "commit", "date", "go", "platform"} {
		require.Contains(t, v, name)
	}
}

func TestEveryCommandThatPrintsResultsHasJSON(t *testing.T) {
	without := []string{ // they run until stopped, show a screen, or write another format
		"run", "serve", "demo", "config example", "completion", "man", "schema show", "dlq export", "alerts",
	}
	for _, c := range everyCommand(t) {
		has := slices.ContainsFunc(c.Flags, func(f *kong.Flag) bool { return f.Name == "json" })
		name := strings.TrimPrefix(c.FullPath(), "pitchstream ")
		require.Equal(t, !slices.Contains(without, name), has, name)
	}
}

func everyCommand(t *testing.T) (leaves []*kong.Node) {
	t.Helper()
	parser, _, err := newParser(&stdio{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	require.NoError(t, err)
	return parser.Model.Leaves(true)
}

// A reader sees in capitals what is to be replaced, in each command.
func TestArgumentsAreInCapitals(t *testing.T) {
	for _, c := range everyCommand(t) {
		for _, a := range c.Positional {
			require.Regexp(t, `^[A-Z_]+(:[A-Z]+|\.csv)?$`, a.Name, c.FullPath())
		}
	}
}

// A variable that is set for one command must not change another one that has the same flag by chance.
func TestCommandsShareVariablesOfSettingsOnly(t *testing.T) {
	shared := regexp.MustCompile(`^OPENLINEAGE_|^PITCHSTREAM_(LINEAGE|KAFKA|TOPIC|POSTGRES|REDIS|LOG|BREAKER|CONFIG|ADMIN_|API_ADDR|TARGET|` +
		`INSTANCE_ID|MAX_RECORD_BYTES|FETCH_MAX_BYTES|MEMORY_LIMIT|ARCHIVE|SCHEMA_REGISTRY|ROWS_FORMAT)`)
	by := map[string][]string{}
	for _, c := range everyCommand(t) {
		for _, f := range c.Flags {
			for _, name := range f.Envs {
				by[name] = append(by[name], c.Name)
			}
		}
	}
	for name, commands := range by {
		require.True(t, len(commands) == 1 || shared.MatchString(name), "%s: %v", name, commands)
	}
}

func TestExampleOfSettingsIsThatOfTheProgram(t *testing.T) {
	_, out, _ := outputOf(t, "config", "example")
	kept, err := os.ReadFile(filepath.Join(testkit.Root(), "pitchstream.example.yaml"))
	require.NoError(t, err)
	require.Equal(t, string(kept), out, "go run ./cmd/pitchstream config example > pitchstream.example.yaml")
	// With every line in force, a command accepts the file: no key is unknown, no default is refused.
	given := regexp.MustCompile(`(?m)^#([a-z][a-z-]*: .+)$`).ReplaceAllString(out, "$1")
	file := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(file, []byte(given), 0o600))
	status, _, errs := outputOf(t, "--config", file, "schema", "ls")
	require.Equal(t, exitOK, status, errs)
	status, _, errs = outputOf(t, "--config", file, "run")
	require.Equal(t, exitUsage, status)
	require.Contains(t, errs, "--kafka-brokers is missing", "the defaults are accepted")
}

func TestAddressInUseNamesTheFlag(t *testing.T) {
	l := testkit.FakeKafka(t).ListenAddrs()[0]
	status, _, errs := outputOf(t, "serve", "--postgres-url=postgres://h/d", "--redis-url=redis://h", "--log-level=error",
		"--api-addr="+l, "--admin-addr=off")
	require.Equal(t, exitFailed, status)
	require.Contains(t, errs, "take another address with --api-addr")
	require.NotContains(t, errs, "listen: listen")
}

func TestBrowserURLIsForThisMachine(t *testing.T) {
	for addr, url := range map[string]string{
		"[::]:8080": "http://localhost:8080/", "0.0.0.0:8080": "http://localhost:8080/", "127.0.0.1:81": "http://127.0.0.1:81/",
	} {
		require.Equal(t, url, browserURL(addr))
	}
}

func TestWarningsComeBeforeTheResult(t *testing.T) {
	t.Setenv("PITCHSTREAM_KAFKA_BROKER", "b:1")
	_, _, errs := outputOf(t, "version")
	require.Equal(t, "pitchstream: warning: no command has a setting PITCHSTREAM_KAFKA_BROKER, "+
		"did you mean PITCHSTREAM_KAFKA_BROKERS?\n", errs)
}

func TestCompletionNamesCommandsAndFlags(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "pitchstream")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	b, err := build.CombinedOutput()
	require.NoError(t, err, string(b))
	for line, want := range map[string]string{
		"pitchstream ver": "verify\nversion\n", "pitchstream run --kafka-bro": "--kafka-brokers\n",
		"pitchstream completion ": "bash\nfish\nzsh\n", "pitchstream run --log-format=": "auto\njson\ntext\n",
		"pitchstream run --log-format ": "auto\njson\ntext\n", "pitchstream schema ": "check\nls\nregister\nshow\n",
		"pitchstream run --kafka-brokers localhost:9092 --redis-pre": "--redis-prefix\n", "pitchstream dlq l": "ls\n",
	} {
		command := exec.CommandContext(t.Context(), binary)
		command.Env = append(os.Environ(), "COMP_LINE="+line)
		out, err := command.Output()
		require.NoError(t, err)
		words := strings.Fields(string(out))
		slices.Sort(words)
		require.Equal(t, want, strings.Join(words, "\n")+"\n")
	}
	for shell, has := range map[string]string{"bash": "complete ", "zsh": "bashcompinit", "fish": "complete -f -c pitchstream"} {
		out, err := exec.CommandContext(t.Context(), binary, "completion", shell).Output()
		require.NoError(t, err)
		require.Contains(t, string(out), has)
	}
	out, err := exec.CommandContext(t.Context(), binary, "man").Output()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(out), ".TH PITCHSTREAM 1"))
}

// guard: a URL is no path
func TestAURLIsNoPath(t *testing.T) {
	for _, args := range [][]string{
		{"simulate", "-o", "https://host/x"}, {"dlq", "export", "-o", "s3://b/x", "--kafka-brokers=localhost:1", "--postgres-url=postgres://u@localhost/x"},
	} {
		t.Chdir(t.TempDir())
		status, _, errs := outputOf(t, args...)
		require.Equal(t, exitUsage, status, args)
		require.Contains(t, errs, "is a URL: want a path of this machine", args)
		made, err := os.ReadDir(".")
		require.NoError(t, err)
		require.Empty(t, made, "no folder is named like a URL")
	}
	for _, args := range [][]string{
		{"export", "-o", "az://bucket/x", "--postgres-url=postgres://u@localhost/x"},
		{"process", "games/", "--output=https://bucket/x"},
	} {
		status, _, errs := outputOf(t, args...)
		require.Equal(t, exitUsage, status, args)
		require.Contains(t, errs, "want s3://bucket/prefix, gs://bucket/prefix or file:///folder", args)
	}
}

func TestNoErrorOfUsageShowsAPassword(t *testing.T) {
	good := []string{"run", "--kafka-brokers=b:1", "--postgres-url=postgres://h/d", "--redis-url=redis://h"}
	for _, wrong := range []string{
		"--postgres-url=postgres:u:hush@h/d", "--postgres-url=postgres://u:hush@h:port/d", "--postgres-url=host=h password='hush",
		"--redis-url=http://u:hush@h", "--redis-url=redis://u:hush", "--kafka-brokers=u:hush@h:9092",
	} {
		status, out, errs := outputOf(t, append(slices.Clone(good), wrong)...)
		require.Equal(t, exitUsage, status)
		require.NotContains(t, out+errs, "hush")
	}
}
