// Command pitchstream reads tracked pitches from Kafka, computes their features, and writes them to Postgres
// and Redis.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], &stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(status)
}

// exited is panicked with by kong's exit function (--help), so that run can return its status.
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
	parser, err := newParser(std)
	if err != nil {
		panic(err) // a struct tag of a command is wrong
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return usageError(std, err)
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(std, parsed); err != nil {
		var different *differenceError
		if !errors.As(err, &different) {
			fmt.Fprintln(std.Err, "pitchstream:", err)
			if hint := config.Hint(parsed.Selected().Target.Interface(), err); hint != "" {
				fmt.Fprintln(std.Err, hint)
			}
		}
		return exitFailed
	}
	return exitOK
}

func newParser(std *stdio) (*kong.Kong, error) {
	return kong.New(&commands{},
		kong.Name("pitchstream"),
		kong.Description("Tracked pitches from Kafka into Postgres and Redis: nothing lost, "+
			"nothing counted twice, nothing overwritten by something older.\n\n"+
			"A setting is a flag, an environment variable (PITCHSTREAM_ and the flag's name) and a key of the file "+
			"that --config names; flags win over environment over file."),
		kong.Writers(std.Out, std.Err),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		config.NewLoader().Option(),
	)
}

func usageError(std *stdio, err error) int {
	fmt.Fprintln(std.Err, "pitchstream:", err)
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		name := "pitchstream"
		if c := parse.Context.Command(); c != "" {
			name += " " + c
		}
		fmt.Fprintf(std.Err, "try: %s --help\n", name)
	}
	return exitUsage
}

// differenceError ends a command with status 1 without a message, because its findings are on Out already.
type differenceError struct{}

func (*differenceError) Error() string { return "differences were found" }

// commands holds the commands, each in its own file.
type commands struct {
	config.File

	Run      runCmd      `cmd:"" help:"Process the raw topic until stopped: rows to Postgres, live values to Redis, failures to the dead-letter topic."`
	Serve    serveCmd    `cmd:"" help:"Serve the HTTP API: batters, games, leaders, pitches and their streams, from Redis and Postgres."`
	Players  playersCmd  `cmd:"" help:"Names of batters and pitchers for the API: players load FILE.csv."`
	Topics   topicsCmd   `cmd:"" help:"Create the topics that are missing, and say what differs in those that are there."`
	Migrate  migrateCmd  `cmd:"" help:"Bring the Postgres schema to the version of this build."`
	Load     loadCmd     `cmd:"" help:"Send records from files, folders and standard input to the raw topic."`
	Process  processCmd  `cmd:"" help:"Make tables of files, without any server: rows as Parquet, CSV or JSON Lines, a line a batter, what was rejected, a report."`
	Export   exportCmd   `cmd:"" help:"The pitches that stand in Postgres as Parquet, a file a game date, for a warehouse."`
	Simulate simulateCmd `cmd:"" help:"Play seeded games and write or produce their records."`
	Demo     demoCmd     `cmd:"" help:"See it all at work: Kafka, Redis, Postgres, the processor and a simulated game in one process, with a live table."`
	Verify   verifyCmd   `cmd:"" help:"Compare Kafka, Postgres and Redis pitch by pitch and field by field, and mend what differs."`
	DLQ      dlqCmd      `cmd:"" name:"dlq" help:"The workbench for dead letters: ls, show, retry, export, discard."`
	Explain  explainCmd  `cmd:"" help:"Show all that is known of one pitch: its versions, each stage of the core, its row, what it adds to the aggregates, its dead letters."`
	Rebuild  rebuildCmd  `cmd:"" help:"Make a projection anew: rebuild redis."`
	Replay   replayCmd   `cmd:"" help:"Read a part of the raw topic once more, into live or into a target beside it."`
	Target   targetCmd   `cmd:"" help:"Targets beside live: list, diff, promote, rollback, drop."`
	Schema   schemaCmd   `cmd:"" help:"The JSON Schemas of record, row and letter: ls, show."`
	Quality  qualityCmd  `cmd:"" help:"Judge the data of a game day against the week before: missing bat tracking, issues, gaps, delays, drift by venue."`
	Doctor   doctorCmd   `cmd:"" help:"Check the settings of Kafka, Postgres and Redis that the promise rests on, and say how to repair them."`
	Bench    benchCmd    `cmd:"" help:"Measure this build on this machine: the core, the stores, the stream from Kafka, the latency."`
	Version  versionCmd  `cmd:"" help:"Print the version of this build and of its core."`
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(std *stdio) error {
	_, err := fmt.Fprintln(std.Out, "pitchstream", obs.Build())
	return err
}
