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
)

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
