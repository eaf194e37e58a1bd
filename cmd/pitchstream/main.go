// Command pitchstream reads tracked pitches from Kafka, computes their features, and writes them to Postgres
// and Redis.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// Exit statuses. Shell scripts rely on them.
const (
	exitOK     = 0 // success
	exitFailed = 1 // failed, or found a difference
	exitUsage  = 2 // wrong usage: nothing was done
)

// stdio holds the streams of a command: results go to Out, progress and logs to Err.
type stdio struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// text returns Out for texts that may quote a record.
func (s *stdio) text() io.Writer { return terminal.Plain(s.Out) }

func main() {
	config.BoundMemory() // sets the memory limit of the Go runtime
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], &stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(status)
}

// exited is a status with which kong wants to exit, as after --help. newParser makes kong panic with it, so
// that run can return the status.
type exited int

// run parses and runs one command, and returns the exit status. Tests call it instead of main.
func run(ctx context.Context, args []string, std *stdio) (status int) {
	defer func() {
		if e := recover(); e != nil {
			code, ok := e.(exited)
			if !ok {
				panic(e)
			}
			status = int(code)
		}
	}()
	parser, loader, err := newParser(std)
	if err != nil {
		panic(err) // a struct tag of a command is wrong
	}
	if line := os.Getenv("COMP_LINE"); line != "" { // a shell asks what may follow
		complete(std.Out, parser.Model.Node, line, os.Getenv("COMP_POINT"))
		return exitOK
	}
	parsed, err := parser.Parse(normalized(args))
	if err == nil {
		err = checkPaths(parsed)
	}
	if err != nil {
		return usageError(std, err)
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	command := parsed.Selected().Target
	if !command.FieldByName("Log").IsValid() { // a command with a log writes them there
		for _, warning := range loader.Warnings(parsed) {
			fmt.Fprintln(std.Err, "pitchstream: warning:", warning)
		}
	}
	if err := parsed.Run(std, parsed); err != nil {
		if _, ok := errors.AsType[*differenceError](err); !ok {
			fmt.Fprintln(terminal.Plain(std.Err), "pitchstream:", config.HideIn(err.Error()))
			if hint := config.Hint(command.Addr().Interface(), err); hint != "" {
				fmt.Fprintln(std.Err, hint)
			}
		}
		return exitFailed
	}
	return exitOK
}

// normalized returns the arguments with other ways to ask for help and the version replaced by kong's own.
func normalized(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case args[0] == "--version", args[0] == "-v":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// newParser returns a parser of all commands, and the loader of their settings.
func newParser(std *stdio) (*kong.Kong, *config.Loader, error) {
	loader := config.NewLoader()
	parser, err := kong.New(&commands{},
		kong.Name("pitchstream"),
		kong.Description("Tracked pitches from Kafka into Postgres and Redis: nothing lost, "+
			"nothing counted twice, nothing overwritten by something older.\n\n"+
			"A setting is a flag, an environment variable (PITCHSTREAM_ and the flag's name) and a key of the file "+
			"that --config names; flags win over environment over file. pitchstream config example writes such a "+
			"file."),
		kong.Writers(std.Out, std.Err),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.PostBuild(hideUnused),
		loader.Option(),
	)
	return parser, loader, err
}

// checkPaths refuses URLs in flags that want a file or folder of this machine, because the command would
// create a folder with the URL as its name. It knows those flags by their placeholder.
func checkPaths(parsed *kong.Context) error {
	for _, flag := range parsed.Flags() {
		kind, _, _ := strings.Cut(flag.PlaceHolder, ".") // FILE of FILE.csv
		// guard: a URL is no path
		if slices.Contains([]string{"DIR", "FILE", "PATH"}, kind) && strings.Contains(flag.Target.String(), "://") {
			return fmt.Errorf("--%s=%s is a URL: want a path of this machine (mount the storage, or copy it there)",
				flag.Name, config.HideIn(flag.Target.String()))
		}
	}
	return nil
}

// unused has, by command, flags that it accepts but does not use. They are not shown. They are accepted
// because one script may give them to all commands.
var unused = map[string][]string{
	"topics": {"kafka-group"}, "load": {"kafka-group"}, "simulate": {"kafka-group"},
	"bench": {"kafka-group", "postgres-schema", "redis-prefix"},
}

func hideUnused(k *kong.Kong) error {
	for _, command := range k.Model.Children {
		for _, flag := range command.Flags {
			flag.Hidden = flag.Hidden || slices.Contains(unused[command.Name], flag.Name)
		}
	}
	return nil
}

// usageError prints what is wrong with the arguments, and returns exitUsage.
func usageError(std *stdio, err error) int {
	fmt.Fprintln(terminal.Plain(std.Err), "pitchstream:", config.HideIn(err.Error()))
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
		name := "pitchstream"
		for _, p := range parse.Context.Path {
			if p.Command != nil {
				name += " " + p.Command.Name
			}
		}
		fmt.Fprintf(std.Err, "try: %s --help\n", name)
	}
	return exitUsage
}

// differenceError ends a command with status 1 without a message, because its findings are on Out already.
type differenceError struct{}

func (*differenceError) Error() string { return "differences were found" }

// orDifference returns err, or a differenceError if there is none and something differs.
func orDifference(err error, differs bool) error {
	if err == nil && differs {
		return &differenceError{}
	}
	return err
}

// openLineage sets where a command's events of lineage go. It returns a function that delivers what waits,
// and says once, in the log or without one on Err, what could not be delivered.
func openLineage(std *stdio, c config.Lineage, log *slog.Logger, to **lineage.Emitter) (deliver func()) {
	*to = c.Open(obs.Build())
	return func() {
		switch err := (*to).Close(); {
		case err != nil && log != nil:
			log.Warn("cannot deliver all events of lineage", "error", err)
		case err != nil:
			fmt.Fprintln(terminal.Plain(std.Err), "pitchstream: warning:", err)
		}
	}
}

// commands holds the commands, each in its own file, in the groups of the help.
type commands struct {
	config.File

	Demo demoCmd `cmd:"" group:"Start here" help:"See everything at work: Kafka, Redis, Postgres, the processor and a simulated game in one process, with a live table."`

	Topics  topicsCmd  `cmd:"" group:"Set up" help:"Create the topics that are missing, and report what differs in those that exist."`
	Migrate migrateCmd `cmd:"" group:"Set up" help:"Bring the Postgres schema to the version of this build."`
	Doctor  doctorCmd  `cmd:"" group:"Set up" help:"Check the settings of Kafka, Postgres and Redis that the promise rests on, and say how to repair them."`
	Config  configCmd  `cmd:"" group:"Set up" help:"Write an example of the file of settings: config example."`

	Run      runCmd      `cmd:"" group:"Stream" help:"Process the raw topic until stopped: rows to Postgres, live values to Redis, failures to the dead-letter topic."`
	Serve    serveCmd    `cmd:"" group:"Stream" help:"Serve the HTTP API: batters, games, leaders, pitches and their streams, from Redis and Postgres."`
	Replay   replayCmd   `cmd:"" group:"Stream" help:"Process a part of the raw topic again, into live or into a target beside it."`
	Archive  archiveCmd  `cmd:"" group:"Stream" help:"Keep the raw topic in storage, beyond its retention: run, ls, verify, compact, prune."`
	Target   targetCmd   `cmd:"" group:"Stream" help:"Manage the targets beside live: list, diff, promote, rollback, drop."`
	Backfill backfillCmd `cmd:"" group:"Stream" help:"Bring a season into a target, batch by batch, each held to gates."`
	Model    modelCmd    `cmd:"" group:"Stream" help:"Manage the models that label and score the stream: ls, show, add, fit, refit, promote, compare, score, rollback, retire."`
	Rebuild  rebuildCmd  `cmd:"" group:"Stream" help:"Write all of Redis again from Postgres: rebuild redis."`

	Load     loadCmd     `cmd:"" group:"Files and records" help:"Send records from files, folders and standard input to the raw topic."`
	Process  processCmd  `cmd:"" group:"Files and records" help:"Make tables of files, without any server: rows as Parquet, CSV or JSON Lines, a line per batter, rejected records, a report."`
	Export   exportCmd   `cmd:"" group:"Files and records" help:"Write the current pitches of Postgres as Parquet, one file per game date, for a warehouse."`
	Simulate simulateCmd `cmd:"" group:"Files and records" help:"Play seeded games and write or produce their records."`
	Identify identifyCmd `cmd:"" group:"Files and records" help:"Name batter, pitcher and team of each pitch from the league's game feed, or from a file."`
	Delete   deleteCmd   `cmd:"" group:"Files and records" help:"Delete pitches, with a reason that is kept."`
	Games    gamesCmd    `cmd:"" group:"Files and records" help:"Load dates, ballparks and teams of games, and name those that never came: games load FILE."`
	Players  playersCmd  `cmd:"" group:"Files and records" help:"Load the names of batters and pitchers for the API: players load FILE.csv."`

	Verify  verifyCmd  `cmd:"" group:"Look and repair" help:"Compare Kafka, Postgres and Redis pitch by pitch and field by field, and repair what differs."`
	Quality qualityCmd `cmd:"" group:"Look and repair" help:"Judge the data of a game day against the week before: missing bat tracking, issues, gaps, delays, drift by venue."`
	Compare compareCmd `cmd:"" group:"Look and repair" help:"Compare the stored pitches with numbers that others publish: compare savant FILE.csv."`
	Explain explainCmd `cmd:"" group:"Look and repair" help:"Show everything known about one pitch: its versions, each stage of the core, its row, what it adds to the aggregates, its dead letters."`
	DLQ     dlqCmd     `cmd:"" group:"Look and repair" name:"dlq" help:"List, show, retry, export and discard dead letters."`

	Bench      benchCmd      `cmd:"" group:"This program" help:"Measure this build on this machine: the core, the stores, the stream from Kafka, the latency."`
	Alerts     alertsCmd     `cmd:"" group:"This program" help:"Print the alerts and recording rules for Prometheus, with links to the runbooks."`
	Schema     schemaCmd     `cmd:"" group:"This program" help:"The schemas of record, row and dead letter: ls, show; those of a schema registry: check, register."`
	Version    versionCmd    `cmd:"" group:"This program" help:"Print the version of this build, its commit and date, and the versions of Go and of its core."`
	Completion completionCmd `cmd:"" group:"This program" help:"Write the completion for a shell: completion bash, zsh or fish."`
	Man        manCmd        `cmd:"" group:"This program" help:"Write the manual page: pitchstream man | man -l -."`
}
