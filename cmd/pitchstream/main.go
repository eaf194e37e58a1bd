// Command pitchstream reads tracked pitches from Kafka, computes their features, and keeps Postgres and Redis right.
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
)

// Exit statuses: what a shell script may rely on.
const (
	exitOK     = 0 // well
	exitFailed = 1 // failed, or found a difference
	exitUsage  = 2 // wrong usage: nothing was done
)

// stdio is where a command reads and writes: results on Out, progress and logs on Err.
type stdio struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], &stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// exited carries the status that kong wants to exit with (--help, a usage error) out of its parser.
type exited int

// run is main without the process: tests call it. It returns the exit status.
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
	parser := newParser(std)
	parsed, err := parser.Parse(args)
	if err != nil {
		return usageError(std, err)
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(std); err != nil {
		fmt.Fprintln(std.Err, "pitchstream:", err)
		return exitFailed
	}
	return exitOK
}

func newParser(std *stdio) *kong.Kong {
	return kong.Must(&commands{},
		kong.Name("pitchstream"),
		kong.Description("Tracked pitches from Kafka into Postgres and Redis: nothing lost, nothing counted twice, nothing overwritten by something older."),
		kong.Writers(std.Out, std.Err),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.DefaultEnvars("PITCHSTREAM"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
	)
}

func usageError(std *stdio, err error) int {
	fmt.Fprintln(std.Err, "pitchstream:", err)
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		fmt.Fprintf(std.Err, "try: %s --help\n", parse.Context.Model.Name)
	}
	return exitUsage
}
