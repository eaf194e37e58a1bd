package fileinput

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var errStop = errors.New("stop")

// A command that waits for a pipe ends with its context, whether no program writes to it yet or one writes
// nothing.
func TestWaitingForANamedPipeEndsWithTheContext(t *testing.T) {
	defer func() { openPipe = os.Open }()
	for name, read := range map[string]func(ctx context.Context, path string) error{
		"records": func(ctx context.Context, path string) error {
			r, err := Open(ctx, Options{Paths: []string{path}})
			require.NoError(t, err)
			defer r.Close()
			_, err = r.Next()
			return err
		},
		"identifiers": func(ctx context.Context, path string) error {
			_, err := LoadIDs(ctx, path)
			return err
		},
		"other files": func(ctx context.Context, path string) error {
			f, err := OpenFile(ctx, path, nil)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.ReadAll(f)
			return err
		},
	} {
		path := filepath.Join(t.TempDir(), "pipe")
		require.NoError(t, syscall.Mkfifo(path, 0o600))
		for _, hasWriter := range []bool{false, true} {
			opening, release := make(chan bool, 1), make(chan bool)
			openPipe = func(path string) (*os.File, error) {
				opening <- true
				if !hasWriter { // as opening a pipe waits
					<-release
				}
				return os.OpenFile(path, os.O_RDWR, 0) // waits for no other program
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error)
			go func() { ended <- read(ctx, path) }()
			<-opening
			cancel(errStop)
			require.ErrorContains(t, <-ended, "stop", "%s, a writer: %v", name, hasWriter)
			close(release)
		}
	}
}

func TestAPipeIsReadToItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	go func() { _ = os.WriteFile(path, []byte("event_id,batter_id\nx,5\n"), 0o600) }()
	ids, err := LoadIDs(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, 1, ids.Others())
	_, err = OpenFile(t.Context(), path+"none", nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "open ")
	in, err := OpenFile(t.Context(), Stdin, strings.NewReader("x"))
	require.NoError(t, err)
	text, err := io.ReadAll(in)
	require.NoError(t, err)
	require.Equal(t, "x", string(text))
}

// A cell of gigabytes packs into a megabyte. It is refused while it is read, not held in memory.
//
// guard: files: a line of a table is bounded
// guard: files: what a file unpacks to is bounded
func TestATableIsBoundedAfterUnpacking(t *testing.T) {
	read := func(text string, most int64) (lines int, err error) {
		table, err := NewTable(t.Context(), strings.NewReader(text), "id", most)
		require.NoError(t, err)
		for ; ; lines++ {
			if _, err = table.Read(); err != nil {
				return lines, err
			}
		}
	}
	cell := strings.Repeat("x\n", maxLineBytes/2)
	most := "id\n\"" + cell[:maxLineBytes-3] + "\"\n"
	for _, pack := range []func(string) string{func(s string) string { return s }, gzipped, zstded} {
		lines, err := read(pack(most+most), 8<<20)
		require.Equal(t, io.EOF, err)
		require.Equal(t, 4, lines)
		_, err = read(pack("id\n\"x"+cell+"\"\n"), 8<<20)
		require.ErrorContains(t, err, "line 2 has more than 1048576 bytes: is a quote open?")
		_, err = read(pack("id\n1\n2\n"), 7)
		require.Equal(t, io.EOF, err)
		_, err = read(pack("id\n1\n2\n"), 6)
		require.ErrorContains(t, err, "it has more than 6 bytes, unpacked: split it")
	}
}

// guard: files: the identifiers in memory are bounded
func TestIdentifiersAreBounded(t *testing.T) {
	defer func(bytes int64, n int) { maxIDBytes, maxIDs = bytes, n }(maxIDBytes, maxIDs)
	const text = "event_id\na\n" + someUUID + "\n"
	maxIDBytes, maxIDs = int64(len(text)), 2
	_, err := loadIDs(t, gzipped(text))
	require.NoError(t, err)
	maxIDBytes--
	_, err = loadIDs(t, gzipped(text))
	require.ErrorContains(t, err, fmt.Sprintf("it has more than %d bytes, unpacked", maxIDBytes))
	maxIDBytes, maxIDs = 1000, 1
	_, err = loadIDs(t, text)
	require.ErrorContains(t, err, "line 3: more than 1 events: give the games in parts")
}
