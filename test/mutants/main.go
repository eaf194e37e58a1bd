// Command mutants takes the guards away, one at a time, each in a copy of the project, and requires a test to fail for
// it: a guard that no test misses guards nothing.
//
//	go run ./test/mutants [-only TEXT] [-list]
//
// It exits 1 when a mutant survives, or when a guard is no longer where the list says.
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
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
	only := flag.String("only", "", "only the guards with this text in their name")
	list := flag.Bool("list", false, "print the guards and change nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed, err := all(ctx, *only, *list)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

func all(ctx context.Context, only string, list bool) (failed int, err error) {
	root, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	copied, err := os.MkdirTemp("", "pitchstream-mutants-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(copied)
	if !list {
		if err := copyTree(root, copied); err != nil {
			return 0, err
		}
	}
	killed := 0
	for _, m := range mutants {
		if !strings.Contains(m.guard, only) || ctx.Err() != nil {
			continue
		}
		if list {
			fmt.Printf("%-60s %s\n", m.guard, m.file)
			continue
		}
		began := time.Now()
		verdict := m.try(ctx, root, copied)
		fmt.Printf("%-8s %5.1fs  %s\n", verdict, time.Since(began).Seconds(), m.guard)
		if verdict == "killed" {
			killed++
		} else {
			failed++
		}
	}
	if !list {
		fmt.Printf("%d killed, %d not\n", killed, failed)
	}
	return failed, ctx.Err()
}

// try answers killed, SURVIVED, MOVED (the guard is not there) or BROKEN (the changed code does not compile).
func (m mutant) try(ctx context.Context, root, copied string) string {
	path := filepath.Join(copied, m.file)
	whole, err := os.ReadFile(path)
	if err != nil || strings.Count(string(whole), m.old) != 1 {
		return "MOVED"
	}
	defer func() { _ = os.WriteFile(path, whole, 0o644) }()
	if err := os.WriteFile(path, []byte(strings.Replace(string(whole), m.old, m.new, 1)), 0o644); err != nil {
		return "MOVED"
	}
	vet := exec.CommandContext(ctx, "go", "test", "-tags", "synctests", "-run", "^$", m.pkg)
	vet.Dir = copied
	if out, err := vet.CombinedOutput(); err != nil {
		fmt.Println(string(out))
		return "BROKEN"
	}
	args := []string{"test", "-tags", "synctests", "-count=1", "-failfast", "-timeout", "5m"}
	if m.run != "" {
		args = append(args, "-run", m.run)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, m.pkg)...)
	cmd.Dir = copied
	if out, err := cmd.CombinedOutput(); err == nil {
		if m.needsPG && strings.Contains(string(out), "SKIP") {
			return "SKIPPED"
		}
		return "SURVIVED"
	}
	return "killed"
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel == ".git" || rel == "out" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o644)
	})
}
