package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const guarded = `package a

import _ "embed"

//go:embed a.sql
var sql string

// guard: of a declaration | 9 -> 99
const most = 9

func small(n int) (ok bool) {
	defer func() { ok = ok && recover() == nil }()
	// guard: of a statement
	// guard: that hangs
	// guard: that no test notices
	// guard: whose test fails anyway
	if n > most {
		return false
	}
	// guard: of a definition | 0 -> 1
	zero := 0
	// guard: that does not compile | zero == 0 -> zero
	return zero == 0
}

func never() {
	defer recovers()
	panic("never")
}

func recovers() {
	// guard: in a function that recovers | recover() -> any(nil)
	_ = recover()
}
`

const guardedTests = `package a

import (
	"strings"
	"testing"
	"time"
)

// guard: of a statement
// guard: of a declaration
// guard: that does not compile
func TestStatement(t *testing.T) {
	if small(10) {
		t.Fatal()
	}
}

// guard: of a definition
func TestDefinition(t *testing.T) {
	if !small(1) {
		t.Fatal()
	}
}

// guard: that hangs
func TestHangs(t *testing.T) {
	if small(10) {
		<-time.After(time.Hour)
	}
}

// guard: that no test notices
func TestNothing(t *testing.T) {}

// guard: whose test fails anyway
func TestAnyway(t *testing.T) { t.Fatal() }

// guard: in a function that recovers
func TestRecovers(t *testing.T) { never() }

// guard: of a query
func TestQuery(t *testing.T) {
	if !strings.Contains(sql, "TRUE") {
		t.Fatal()
	}
}
`

func TestVerdicts(t *testing.T) {
	files := map[string]string{
		"go.mod": "module a\n\ngo 1.26\n", "a/a.go": guarded, "a/a_test.go": guardedTests,
		"a/a.sql": "SELECT\n-- guard: of a query\nTRUE\n",
	}
	root := tree(t, files)
	guards, err := readGuards(root)
	require.NoError(t, err)
	guards = guards[len(unmarked):]
	l, err := newLab(t.Context(), root, guards)
	require.NoError(t, err)
	t.Cleanup(l.close)
	l.patience = 100 * time.Millisecond
	got := map[string]string{}
	for _, g := range guards {
		got[g.name] = l.try(t.Context(), g)
	}
	require.Equal(t, map[string]string{
		"of a statement": killed, "of a definition": killed, "of a declaration": killed, "of a query": killed,
		"in a function that recovers": killed,
		"that hangs":                  hung, "that no test notices": survived,
		"whose test fails anyway": failing, "that does not compile": broken,
	}, got)
	require.Contains(t, l.number, "of a definition")
	require.NotContains(t, l.number, "that does not compile")
	require.NotContains(t, l.number, "in a function that recovers")
	for name, content := range files {
		after, err := os.ReadFile(filepath.Join(l.plain.root, name))
		require.NoError(t, err)
		require.Equal(t, content, string(after), "every guard is put back")
	}
}
