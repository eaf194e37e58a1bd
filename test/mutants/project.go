package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The verdicts on a guard. A hung test counts as a failed one, although a busy machine may have been the
// reason.
const (
	killed   = "killed"
	hung     = "hung"
	survived = "SURVIVED" // all tests pass without the guard
	failing  = "FAILING"  // the tests fail although the guard is in place
	broken   = "BROKEN"   // the code does not compile without the guard
	unclear  = "UNCLEAR"  // the mark does not say how the guard can be removed
)

// errBuild is returned by tests that do not compile.
var errBuild = errors.New("the tests do not compile")

// project is a copy of the project, and the tests that are built from it.
type project struct {
	root    string
	bin     string                             // where built is
	built   map[string]string                  // test binaries, by package
	wanted  map[string]tests                   // tests of a package that are tried together with every guard
	results map[tests]map[string]time.Duration // how long each test takes with every guard; -1: it fails
}

func newProject(root string) *project {
	return &project{
		root: root, bin: root + "-tests", built: map[string]string{}, wanted: map[string]tests{},
		results: map[tests]map[string]time.Duration{},
	}
}

// want has tests tried together with those of the same package that are wanted already, because a package
// starts its servers once then.
func (p *project) want(t tests) {
	if w, ok := p.wanted[t.pkg]; ok && w.run != t.run {
		t.run = w.run + "|" + t.run
	}
	p.wanted[t.pkg] = t
}

// normally returns how long tests take while every guard is in place, 0 if one of them fails.
func (p *project) normally(ctx context.Context, t tests) (sum time.Duration) {
	together, ok := p.wanted[t.pkg]
	if !ok {
		together = t
	}
	results, known := p.results[together]
	if !known {
		results = p.measure(ctx, together)
		p.results[together] = results
	}
	wanted := regexp.MustCompile(t.run)
	for name, took := range results {
		switch {
		case !wanted.MatchString(name):
		case took < 0:
			return 0
		default:
			sum += max(took, time.Millisecond)
		}
	}
	return sum
}

// pass reports whether tests pass while every guard is in place.
func (p *project) pass(ctx context.Context, all []tests) bool {
	return !slices.ContainsFunc(all, func(t tests) bool { return p.normally(ctx, t) == 0 })
}

// without removes a guard, has its tests judge, and puts it back.
func (p *project) without(ctx context.Context, g guard, patience time.Duration) (verdict string) {
	file := filepath.Join(p.root, g.file)
	whole, err := os.ReadFile(file)
	if err != nil {
		return unclear
	}
	without, err := mutate(string(whole), g)
	if err != nil {
		fmt.Printf("%s:%d: %v\n", g.file, g.line, err)
		return unclear
	}
	if !p.pass(ctx, g.tests) {
		return failing
	}
	defer func() { _ = os.WriteFile(file, whole, 0o644) }()
	if err := os.WriteFile(file, []byte(without), 0o644); err != nil {
		return unclear
	}
	mutant := *p
	mutant.bin, mutant.built = p.root+"-mutant", map[string]string{}
	return mutant.judge(ctx, g.tests, patience, "")
}

// judge runs tests, which have failed when they take longer than normally by more than our patience.
func (p *project) judge(ctx context.Context, all []tests, patience time.Duration, env string) string {
	for _, t := range all {
		out, err := p.run(ctx, t, p.normally(ctx, t)+patience, env, "-test.failfast")
		switch {
		case err == nil:
			continue
		case errors.Is(err, errBuild):
			fmt.Println(err)
			return broken
		case bytes.Contains(out, []byte("panic: test timed out")):
			return hung
		}
		return killed
	}
	return survived
}

// result matches the result of a test, but not those of its subtests.
var result = regexp.MustCompile(`--- (PASS|FAIL|SKIP): (Test\w+) \(([\d.]+)s\)`)

// measure runs tests while every guard is in place.
func (p *project) measure(ctx context.Context, t tests) map[string]time.Duration {
	const longest = 20 * time.Minute
	began, results := time.Now(), map[string]time.Duration{}
	out, err := p.run(ctx, t, longest, "", "-test.v")
	for _, m := range result.FindAllStringSubmatch(string(out), -1) {
		seconds, _ := strconv.ParseFloat(m[3], 64)
		results[m[2]] = time.Duration(seconds * float64(time.Second))
		if m[1] != "PASS" {
			results[m[2]] = -1
			fmt.Printf("%s fails with every guard in place\n", m[2])
		}
	}
	fmt.Printf("%-8s %5.1fs  %s\n", "normal", time.Since(began).Seconds(), t.pkg)
	if err != nil && len(results) == 0 {
		fmt.Printf("%v\n%s\n", err, out)
	}
	return results
}

// binary returns the tests of a package, built with every guard.
func (p *project) binary(ctx context.Context, pkg string) (string, error) {
	if path, ok := p.built[pkg]; ok {
		return path, nil
	}
	path := filepath.Join(p.bin, strings.ReplaceAll(pkg, "/", "-"))
	cmd := exec.CommandContext(ctx,
		"go", "test", "-c", "-o", path, "-ldflags", "-s -w", "-tags", "synctests", pkg)
	cmd.Dir = p.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s: %w\n%s", errBuild, pkg, err, out)
	}
	p.built[pkg] = path
	return path, nil
}

// run runs tests under CI=true, so that none is skipped for want of a server. After the limit they have
// failed. The processes that they started are killed.
func (p *project) run(
	ctx context.Context, t tests, limit time.Duration, env string, args ...string,
) ([]byte, error) {
	binary, err := p.binary(ctx, t.pkg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(args, "-test.timeout="+limit.String(), "-test.run="+t.run)...)
	cmd.Dir = filepath.Join(p.root, t.pkg)
	cmd.Env = append(os.Environ(), "CI=true", env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	kill := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = kill, 10*time.Second
	out, err := cmd.CombinedOutput()
	if cmd.Process != nil {
		_ = kill()
	}
	return out, err
}
