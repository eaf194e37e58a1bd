package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// minMajor is the oldest version of Postgres that pitchstream supports. Find skips older installations.
const minMajor = 14

// ErrNotInstalled means that this machine has no usable Postgres programs.
var ErrNotInstalled = fmt.Errorf("no Postgres %d or newer is installed here (initdb and postgres): "+
	"install it (Debian: apt install postgresql, macOS: brew install postgresql) "+
	"or set PG_BIN to the folder of its programs", minMajor)

// Installation is the folder with the programs of one version of Postgres.
type Installation struct {
	BinDir  string
	Version string // "17.11"
	Major   int
}

func (i Installation) path(program string) string { return filepath.Join(i.BinDir, program) }

// places are the folders in which packages install the programs. PATH alone is not enough: Debian and macOS
// keep the programs out of it, or put wrappers there that choose a cluster or a user.
var places = []string{
	"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
	"/usr/pgsql-*/bin",                  // Red Hat, from postgresql.org
	"/usr/libexec/postgresql*",          // Alpine
	"/opt/homebrew/opt/postgresql*/bin", // macOS on ARM
	"/usr/local/opt/postgresql*/bin",    // macOS on Intel
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin", // built from source
}

// Find returns the newest installation of this machine, or ErrNotInstalled. If the environment variable
// PG_BIN is set, Find uses that folder only.
func Find(ctx context.Context) (Installation, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		i, err := inspect(ctx, dir)
		if err != nil {
			return i, fmt.Errorf("PG_BIN=%s: %w", dir, err)
		}
		return i, nil
	}
	return newest(ctx, candidates(places))
}

// candidates returns the folders that may hold the programs, each one once, with symbolic links resolved.
func candidates(patterns []string) []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for i, dir := range dirs {
		if program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
			dirs[i] = filepath.Dir(program)
		}
	}
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern) // the patterns are valid
		dirs = append(dirs, found...)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// newest returns the newest usable installation in dirs.
func newest(ctx context.Context, dirs []string) (best Installation, err error) {
	for _, dir := range dirs {
		if i, err := inspect(ctx, dir); err == nil && i.Major > best.Major {
			best = i
		}
	}
	if ctx.Err() != nil {
		return best, ctx.Err()
	}
	if best.Major == 0 {
		return best, ErrNotInstalled
	}
	return best, nil
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[.\w]*)`)

// inspect returns the installation in a folder, or an error when it is not usable.
func inspect(ctx context.Context, dir string) (Installation, error) {
	i := Installation{BinDir: dir}
	for _, program := range []string{"initdb", "postgres"} {
		if err := realProgram(i.path(program)); err != nil {
			return i, err
		}
	}
	out, err := exec.CommandContext(ctx, i.path("postgres"), "--version").Output()
	if err != nil {
		return i, fmt.Errorf("%s --version: %w", i.path("postgres"), err)
	}
	m := versionPattern.FindSubmatch(out)
	if m == nil {
		return i, fmt.Errorf("%s --version: unexpected output %q", i.path("postgres"), out)
	}
	i.Version = string(m[1])
	i.Major, _ = strconv.Atoi(string(m[2]))
	if i.Major < minMajor {
		return i, fmt.Errorf("%s is version %s, pitchstream needs %d", dir, i.Version, minMajor)
	}
	return i, nil
}

// realProgram returns an error when a file cannot be read or is a script. A wrapper script would choose
// users, clusters and configuration files on its own.
func realProgram(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	start := make([]byte, 2)
	if _, err := f.Read(start); err != nil {
		return err
	}
	if bytes.Equal(start, []byte("#!")) {
		return errors.New(path + " is a script")
	}
	return nil
}
