package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const guarded = `package a

func wanted(n int) bool {
	// guard: n is small
	if n > 9 {
		return false
	}
	return true
}
`

const guardedTests = `package a

import (
	"testing"
	"time"
)

func TestFails(t *testing.T) {
	if wanted(10) {
		t.Fatal()
	}
}

func TestHangs(t *testing.T) {
	if wanted(10) {
		<-time.After(time.Hour)
	}
}

func TestNothing(t *testing.T) {}

func TestAnyway(t *testing.T) { t.Fatal() }
`

func TestVerdicts(t *testing.T) {
	l := &lab{project: t.TempDir(), normal: map[tests]time.Duration{}, patience: 100 * time.Millisecond}
	for name, content := range map[string]string{"go.mod": "module a\n\ngo 1.26\n", "a.go": guarded, "a_test.go": guardedTests} {
		require.NoError(t, os.WriteFile(filepath.Join(l.project, name), []byte(content), 0o644))
	}
	try := func(how, run string) string {
		return l.try(t.Context(), guard{file: "a.go", line: 4, how: how, tests: []tests{{pkg: ".", run: run}}})
	}
	for run, want := range map[string]string{"Fails": killed, "Hangs": hung, "Nothing": survived, "Anyway": failing} {
		require.Equal(t, want, try("", run), run)
	}
	require.Equal(t, broken, try("n > 9 -> 1", "Fails"))
	require.Equal(t, unclear, try("elsewhere -> 1", "Fails"))
	after, err := os.ReadFile(filepath.Join(l.project, "a.go"))
	require.NoError(t, err)
	require.Equal(t, guarded, string(after), "every guard is put back")
}
