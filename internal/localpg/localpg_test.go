package localpg

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain is also the process that a test kills, and a fake postgres that prints the version in the file
// beside it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "postgres" {
		version, _ := os.ReadFile(filepath.Join(filepath.Dir(os.Args[0]), "version"))
		fmt.Printf("postgres (PostgreSQL) %s\n", version)
		return
	}
	if os.Getenv("LOCALPG_TEST_VICTIM") != "" {
		s, err := Start(context.Background(), Options{Settings: Throwaway()})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.dir, s.URL)
		select {}
	}
	goleak.VerifyTestMain(m)
}

func TestServerStartsEmptyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	settings := Throwaway()
	settings["max_connections"] = "9"
	s := start(t, Options{Settings: settings, Log: &log})
	require.Equal(t, "9", query(t, s.URL, "SHOW max_connections"))
	require.Equal(t, "off", query(t, s.URL, "SHOW fsync"))
	require.Equal(t, "C", query(t, s.URL, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'"))
	require.True(t, strings.HasPrefix(query(t, s.URL, "SHOW server_version"), s.Version))

	require.NoError(t, s.Stop())
	<-s.Done()
	require.NoDirExists(t, s.dir)
	require.Error(t, s.ping(t.Context()))
	require.Contains(t, log.String(), "database system is ready to accept connections")
	require.NoError(t, s.Stop(), "a second time")
}

func TestServerListensOnLoopbackWithAPassword(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	_, err := pgx.Connect(t.Context(), "postgres://postgres:guess@"+s.Addr+"/postgres")
	require.ErrorContains(t, err, "password authentication failed")
	require.Equal(t, "127.0.0.1", query(t, s.URL, "SHOW listen_addresses"))
	require.Empty(t, query(t, s.URL, "SHOW unix_socket_directories"))
	require.Equal(t, "on", query(t, s.URL, "SHOW fsync"), "durable by default")
}

func TestRowsSurviveHaltAndCrash(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	query(t, s.URL, "CREATE TABLE pitches AS SELECT 7 AS id")
	for _, end := range []func() error{s.Halt, s.Crash} {
		require.NoError(t, end())
		require.Error(t, s.ping(t.Context()))
		require.NoError(t, s.Resume(t.Context()))
		require.NoError(t, s.Resume(t.Context()), "a running server")
		require.Equal(t, "7", query(t, s.URL, "SELECT id::text FROM pitches"))
	}
}

func TestServerEndsWhenItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "LOCALPG_TEST_VICTIM=1")
	stdout, err := victim.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, victim.Start())
	output, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	dir, url, _ := strings.Cut(strings.TrimSpace(output), " ")
	c, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err, output)

	require.NoError(t, victim.Process.Kill())
	_ = victim.Wait()
	_, err = c.WaitForNotification(t.Context()) // until the server has ended
	require.Error(t, err)
	gone := func() bool { _, err := os.Stat(dir); return errors.Is(err, os.ErrNotExist) }
	require.Eventually(t, gone, 20*time.Second, 20*time.Millisecond, dir)
}

func TestFailedStartSaysWhyAndLeavesNothing(t *testing.T) {
	needPrograms(t)
	folder := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o755)) // for the user that Postgres runs as
	t.Setenv("TMPDIR", folder)
	_, err := Start(t.Context(), Options{Settings: map[string]string{"shared_buffers": "plenty"}})
	require.ErrorContains(t, err, `invalid value for parameter "shared_buffers": "plenty"`)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Start(canceled, Options{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = Start(t.Context(), Options{Dir: "/nowhere"})
	require.ErrorContains(t, err, "/nowhere")
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestTakenPortIsAnErrorOfItsOwn(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Settings: Throwaway()})
	require.NoError(t, s.Halt())
	l, err := net.Listen("tcp", s.Addr)
	require.NoError(t, err)
	defer l.Close()
	require.ErrorIs(t, s.Resume(t.Context()), errPortTaken)
}

// start starts a server that is stopped when the test ends.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	needPrograms(t)
	s, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

// needPrograms skips a test where Postgres is not installed, and fails it under CI. It repeats
// testkit.Unavailable, because testkit imports this package.
func needPrograms(t *testing.T) {
	t.Helper()
	_, err := Find(t.Context())
	if errors.Is(err, ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
}

func query(t *testing.T, url, sql string) (value string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer c.Close(context.Background())
	err = c.QueryRow(t.Context(), sql).Scan(&value)
	if !errors.Is(err, pgx.ErrNoRows) {
		require.NoError(t, err)
	}
	return value
}
