// Package localpg runs a private, throw-away Postgres on this machine, from the programs that are installed or, where
// there are none, from a pinned archive.
//
// The server listens on a free port of 127.0.0.1 only, with a password made for it. Run by root, it runs as the user
// postgres, else nobody: Postgres refuses root. It ends with Stop, and also when this process dies without a word
// (package child tells how); its folder goes with it.
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
	"strconv"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// Options say how to run a server. The zero value is a durable server from installed programs.
type Options struct {
	// Dir is where the server's private folder is made; empty: the system's folder for temporary files. The user that
	// the server runs as must be able to pass through it.
	Dir string
	// Settings are server settings beyond the defaults, as in postgresql.conf. A server whose data nobody will miss is
	// faster with Throwaway.
	Settings map[string]string
	// Log takes what the server prints; nil: nobody (the last lines are in the error of a start that fails).
	Log io.Writer
	// Download fetches Postgres once, some 15 to 60 MB, where none is installed, and shows the progress on Progress
	// (nil: on nobody's screen). Without Download, such a start fails with ErrNotInstalled.
	Download bool
	Progress io.Writer
}

// Throwaway are settings that trade the data's survival of a power failure for speed. DANGER: never for data that is
// wanted tomorrow.
func Throwaway() map[string]string {
	return map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
}

// Server is a running Postgres. Its methods are for one goroutine at a time.
type Server struct {
	URL     string // of the database postgres, with the password
	Addr    string // 127.0.0.1:port
	Version string // "17.11"

	programs Installation
	options  Options
	user     *child.User // nil: ours
	dir      string      // holds data/; removed by Stop

	cmd  *exec.Cmd     // nil while it does not run
	done chan struct{} // closed when cmd has ended
	line *child.Line
	log  child.Tail
}

// Start makes a new, empty server and returns when it answers. Canceling ctx ends a start, not a started server.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	programs, err := Find(ctx)
	if errors.Is(err, ErrNotInstalled) && o.Download {
		programs, err = Download(ctx, o.Progress)
	}
	if err != nil {
		return nil, err
	}
	user, err := unprivileged()
	if err != nil {
		return nil, err
	}
	s := &Server{Version: programs.Version, programs: programs, options: o, user: user}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if err := s.makeFolder(); err != nil {
		return nil, err
	}
	password := rand.Text()
	if err := s.initdb(ctx, password); err != nil {
		return nil, err
	}
	return s, s.listen(ctx, password)
}

// Stop ends the server and removes its folder. A second Stop does nothing.
func (s *Server) Stop() error {
	err := s.Halt()
	if s.dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// makeFolder makes the private folder and gives it to the user that the server runs as.
func (s *Server) makeFolder() (err error) {
	if s.dir, err = os.MkdirTemp(s.options.Dir, "pitchstream-postgres-"); err != nil {
		return fmt.Errorf("a folder for Postgres: %w", err)
	}
	if s.user == nil {
		return nil
	}
	return os.Chown(s.dir, int(s.user.UID), int(s.user.GID))
}

// initdb makes an empty cluster whose sorting does not depend on the machine's languages.
func (s *Server) initdb(ctx context.Context, password string) error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return err
	}
	defer os.Remove(secret)
	if s.user != nil {
		if err := os.Chown(secret, int(s.user.UID), int(s.user.GID)); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, s.programs.path("initdb"), "-D", s.data(), "-U", "postgres", "--pwfile", secret,
		"-A", "scram-sha-256", "-E", "UTF8", "--locale", "C", "--no-sync")
	cmd.Dir, cmd.SysProcAttr = s.dir, child.Attr(s.user)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd.Path, err, out)
	}
	return nil
}

// listen chooses a port and brings the server up there. Another process may take the port in between: then another one.
func (s *Server) listen(ctx context.Context, password string) error {
	for try := 1; ; try++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		s.URL = fmt.Sprintf("postgres://postgres:%s@%s/postgres?sslmode=disable", password, s.Addr)
		if err = s.Resume(ctx); err == nil || try == 3 || !errors.Is(err, errPortTaken) {
			return err
		}
	}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// arguments are the server's, ours first, so that the settings win.
func (s *Server) arguments() []string {
	_, port, _ := net.SplitHostPort(s.Addr)
	args := []string{"-D", s.data(), "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	for _, name := range slices.Sorted(maps.Keys(s.options.Settings)) {
		args = append(args, "-c", name+"="+s.options.Settings[name])
	}
	return args
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
