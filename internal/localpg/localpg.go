// Package localpg runs a private, temporary Postgres on this machine. It uses the programs that are
// installed, or a pinned archive from Maven Central where none are.
//
//	s, err := localpg.Start(ctx, localpg.Options{Settings: localpg.Throwaway(), Download: true})
//	…
//	defer s.Stop()
//	conn, err := pgx.Connect(ctx, s.URL)
//
// The server listens on a free port of 127.0.0.1 only and has a random password. Postgres refuses to run as
// root; under root the server runs as the user postgres or nobody. It ends with Stop. When this process dies
// without Stop, even by kill -9, a shell ends the server and removes its folder (see package child).
package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// Options describe a server. The zero value is a durable server that runs installed programs.
type Options struct {
	// Dir is the folder in which the server's private folder is made; "" means the system's folder for temporary
	// files. The user that the server runs as needs permission to enter it.
	Dir string
	// Port is where the server listens; 0 means a free port.
	Port uint16
	// Settings are added to the defaults of postgresql.conf. Throwaway makes a server faster whose data may be
	// lost.
	Settings map[string]string
	// Log receives the output of the server; nil discards it. The error of a failed start has the last lines.
	Log io.Writer
	// Download allows to fetch Postgres once, 15 to 60 MB, where none is installed. Otherwise the start fails
	// with ErrNotInstalled. Progress shows how far the download is; nil shows nothing.
	Download bool
	Progress io.Writer
}

// Throwaway returns settings that are faster and lose data at a power failure. DANGER: never use them for
// data that must be kept.
func Throwaway() map[string]string {
	return map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
}

// Server is a Postgres that Start has started. One goroutine at a time may call its methods.
type Server struct {
	URL     string // of the database postgres, with the password
	Addr    string // 127.0.0.1:port
	Version string // "17.11"

	programs Installation
	options  Options
	user     *child.User // nil: the user of this process
	dir      string      // holds the folder data; removed by Stop

	cmd   *exec.Cmd       // nil while the server does not run
	alive context.Context // ends with cmd
	line  *child.Line     // ends cmd and removes dir when this process dies
	log   child.Tail
}

// Start makes a new, empty server and returns when it accepts connections. Canceling ctx aborts the start; it
// does not stop a server that has started.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	programs, err := Find(ctx)
	if errors.Is(err, ErrNotInstalled) && o.Download {
		programs, err = Download(ctx, o.Progress)
	}
	if err != nil {
		return nil, err
	}
	user, err := child.Unprivileged()
	if err != nil {
		return nil, err
	}
	s := &Server{Version: programs.Version, programs: programs, options: o, user: user}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.dir, err = os.MkdirTemp(o.Dir, "pitchstream-postgres-"); err != nil {
		return nil, fmt.Errorf("make a folder for Postgres: %w", err)
	}
	password := rand.Text()
	if err := s.initdb(ctx, password); err != nil {
		return nil, err
	}
	return s, s.listen(ctx, password)
}

// Stop ends the server and removes its folder. It may be called twice.
func (s *Server) Stop() error {
	err := s.Halt()
	if s.dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// initdb makes an empty cluster. Its locale is C, so that sorting does not depend on the languages of the
// machine.
func (s *Server) initdb(ctx context.Context, password string) error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return err
	}
	defer os.Remove(secret)
	if s.user != nil {
		uid, gid := int(s.user.UID), int(s.user.GID)
		if err := errors.Join(os.Chown(s.dir, uid, gid), os.Chown(secret, uid, gid)); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, s.programs.path("initdb"), "-D", s.data(), "-U", "postgres",
		"--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C", "--no-sync")
	cmd.Dir, cmd.SysProcAttr = s.dir, child.Attr(s.user)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd.Path, err, out)
	}
	return nil
}

// listen starts the server on the port of the options, or on a free one. It tries a free one three times,
// because another process may take the port before the server listens.
func (s *Server) listen(ctx context.Context, password string) error {
	for try := 1; ; try++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.options.Port))
		if err != nil {
			return err
		}
		s.Addr = l.Addr().String()
		l.Close()
		s.URL = fmt.Sprintf("postgres://postgres:%s@%s/postgres?sslmode=disable", password, s.Addr)
		if err = s.Resume(ctx); err == nil || try == 3 || !errors.Is(err, errPortTaken) {
			return err
		}
	}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// arguments returns the server's arguments. Ours come first, so that Options.Settings override them.
func (s *Server) arguments() []string {
	_, port, _ := net.SplitHostPort(s.Addr)
	args := []string{"-D", s.data(), "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	for _, name := range slices.Sorted(maps.Keys(s.options.Settings)) {
		args = append(args, "-c", name+"="+s.options.Settings[name])
	}
	return args
}
