package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// lab has two copies of the project. In one, the environment switches guards off, so that its tests are built
// once. From the other, guards are removed one at a time, and what depends on them is built anew.
type lab struct {
	folder   string
	switches *project
	plain    *project
	number   map[string]int // of the guards that have a switch, by their names
	patience time.Duration  // how much longer tests may take without a guard
}

// newLab copies a project, and builds switches for the guards into one of the copies. Files beside the
// project that tests read are linked beside the copies.
func newLab(ctx context.Context, root string, guards []guard) (*lab, error) {
	folder, err := os.MkdirTemp("", "pitchstream-mutants-")
	if err != nil {
		return nil, err
	}
	l := &lab{
		folder:   folder,
		switches: newProject(filepath.Join(folder, "switches")),
		plain:    newProject(filepath.Join(folder, "plain")),
		patience: 30 * time.Second,
	}
	err = errors.Join(
		os.Symlink(filepath.Join(filepath.Dir(root), "shared"), filepath.Join(folder, "shared")),
		os.CopyFS(l.switches.root, os.DirFS(root)),
		os.CopyFS(l.plain.root, os.DirFS(root)))
	if err == nil {
		err = l.addSwitches(ctx, guards)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	for _, g := range guards {
		if _, ok := l.number[g.name]; ok || path.Ext(g.file) != ".go" {
			for _, t := range g.tests {
				l.switches.want(t)
			}
		}
	}
	return l, nil
}

func (l *lab) close() { _ = os.RemoveAll(l.folder) }

// copyOf matches the name that the compiler has for a copy of a function without a guard.
var copyOf = regexp.MustCompile(`mutant-(\d+)\.go`)

// addSwitches gives the guards of Go files switches. One that does not compile without the guard has none.
func (l *lab) addSwitches(ctx context.Context, guards []guard) error {
	files := map[string]map[int]guard{}
	for number, g := range guards {
		if path.Ext(g.file) == ".go" && !strings.HasSuffix(g.file, "_test.go") {
			if files[g.file] == nil {
				files[g.file] = map[int]guard{}
			}
			files[g.file][number] = g
		}
	}
	for {
		l.number = map[string]int{}
		for file, guards := range files {
			if err := l.addSwitchesTo(file, guards); err != nil {
				return err
			}
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-tags", "synctests", "./...")
		cmd.Dir = l.switches.root
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		refused := copyOf.FindAllSubmatch(out, -1)
		for _, m := range refused {
			number, _ := strconv.Atoi(string(m[1]))
			delete(files[guards[number].file], number)
		}
		if len(refused) == 0 {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
}

func (l *lab) addSwitchesTo(file string, guards map[int]guard) error {
	source, err := os.ReadFile(filepath.Join(l.plain.root, file))
	if err != nil {
		return err
	}
	out, reader, done, err := switched(file, string(source), guards)
	if err != nil {
		return err
	}
	for _, number := range done {
		l.number[guards[number].name] = number
	}
	file = filepath.Join(l.switches.root, file)
	return errors.Join(
		os.WriteFile(file, []byte(out), 0o644),
		os.WriteFile(filepath.Join(filepath.Dir(file), "guard_off.go"), []byte(reader), 0o644))
}

// try runs the tests of a guard without it.
func (l *lab) try(ctx context.Context, g guard) (verdict string) {
	if number, ok := l.number[g.name]; ok && l.switches.pass(ctx, g.tests) {
		verdict = l.switches.judge(ctx, g.tests, l.patience, fmt.Sprintf("%s=%d", variable, number))
	} else if path.Ext(g.file) != ".go" && l.switches.pass(ctx, g.tests) {
		verdict = l.switches.without(ctx, g, l.patience)
	}
	if verdict == killed || verdict == hung {
		return verdict
	}
	// A process that does not inherit our environment, such as one in a container, has had its guard.
	return l.plain.without(ctx, g, l.patience)
}
