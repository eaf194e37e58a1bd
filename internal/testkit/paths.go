package testkit

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// Root returns the project's root: the folder with go.mod above the folder of the test.
func Root() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			panic("testkit.Root: no go.mod above the working directory")
		}
		dir = up
	}
}

// Vectors returns the folder of the specification's test vectors: PITCHSTREAM_VECTORS, or shared/spec/vectors
// beside the project. Without it the test is skipped, or fails under CI.
func Vectors(t testing.TB) string {
	t.Helper()
	return dataDir(t, "PITCHSTREAM_VECTORS", "spec/vectors")
}

// Hawkeye returns the folder of recorded games: PITCHSTREAM_HAWKEYE, or shared/data/hawkeye beside the
// project. Without it the test is skipped, or fails under CI.
func Hawkeye(t testing.TB) string {
	t.Helper()
	return dataDir(t, "PITCHSTREAM_HAWKEYE", "data/hawkeye")
}

func dataDir(t testing.TB, variable, beside string) string {
	t.Helper()
	dir := cmp.Or(os.Getenv(variable), filepath.Join(Root(), "..", "shared", filepath.FromSlash(beside)))
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		Unavailable(t, "no folder "+dir+": set "+variable)
	}
	return dir
}

// Python returns an interpreter that has this module: PITCHSTREAM_TEST_PYTHON, or python3. Without it the
// test is skipped, or fails under CI.
func Python(t testing.TB, module string) string {
	t.Helper()
	python := cmp.Or(os.Getenv("PITCHSTREAM_TEST_PYTHON"), "python3")
	if out, err := exec.CommandContext(t.Context(), python, "-c",
		"import "+module).CombinedOutput(); err != nil {
		Unavailable(t, fmt.Sprintf("%s cannot import %s (test/requirements.txt has it; "+
			"PITCHSTREAM_TEST_PYTHON names another): %v %s", python, module, err, out))
	}
	return python
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// Name returns a unique name for topics, groups, schemas and prefixes. It has at most 63 lower-case letters,
// digits and hyphens, and begins with the name of the test.
func Name(t testing.TB) string {
	test := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(t.Name()), "-"), "-")
	return test[:min(len(test), 50)] + "-" + uuid.NewString()[24:]
}
