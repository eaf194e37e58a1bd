// Command mutants removes the guards of this project, one at a time, each in a copy of the tree, and requires
// a test to fail. A guard whose removal no test notices protects nothing.
//
//	go run ./test/mutants [-only PATTERN] [-changed REV] [-list]
//
// A guard is a statement with a mark on the line above it:
//
//	// guard: a gap is not jumped over
//	if first <= p.next && p.next <= end {
//
// The mark may say how the guard is removed; see mutate. SQL, Lua, JavaScript, CSS and YAML files have marks
// in their own comments. The same mark above a test function names a test that must fail; a guard without a
// marked test is tried with all tests of its own package.
//
// The tests of a guard must pass while it is in place. Without it they must fail, or not end within 30
// seconds more than they took before. The guards of Go functions are switched off in one build of the tests;
// for any other guard, they are built anew. The command exits 1 when a mutant survives, when the tests of a
// guard fail anyway, and when a guard cannot be removed as its mark says.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "only the guards whose names match `PATTERN`, a regular expression")
	changed := flag.String("changed", "", "only the guards in files that differ from the git revision `REV`")
	list := flag.Bool("list", false, "print the guards and change nothing")
	flag.Parse()
	if err := run(*only, *changed, *list); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(only, changed string, list bool) error {
	guards, err := readGuards(".")
	if err == nil {
		guards, err = choose(guards, only, changed)
	}
	if err != nil {
		return err
	}
	if list {
		for _, g := range guards {
			fmt.Printf("%-70s %s:%d\n", g.name, g.file, g.line)
		}
		return nil
	}
	return tryAll(guards)
}

// choose returns the guards whose names match a regular expression, in files that differ from a revision; ""
// is any.
func choose(guards []guard, only, changed string) (chosen []guard, err error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	var files []string
	if changed != "" {
		out, err := exec.Command("git", "diff", "--name-only", changed).Output()
		if err != nil {
			return nil, fmt.Errorf("git diff %s: %w", changed, err)
		}
		files = strings.Fields(string(out))
	}
	for _, g := range guards {
		if pattern.MatchString(g.name) && (changed == "" || slices.Contains(files, g.file)) {
			chosen = append(chosen, g)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no guard's name matches %q", only)
	}
	return chosen, nil
}

func tryAll(guards []guard) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	l, err := newLab(ctx, root, guards)
	if err != nil {
		return err
	}
	defer l.close()
	noticed := 0
	for _, g := range guards {
		start := time.Now()
		verdict := l.try(ctx, g)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Printf("%-8s %5.1fs  %s\n", verdict, time.Since(start).Seconds(), g.name)
		if verdict == killed || verdict == hung {
			noticed++
		}
	}
	fmt.Printf("%d killed, %d not, in %v\n", noticed, len(guards)-noticed, time.Since(began).Round(time.Second))
	if noticed < len(guards) {
		return fmt.Errorf("%d of %d guards can be removed without a test failing", len(guards)-noticed, len(guards))
	}
	return nil
}
