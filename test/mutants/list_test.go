package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever moves a guard is told at once, and not when the mutants are run.
func TestEveryGuardIsWhereTheListSays(t *testing.T) {
	named := map[string]bool{}
	for _, m := range mutants {
		require.False(t, named[m.guard], "twice: %s", m.guard)
		named[m.guard] = true
		whole, err := os.ReadFile(filepath.Join("..", "..", m.file))
		require.NoError(t, err, m.guard)
		assert.Equal(t, 1, strings.Count(string(whole), m.old), "%s: %s has it so often:\n%s", m.guard, m.file, m.old)
		require.NotEqual(t, m.old, m.new, m.guard)
		require.NoError(t, someTest(m), m.guard)
	}
}

// subtests is what follows a test's name in a pattern, in each of its alternatives.
var subtests = regexp.MustCompile(`/[^|]*`)

// someTest is an error where a package has no test of that name, which would let the mutant survive.
func someTest(m mutant) error {
	files, err := filepath.Glob(filepath.Join("..", "..", m.pkg, "*_test.go"))
	if err != nil {
		return err
	}
	tests := regexp.MustCompile(subtests.ReplaceAllString(m.run, ""))
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, test := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(source, -1) {
			if tests.Match(test[1]) {
				return nil
			}
		}
	}
	return os.ErrNotExist
}

func TestGuardsAreChosenByTheirNames(t *testing.T) {
	chosen, err := choose("^a gap is not jumped over$")
	require.NoError(t, err)
	require.Len(t, chosen, 1)
	all, err := choose("")
	require.NoError(t, err)
	require.Len(t, all, len(mutants))
	_, err = choose("(")
	require.Error(t, err)
	_, err = choose("no such guard")
	require.ErrorContains(t, err, "no guard's name matches")
}
