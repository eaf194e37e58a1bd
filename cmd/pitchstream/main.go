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

	"github.com/pitchstream/pitchstream/internal/config"
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
	status := run(ctx, os.Args[1:], &stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(status)
}

// exited carries the status that kong wants to exit with (--help) out of its parser.
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
	parser, err := newParser(std)
	if err != nil {
		panic(err) // the commands' own tags are wrong: no test passes then
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
		kong.Description("Tracked pitches from Kafka into Postgres and Redis: nothing lost, nothing counted twice, nothing overwritten by something older.\n\n"+
			"A setting is a flag, an environment variable (PITCHSTREAM_ and the flag's name) and a key of the file that --config names; flags win over environment over file."),
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

// differenceError ends a command with status 1 whose findings are its result: they are on Out already.
type differenceError struct{}

func (*differenceError) Error() string { return "differences were found" }
