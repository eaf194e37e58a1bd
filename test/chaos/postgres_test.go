package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/localpg"
	"github.com/pitchstream/pitchstream/internal/localpg/child"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// database is one of the two servers of Postgres.
type database struct {
	name   string
	server *testkit.Server
	door   *door
	direct string // its URL beside the network
	addr   string
	disk   *disk // of the data without the WAL; nil: an ordinary one
	wal    *disk // of the WAL
}

// startPostgres starts a primary and a standby, which confirms every commit.
func (c *cluster) startPostgres() {
	c.t.Helper()
	programs, err := localpg.Find(c.t.Context())
	if errors.Is(err, localpg.ErrNotInstalled) {
		testkit.Unavailable(c.t, err.Error())
	}
	require.NoError(c.t, err)
	user, err := child.Unprivileged()
	require.NoError(c.t, err)
	c.pgPrograms, c.pgUser = programs.BinDir, user
	for i := range 2 {
		d := &database{name: fmt.Sprint("postgres-", i+1), door: c.net.newDoor(c.t), addr: testkit.FreeAddr()}
		d.direct = "postgres://postgres@" + d.addr + "/postgres?sslmode=disable"
		d.disk, d.wal = c.diskFor(user, dataFull), c.diskFor(user, walFull)
		c.databases = append(c.databases, d)
	}
	first, second := c.databases[0], c.databases[1]
	c.startDatabase(first, func(dir string) error {
		// Small files of the WAL, so that a disk without room is soon noticed.
		return c.pgRun(dir, "initdb", append(first.folders("-X"), "-U", "postgres", "-A", "trust", "-E", "UTF8",
			"--locale", "C", "--no-sync", "--wal-segsize=1")...)
	})
	c.startDatabase(second, func(dir string) error { return c.copyFrom(first, second, dir) })
	c.awaitStandby()
}

// startDatabase starts a server in a folder that prepare fills.
func (c *cluster) startDatabase(d *database, prepare func(dir string) error) {
	c.t.Helper()
	_, port, _ := net.SplitHostPort(d.addr)
	d.server = testkit.RunProgram(c.t, testkit.Program{
		Name: d.name, Addr: d.addr, Path: filepath.Join(c.pgPrograms, "postgres"), User: c.pgUser,
		Args: []string{"-D", d.data(), "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			"-c", "fsync=off", "-c", "shared_buffers=64MB", "-c", "max_connections=100", "-c", "wal_keep_size=256MB", "-c", "min_wal_size=2MB",
			"-c", "cluster_name=" + d.name},
		Env: append(c.clockOf(d.name, standbyClock), "LC_ALL=C"), LogFile: c.logFile(d.name), Prepare: prepare,
		Answers: func(ctx context.Context) error { return d.do(ctx, "SELECT 1") },
	})
	c.add(d.name, d.server)
	if d.door.server == "" {
		c.net.lead(c.t, d.door, d.name, d.addr)
	}
}

func (c *cluster) pgRun(dir, program string, args ...string) error {
	cmd := exec.CommandContext(c.t.Context(), filepath.Join(c.pgPrograms, program), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, append(os.Environ(), "LC_ALL=C"), child.Attr(c.pgUser)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd.Path, err, out)
	}
	return nil
}

// copyFrom makes the folder of a standby, which follows the primary through the network.
func (c *cluster) copyFrom(primary, standby *database, dir string) error {
	err := os.RemoveAll(filepath.Join(dir, "data"))
	for _, d := range []*disk{standby.disk, standby.wal} {
		if d != nil {
			err = errors.Join(err, d.empty())
		}
	}
	return errors.Join(err, c.pgRun(dir, "pg_basebackup", append(standby.folders("--waldir"),
		"-d", "postgres://postgres@"+primary.door.addr+"/postgres?sslmode=disable",
		"-R", "-X", "stream", "-c", "fast", "--no-sync")...))
}

// data is the folder of a server, from where it runs.
func (d *database) data() string {
	if d.disk == nil {
		return "data"
	}
	return filepath.Join(d.disk.path, "data")
}

// folders are the options of a program that fills the folders of a server.
func (d *database) folders(wal string) []string {
	options := []string{"-D", d.data()}
	if d.wal != nil {
		options = append(options, wal, filepath.Join(d.wal.path, "wal"))
	}
	return options
}

// do executes a statement on a server, beside the network.
func (d *database) do(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.direct)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

func (d *database) ask(ctx context.Context, sql string) (answer string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.direct)
	if err != nil {
		return err.Error()
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, sql).Scan(&answer); err != nil {
		return err.Error()
	}
	return answer
}

func (c *cluster) primary() *database { return c.databases[c.first] }
func (c *cluster) standby() *database { return c.databases[1-c.first] }

// awaitStandby waits until the standby has all that the primary has. From then on it confirms every commit.
func (c *cluster) awaitStandby() {
	c.t.Helper()
	c.await("the standby follows", func() bool {
		return c.primary().ask(c.t.Context(), `SELECT count(*)::text FROM pg_stat_replication WHERE state = 'streaming'`) == "1"
	})
	c.setSynchronous("*")
	c.await("the standby confirms", func() bool {
		return c.primary().ask(c.t.Context(), `SELECT string_agg(sync_state, '') FROM pg_stat_replication`) == "sync"
	})
}

func (c *cluster) setSynchronous(names string) {
	c.t.Helper()
	require.NoError(c.t, c.primary().do(c.t.Context(), "ALTER SYSTEM SET synchronous_standby_names = '"+names+"'"))
	require.NoError(c.t, c.primary().do(c.t.Context(), "SELECT pg_reload_conf()"))
}

// promote makes the standby the primary, as a manager of failovers does: the old one has been shot, and the
// new one commits alone until it has a standby again.
func (c *cluster) promote() {
	c.t.Helper()
	require.NoError(c.t, c.standby().do(c.t.Context(), "SELECT pg_promote(true, 4)"))
	c.first = 1 - c.first
	c.await("the standby is promoted", func() bool {
		return c.primary().ask(c.t.Context(), "SELECT pg_is_in_recovery()::text") == "false"
	})
	c.setSynchronous("")
}

// renewStandby copies the primary into the folder of the server that was one before.
func (c *cluster) renewStandby() {
	c.t.Helper()
	d := c.standby()
	require.NoError(c.t, c.copyFrom(c.primary(), d, d.server.Dir()))
	d.server.Start(c.t)
	c.awaitStandby()
}

// postgresURL names both servers. Clients take the one that can be written to.
func (c *cluster) postgresURL() string {
	return fmt.Sprintf("postgres://postgres@%s,%s/postgres?sslmode=disable&connect_timeout=3",
		c.databases[0].door.addr, c.databases[1].door.addr)
}
