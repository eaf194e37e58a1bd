package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// guard is one marked statement, and the tests that must notice its removal.
type guard struct {
	name  string
	how   string // how it is removed; see mutate
	file  string // slash-separated, from the root of the project
	line  int    // of the mark, counted from 1
	tests []tests
}

// tests are the tests of one package that a regular expression matches; "" matches all.
type tests struct {
	pkg, run string
}

// marks matches a mark in a comment of any of the languages.
var marks = regexp.MustCompile(`^\s*(?://|--|#|/\*) guard: (.+?)(?: \*/)?$`)

// testFunc matches the first line of a test.
var testFunc = regexp.MustCompile(`^func (Test\w+)\(`)

// languages are the extensions of files with marks.
var languages = []string{".go", ".sql", ".lua", ".js", ".css", ".yml", ".yaml"}

// unmarked are the guards in files that cannot hold a mark: JSON has no comments, and migrations are
// checksummed.
var unmarked = []guard{
	{
		name: "schemas: what was released stays", file: "schemas/jsonschema/letter.schema.json", line: 17,
		how:   `"dlq.group": { "description": "Consumer group that rejected it.", "type": "string" }, ->`,
		tests: []tests{{pkg: "./schemas", run: "CompatibleWithTheLastRelease"}},
	},
	{
		name: "warehouse: of two teams on a day the later one counts",
		file: "schemas/migrations/0007_warehouse.sql", line: 17,
		how:   "event_time DESC, pitch_id DESC -> event_time, pitch_id",
		tests: []tests{{pkg: "./sink/pgsink", run: "AsOfADate"}},
	},
}

// readGuards collects the marks below a folder. It returns an error when two guards share a name, and when a
// test is marked with the name of no guard.
func readGuards(root string) ([]guard, error) {
	guards := slices.Clone(unmarked)
	marked, tested := map[string][]tests{}, map[string]bool{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "out", "node_modules", "mutants"}, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(languages, path.Ext(name)):
			return nil
		}
		source, err := fs.ReadFile(os.DirFS(root), name)
		if err != nil {
			return err
		}
		lines := strings.Split(string(source), "\n")
		if strings.HasSuffix(name, "_test.go") {
			tested[path.Dir(name)] = true
			lines = readTests(lines, "./"+path.Dir(name), marked)
		}
		for i, line := range lines {
			if m := marks.FindStringSubmatch(line); m != nil {
				guard := guard{file: name, line: i + 1}
				guard.name, guard.how, _ = strings.Cut(m[1], " | ")
				guards = append(guards, guard)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return assign(guards, marked, tested)
}

// readTests adds the marked tests of a file, whose marks are among the lines right above the function. It
// returns the lines without these marks, so that those that are left mark guards of the file's own.
func readTests(lines []string, pkg string, marked map[string][]tests) []string {
	lines = slices.Clone(lines)
	var above []int // indexes of marks
	for i, line := range lines {
		if marks.MatchString(line) {
			above = append(above, i)
		} else if m := testFunc.FindStringSubmatch(line); m != nil {
			for _, j := range above {
				addTest(marked, marks.FindStringSubmatch(lines[j])[1], pkg, m[1])
				lines[j] = ""
			}
			above = nil
		} else if !strings.HasPrefix(line, "//") {
			above = nil
		}
	}
	return lines
}

func addTest(marked map[string][]tests, guard, pkg, test string) {
	for i, t := range marked[guard] {
		if t.pkg == pkg {
			marked[guard][i].run = strings.TrimSuffix(t.run, ")$") + "|" + test + ")$"
			return
		}
	}
	marked[guard] = append(marked[guard], tests{pkg: pkg, run: "^(" + test + ")$"})
}

// assign gives each guard its tests: those that are marked, or all of the nearest package that has some.
func assign(guards []guard, marked map[string][]tests, tested map[string]bool) ([]guard, error) {
	known := map[string]bool{}
	for i := range guards {
		g := &guards[i]
		if known[g.name] {
			return nil, fmt.Errorf("%s:%d: two guards are named %q", g.file, g.line, g.name)
		}
		known[g.name] = true
		if g.tests == nil {
			g.tests = marked[g.name]
		}
		for dir := path.Dir(g.file); g.tests == nil; dir = path.Dir(dir) {
			if dir == "." {
				return nil, fmt.Errorf("%s:%d: no test is marked with the guard %q", g.file, g.line, g.name)
			}
			if tested[dir] {
				g.tests = []tests{{pkg: "./" + dir}}
			}
		}
	}
	for name, where := range marked {
		if !known[name] {
			return nil, fmt.Errorf("%s: a test is marked with %q, which is the name of no guard", where[0].pkg, name)
		}
	}
	return guards, nil
}
