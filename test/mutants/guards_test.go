package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A mark that cannot be applied is found at once, and not when the mutants are run.
func TestEveryMarkOfTheProjectCanBeApplied(t *testing.T) {
	root := filepath.Join("..", "..")
	guards, err := readGuards(root)
	require.NoError(t, err)
	require.Greater(t, len(guards), 200)
	for _, g := range guards {
		source, err := os.ReadFile(filepath.Join(root, g.file))
		require.NoError(t, err)
		without, err := mutate(string(source), g)
		if assert.NoError(t, err, "%s:%d: %s", g.file, g.line, g.name) {
			assert.NotEqual(t, string(source), without, "%s:%d: %s", g.file, g.line, g.name)
		}
	}
}

func TestGuardsAreChosenByTheirNames(t *testing.T) {
	guards := []guard{{name: "a gap is not jumped over"}, {name: "a position never moves back"}}
	chosen, err := choose(guards, "gap", "")
	require.NoError(t, err)
	require.Equal(t, guards[:1], chosen)
	all, err := choose(guards, "", "")
	require.NoError(t, err)
	require.Equal(t, guards, all)
	_, err = choose(guards, "(", "")
	require.Error(t, err)
	_, err = choose(guards, "no such guard", "")
	require.ErrorContains(t, err, "no guard's name matches")
}

func TestMarksNameGuardsAndTheirTests(t *testing.T) {
	files := map[string]string{
		"a/a.go":      "package a\n\n// guard: one\n// guard: two | always\nvar x = 1\n",
		"a/q/q.sql":   "-- guard: five\nSELECT 1\n",
		"a/a_test.go": "package a\n\n// guard: own\nvar y = 1\n\n// guard: two\n// TestTwo explains itself.\nfunc TestTwo(t *testing.T) {}\n\n// guard: two\nfunc TestOther(t *testing.T) {}\n",
		"b/b.sql":     "SELECT 1\n-- guard: three\n, 2\n",
		"b/b_test.go": "package b\n\n// guard: three\nfunc TestThree(t *testing.T) {}\n",
	}
	read := func() (map[string][]tests, error) {
		guards, err := readGuards(tree(t, files))
		found := map[string][]tests{}
		for _, g := range guards {
			found[g.name] = g.tests
		}
		return found, err
	}
	found, err := read()
	require.NoError(t, err)
	require.Equal(t, []tests{{pkg: "./a"}}, found["one"])
	require.Equal(t, []tests{{"./a", "^(TestTwo|TestOther)$"}}, found["two"])
	require.Equal(t, []tests{{pkg: "./a"}}, found["five"])
	require.Contains(t, found, "own")
	require.Equal(t, []tests{{"./b", "^(TestThree)$"}}, found["three"])

	delete(files, "b/b_test.go")
	_, err = read()
	require.ErrorContains(t, err, `b/b.sql:2: no test is marked with the guard "three"`)
	delete(files, "b/b.sql")
	files["c/c.go"] = "package c\n\n// guard: one\nvar x = 1\n"
	_, err = read()
	require.ErrorContains(t, err, `two guards are named "one"`)
	files["c/c.go"] = "package c\n"
	files["b/b_test.go"] = "package b\n\n// guard: four\nfunc TestFour(t *testing.T) {}\n"
	_, err = read()
	require.ErrorContains(t, err, `"four", which is the name of no guard`)
}

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o644))
	}
	return root
}

func TestMutations(t *testing.T) {
	const head = "package a\n\nfunc f(n int) int {\n"
	for name, c := range map[string]struct{ mark, code, want, err string }{
		"a condition becomes false":         {"", "if n > 1 {\n}", "if (n > 1) && false {\n}", ""},
		"a condition becomes true":          {" | always", "if n > 1 {\n}", "if (n > 1) || true {\n}", ""},
		"a statement is not executed":       {"", "g(n)", "if false {\ng(n)\n}", ""},
		"a text is replaced":                {" | n + 1 -> n", "return g(n + 1)", "return g(n)", ""},
		"a text is removed":                 {" | + 1 ->", "return n + 1", "return n ", ""},
		"the header comes before the body":  {" | n -> m", "if n > 1 {\n\tn++\n}", "if m > 1 {\n\tn++\n}", ""},
		"the body is part of the statement": {" | x++ -> x--", "if n > 1 {\n\tx++\n}", "if n > 1 {\n\tx--\n}", ""},
		"a statement is replaced":           {" | instead return 0", "return n", "return 0", ""},
		"a statement is left out":           {" | instead", "if err := g(); err != nil {\n}", "", ""},
		"what is defined is used":           {"", "x := 1", "", "the mark must say how"},
		"a text that is twice":              {" | x -> y", "return x + x", "", "2 times below the mark"},
		"a return has no condition":         {" | always", "return n", "", "has no condition"},
		"a word that means nothing":         {" | perhaps", "return n", "", "is no way to remove a guard"},
	} {
		source := head + "// guard: x" + c.mark + "\n" + c.code + "\n}\n"
		got, err := mutate(source, guard{file: "a.go", line: 4, how: howOf(c.mark)})
		if c.err != "" {
			require.ErrorContains(t, err, c.err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, head+"// guard: x"+c.mark+"\n"+c.want+"\n}\n", got, name)
	}

	inside := "package a\n\nvar x = []int{\n\t// guard: x\n\t1,\n\t2,\n}\n"
	got, err := mutate(inside, guard{file: "a.go", line: 4})
	require.NoError(t, err)
	require.Equal(t, "package a\n\nvar x = []int{\n\t// guard: x\n\t\n\t2,\n}\n", got)

	clause := "package a\n\nfunc f(n int) {\n\tswitch {\n\t// guard: x\n\tcase n > 9:\n\t}\n}\n"
	got, err = mutate(clause, guard{file: "a.go", line: 5})
	require.NoError(t, err)
	require.Contains(t, got, "case (n > 9) && false:")
	_, err = mutate(strings.Replace(clause, "n > 9", "n > 9, n < 0", 1), guard{file: "a.go", line: 5})
	require.ErrorContains(t, err, "the mark must say which")

	sql := "SELECT 1\n-- guard: x\nWHERE a = 1\nAND b\nLIMIT 1\n"
	for how, want := range map[string]string{
		"":                "SELECT 1\n-- guard: x\nAND b\nLIMIT 1\n",
		"a = 1 -> true":   "SELECT 1\n-- guard: x\nWHERE true\nAND b\nLIMIT 1\n",
		"next 2 -> WHERE": "SELECT 1\n-- guard: x\nWHERE\nLIMIT 1\n",
	} {
		got, err := mutate(sql, guard{file: "a.sql", line: 2, how: how})
		require.NoError(t, err, how)
		require.Equal(t, want, got, how)
	}
}

func howOf(mark string) string {
	if mark == "" {
		return ""
	}
	return mark[len(" | "):]
}
