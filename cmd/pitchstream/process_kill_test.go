package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pitchstream/pitchstream/internal/fileprocess"
	"github.com/stretchr/testify/require"
)

// childArgs is a variable with the arguments that a child of the test is to run pitchstream with, as JSON.
const childArgs = "PITCHSTREAM_TEST_CHILD_ARGS"

// TestProcessChild is no test: it is pitchstream, in a process that a test may kill and measure.
func TestProcessChild(*testing.T) {
	given := os.Getenv(childArgs)
	if given == "" {
		return
	}
	var args []string
	if err := json.Unmarshal([]byte(given), &args); err != nil {
		panic(err)
	}
	os.Exit(run(context.Background(), args, &stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// processChild is pitchstream with these arguments, ready to be started.
func processChild(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(args)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessChild$")
	cmd.Env = append(os.Environ(), childArgs+"="+string(text))
	return cmd
}

// A run that is killed leaves nothing that looks whole; the next one is as if it had never been.
func TestProcessKilledAndRunAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	cmd := processChild(t, "process", "-", "-o", dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.CopyN(in, &records{}, 4<<20) // read by then, except for the content of the pipe
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	for _, name := range names(t, dir) {
		require.Equal(t, ".process-unfinished", name)
	}

	folder, ids := stressFiles(t, 60)
	_, err = processArgs(t.Context(), t, nil, folder, "--ids", ids, "-o", dir, "--format=csv")
	require.NoError(t, err)
	fresh, _ := process(t, folder, "--ids", ids, "--format=csv")
	require.Equal(t, names(t, fresh), names(t, dir))
	for _, name := range []string{"rows.csv", fileprocess.BattersName, fileprocess.PitchersName, fileprocess.RejectedName} {
		require.True(t, readFile(t, fresh, name) == readFile(t, dir, name), name)
	}
}

func TestProcessExitStatuses(t *testing.T) {
	folder := writeFiles(t, map[string]string{"1_1.jsonl": pitch(uuid(1)) + "\n{", "zip.jsonl": "PK\x03\x04"})
	torn, zip := filepath.Join(folder, "1_1.jsonl"), filepath.Join(folder, "zip.jsonl")
	for _, c := range []struct {
		status int
		args   []string
	}{
		{exitOK, []string{torn, "-o", filepath.Join(folder, "a")}},
		{exitFailed, []string{torn, zip, "-o", filepath.Join(folder, "b")}},
		{exitFailed, []string{filepath.Join(folder, "nowhere"), "-o", filepath.Join(folder, "c")}},
		{exitUsage, []string{torn}},
		{exitUsage, []string{torn, "-o", filepath.Join(folder, "d"), "--format=xls"}},
	} {
		require.Equal(t, c.status, run(t.Context(), append([]string{"process"}, c.args...), &stdio{Out: io.Discard, Err: io.Discard}), c.args)
	}
}
