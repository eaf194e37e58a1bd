// Command mutants takes the guards away, one at a time, each in a copy of the project, and requires a test to fail for
// it: a guard that no test misses guards nothing.
//
//	go run ./test/mutants [-only PATTERN] [-list]
//
// The tests of a guard must pass while it stands, and within a minute more than they took then when it does not: a test
// that hangs has noticed. It exits 1 when a mutant survives, when its tests fail anyway, or when a guard is no longer
// where the list says.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// mutant is one guard: where it stands, how it is taken away, and which tests must notice.
type mutant struct {
	guard   string
	file    string
	old     string // stands exactly once in the file
	new     string
	pkg     string
	run     string // the tests; "" for all of the package
	needsPG bool   // the tests want real servers
}

func main() {
	only := flag.String("only", "", "only the guards whose names this regular expression matches")
	list := flag.Bool("list", false, "print the guards and change nothing")
	flag.Parse()
	chosen, err := choose(*only)
	if err == nil && *list {
		for _, m := range chosen {
			fmt.Printf("%-60s %s\n", m.guard, m.file)
		}
		return
	}
	if err == nil {
		err = all(chosen)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// choose gives the mutants of these guards.
func choose(only string) (chosen []mutant, err error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	for _, m := range mutants {
		if pattern.MatchString(m.guard) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no guard's name matches %q", only)
	}
	return chosen, nil
}

func all(chosen []mutant) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := newLab()
	if err != nil {
		return err
	}
	defer l.close()
	killed := 0
	for _, m := range chosen {
		began := time.Now()
		verdict := l.try(ctx, m)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Printf("%-8s %5.1fs  %s\n", verdict, time.Since(began).Seconds(), m.guard)
		if verdict == "killed" || verdict == "hung" {
			killed++
		}
	}
	fmt.Printf("%d killed, %d not\n", killed, len(chosen)-killed)
	if killed < len(chosen) {
		return fmt.Errorf("%d of %d guards are not missed", len(chosen)-killed, len(chosen))
	}
	return nil
}
