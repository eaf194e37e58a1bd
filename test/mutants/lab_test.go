package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const guarded = `package a

func wanted() bool { return true }
`

const tests = `package a

import (
	"testing"
	"time"
)

func TestFails(t *testing.T) {
	if !wanted() {
		t.Fatal()
	}
}

func TestHangs(t *testing.T) {
	if !wanted() {
		<-time.After(time.Hour)
	}
}

func TestNothing(t *testing.T) {}

func TestAnyway(t *testing.T) { t.Fatal() }
`

func TestVerdicts(t *testing.T) {
	l := &lab{project: t.TempDir(), normal: map[string]time.Duration{}, patience: 100 * time.Millisecond}
	for name, content := range map[string]string{"go.mod": "module a\n\ngo 1.26\n", "a.go": guarded, "a_test.go": tests} {
		require.NoError(t, os.WriteFile(filepath.Join(l.project, name), []byte(content), 0o644))
	}
	for run, want := range map[string]string{"Fails": "killed", "Hangs": "hung", "Nothing": "SURVIVED", "Anyway": "FAILING"} {
		require.Equal(t, want, l.try(t.Context(), mutant{file: "a.go", pkg: ".", run: run, old: "true", new: "false"}), run)
	}
	require.Equal(t, "SKIPPED", l.try(t.Context(), mutant{file: "a.go", pkg: ".", run: "Anyway", old: "true", new: "false", needsPG: true}))
	require.Equal(t, "BROKEN", l.try(t.Context(), mutant{file: "a.go", pkg: ".", run: "Fails", old: "true", new: "1"}))
	require.Equal(t, "MOVED", l.try(t.Context(), mutant{file: "a.go", pkg: ".", run: "Fails", old: "elsewhere"}))
	after, err := os.ReadFile(filepath.Join(l.project, "a.go"))
	require.NoError(t, err)
	require.Equal(t, guarded, string(after), "every guard is put back")
}
