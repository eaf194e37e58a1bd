package testkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/internal/localpg"
)

// postgresSpec describes a server that loses data at a power failure, unless settings change that.
func postgresSpec(settings ...string) spec {
	settings = append([]string{"fsync=off", "max_connections=200"}, settings...)
	cmd := []string{"postgres"}
	for _, s := range settings {
		cmd = append(cmd, "-c", s)
	}
	return spec{
		name: "Postgres",
		container: containerSpec{
			image: image("POSTGRES", "postgres:17"), port: 5432, cmd: cmd,
			env: func(string) map[string]string { return map[string]string{"POSTGRES_PASSWORD": "pitchstream"} },
			url: func(addr string) string {
				return "postgres://postgres:pitchstream@" + addr + "/postgres?sslmode=disable"
			},
		},
		process: func(ctx context.Context) (*Server, error) { return startLocal(ctx, settings) },
		answers: func(ctx context.Context, s *Server) error {
			c, err := pgx.Connect(ctx, s.URL)
			if err != nil {
				return err
			}
			return c.Close(ctx)
		},
	}
}

// local is a host that runs the Postgres programs of this machine.
type local struct{ *localpg.Server }

func startLocal(ctx context.Context, settings []string) (*Server, error) {
	o := localpg.Options{Settings: map[string]string{}}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		o.Settings[name] = value
	}
	s, err := localpg.Start(ctx, o)
	if errors.Is(err, localpg.ErrNotInstalled) {
		return nil, &errUnavailable{err.Error()}
	}
	if err != nil {
		return nil, err
	}
	return &Server{Addr: s.Addr, URL: s.URL, host: local{s}}, nil
}

func (l local) Start(ctx context.Context) error { return l.Resume(ctx) }
func (l local) Stop(context.Context) error      { return l.Halt() }
func (l local) Kill(context.Context) error      { return l.Crash() }
func (l local) Logs(context.Context) string     { return l.Log() }

func (l local) Remove(context.Context) error {
	return l.Server.Stop()
}

// freshDatabase makes an empty database on the server of the URL, and removes it when the test ends. It keeps
// the database of a failed test if the server stays.
func freshDatabase(t testing.TB, server string, stays bool) string {
	t.Helper()
	name := Name(t)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("PITCHSTREAM_TEST_POSTGRES_URL: %v", err)
	}
	u.Path = "/" + name
	execute(t, server, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	t.Cleanup(func() {
		if t.Failed() && stays {
			t.Logf("the test's database is kept: psql '%s'", u)
			return
		}
		if t.Failed() {
			t.Log("to look into the database of a failed test, run it again with PITCHSTREAM_TEST_KEEP=1 and " +
				"a container engine, or with a server that stays: PITCHSTREAM_TEST_POSTGRES_URL")
		}
		execute(t, server, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", pgx.Identifier{name}.Sanitize()))
	})
	return u.String()
}

// PostgresOf gives the URL of an empty database of another encoding on the server of a URL. It goes with the
// test.
func PostgresOf(t testing.TB, server, encoding string) string {
	t.Helper()
	name := pgx.Identifier{Name(t)}.Sanitize()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, server, "CREATE DATABASE "+name+" ENCODING '"+encoding+
		"' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	t.Cleanup(func() { execute(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	u.Path = "/" + strings.Trim(name, `"`)
	return u.String()
}

func execute(t testing.TB, url, sql string) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, sql); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}

// PgBouncer starts a pooler in front of the server of a URL, and returns the URL through it. It has the
// defaults of PgBouncer and these settings ("pool_mode=transaction"). Every client is the user of the URL.
// With server_lifetime=0 each transaction has a server process of its own.
func PgBouncer(t testing.TB, server string, settings ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		for _, program = range []string{"/usr/sbin/pgbouncer", "/opt/homebrew/bin/pgbouncer"} {
			if _, err = os.Stat(program); err == nil {
				break
			}
		}
	}
	if err != nil {
		Unavailable(t, "install pgbouncer")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	addr := FreeAddr()
	_, port, _ := net.SplitHostPort(addr)
	config := fmt.Sprintf("[databases]\n* = host=%s port=%s user=%s password=%s\n[pgbouncer]\n"+
		"listen_addr = 127.0.0.1\nlisten_port = %s\nauth_type = any\nunix_socket_dir =\n%s\n",
		u.Hostname(), u.Port(), u.User.Username(), password, port, strings.Join(settings, "\n"))
	p, err := newProcess(program)
	if err == nil {
		p.args = []string{filepath.Join(p.dir, "pgbouncer.ini")}
		err = errors.Join(os.WriteFile(p.args[0], []byte(config), 0o644), os.Chmod(p.dir, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		p.args = append([]string{"-u", "nobody"}, p.args...)
	}
	u.Host = addr
	s := &Server{Addr: addr, URL: u.String(), host: p, spec: spec{
		name: "PgBouncer",
		answers: func(ctx context.Context, s *Server) error {
			c, err := pgx.Connect(ctx, s.URL)
			if err != nil {
				return err
			}
			return c.Close(ctx)
		},
	}}
	t.Cleanup(func() { _ = p.Remove(context.Background()) })
	s.Start(t)
	return s
}
