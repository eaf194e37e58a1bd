//go:build linux

package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/simulate"
)

const (
	// memoryBytes is a variable that says how much the benchmark reads; 1 GB unless set.
	memoryBytes = "PITCHSTREAM_TEST_MEMORY_BYTES"
	maxRSSBytes = 256 << 20
)

// BenchmarkProcessMemory sends simulated games through a process of its own, all pitches different, and looks
// at the most memory that it ever held. It is run once, for as long as it takes:
//
//	export PITCHSTREAM_TEST_MEMORY_BYTES=10000000000
//	go test -run '^$' -bench ProcessMemory -benchtime 1x ./cmd/pitchstream
func BenchmarkProcessMemory(b *testing.B) {
	want := int64(1e9)
	if given := os.Getenv(memoryBytes); given != "" {
		var err error
		want, err = strconv.ParseInt(given, 10, 64)
		require.NoError(b, err)
	}
	for b.Loop() {
		cmd := processChild(b, "process", "-", "-o", filepath.Join(b.TempDir(), "out"))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		require.NoError(b, err)
		require.NoError(b, cmd.Start())
		sent := sendGames(b, in, want)
		require.NoError(b, in.Close())
		require.NoError(b, cmd.Wait())
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		b.SetBytes(sent)
		b.ReportMetric(float64(usage.Maxrss)/1e3, "MB-RSS")
		require.Less(b, usage.Maxrss*1024, int64(maxRSSBytes))
	}
}

// sendGames writes records of simulated games, at least so many bytes of them.
func sendGames(b *testing.B, w io.Writer, atLeast int64) (sent int64) {
	b.Helper()
	s, err := simulate.New(simulate.Options{Seed: 1, Games: 1 << 20})
	require.NoError(b, err)
	out := bufio.NewWriterSize(w, 1<<20)
	for m, ok := s.Next(); ok && sent < atLeast; m, ok = s.Next() {
		_, err := out.Write(append(m.Value, '\n'))
		require.NoError(b, err)
		sent += int64(len(m.Value)) + 1
	}
	require.NoError(b, out.Flush())
	return sent
}
