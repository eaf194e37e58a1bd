package fileinput

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	rawarchive "github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/schemas"
)

// Stdin is the PATH that means standard input.
const Stdin = "-"

// File is one input: a file, a pipe, standard input, or a file in storage.
type File struct {
	Path      string
	SizeBytes int64     // as stored (compressed); −1 if unknown
	ModTime   time.Time // zero if there is none
	GamePK    string    // "" if neither Options.Game nor the name gives it

	found bool   // in a folder; otherwise the user named it
	abs   string // absolute path or whole URL; "" until it is needed

	store  blob.Store // nil: of this machine
	name   string     // in the store
	tag    string     // the content in the store that was listed
	sha256 string     // of the content, by the manifest of an archive; "": not known
}

// Place returns the URL of a file in storage, as it can be given to another command; else its absolute path.
func (f *File) Place() string { return f.absolute() }

func (f *File) absolute() string {
	if f.abs == "" {
		f.abs = absolute(f.Path)
	}
	return f.abs
}

// lister lists files in the order of reading. Paths keep their order; the files of a glob or folder are
// ordered by name, numbers as numbers (frame 1020 before 10136). Folders include everything below them except
// hidden names such as .git.
type lister struct {
	ctx      context.Context
	o        Options
	files    []*File
	problems problems
	seen     map[string]bool // absolute paths
}

// paths returns all paths that do not exist and globs without a match as one error, so that nothing starts on
// a mistyped name.
func (l *lister) paths(paths []string) error {
	var errs []error
	for _, path := range paths {
		errs = append(errs, l.path(path))
	}
	return errors.Join(errs...)
}

func (l *lister) path(path string) error {
	if path == Stdin {
		l.add(&File{Path: Stdin, SizeBytes: -1})
		return nil
	}
	if blob.IsURL(path) {
		local, ok := blob.LocalPath(path)
		if !ok {
			return l.remote(path)
		}
		path = local
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(path, "*?[") {
		return l.glob(path)
	}
	if err != nil {
		return err
	}
	return l.entry(path, info, false)
}

func (l *lister) glob(pattern string) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return fmt.Errorf("%s: %w", pattern, err)
	}
	if len(paths) == 0 {
		return fmt.Errorf("%s: no file matches", pattern)
	}
	slices.SortFunc(paths, compareNumbered)
	return l.paths(paths)
}

func (l *lister) entry(path string, info fs.FileInfo, found bool) error {
	if info.IsDir() {
		return l.folder(path, found)
	}
	f := &File{Path: path, SizeBytes: -1, found: found}
	if info.Mode().IsRegular() {
		f.SizeBytes, f.ModTime = info.Size(), info.ModTime()
	} else if found {
		l.report(LeftOut, path, "neither a file nor a folder")
		return nil
	}
	l.add(f)
	return nil
}

// folder lists the files of a folder. A folder that cannot be read is an error if the user named it.
// Otherwise it is a problem, so that the others are still read.
func (l *lister) folder(path string, found bool) error {
	entries, err := os.ReadDir(path)
	if err != nil && !found {
		return err
	}
	if err != nil {
		l.report(Unreadable, path, reason(err))
	}
	read := func() ([]byte, error) { return readManifest(filepath.Join(path, rawarchive.ManifestName)) }
	names := schemas.Map(entries, fs.DirEntry.Name)
	of := segmentsAmong(names, read)
	// guard: files: a segment that is added while its folder is listed is read | of.lacks(names) && -> false &&
	for n := 1; of.lacks(names) && n < maxListings; n++ {
		if again, err := os.ReadDir(path); err == nil {
			entries = again
		}
		names = schemas.Map(entries, fs.DirEntry.Name)
		of = segmentsAmong(names, read)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return compareNumbered(a.Name(), b.Name()) })
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && of.admit(l, filepath.Join(path, e.Name()), e.Name()) {
			l.inFolder(filepath.Join(path, e.Name()), e)
			of.check(l.files, e.Name())
		}
	}
	of.reportMissing(l, func(name string) string { return filepath.Join(path, name) })
	return nil
}

func (l *lister) inFolder(path string, e fs.DirEntry) {
	isExcluded := func(x string) bool { return x != "" && absolute(x) == absolute(path) }
	if slices.ContainsFunc(l.o.Exclude, isExcluded) {
		return
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		l.report(Unreadable, path, reason(err))
	case info.IsDir() && e.Type()&fs.ModeSymlink != 0:
		l.report(LeftOut, path, "a link to a folder is not followed") // because it could form a loop
	default:
		_ = l.entry(path, info, true) // a found file reports its errors as problems
	}
}

func (l *lister) report(kind Kind, path, message string) {
	l.problems.add(Problem{Source: path, Kind: kind, Message: message, Failure: kind == Unreadable})
}

// add adds a file once, because the pitches of a file that is read twice would count twice.
func (l *lister) add(f *File) {
	key := f.Path
	if key != Stdin {
		key = f.absolute()
	}
	if l.seen[key] {
		l.report(LeftOut, f.Path, "named twice, read once")
		return
	}
	l.seen[key] = true
	f.GamePK = cmp.Or(l.o.Game, gameFromName(f.Path))
	l.files = append(l.files, f)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

// reason returns the text of an error without its path, which the report prints before it.
func reason(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Op + ": " + pathErr.Err.Error()
	}
	return err.Error()
}

// gameFrame ignores case, because cameras and Windows write names in capitals.
var gameFrame = regexp.MustCompile(`(?i)^(\d{1,64})_\d+\.(?:json|jsonl|ndjson)(?:\.(?:gz|zst)){0,4}$`)

// gameFromName returns GAME of a path …/GAME_FRAME.jsonl, both of digits only, or "".
func gameFromName(path string) string {
	if m := gameFrame.FindStringSubmatch(filepath.Base(path)); m != nil {
		return m[1]
	}
	return ""
}

// compareNumbered orders names by bytes, but digits by the number that they form.
func compareNumbered(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da == "" || db == "" {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := strings.TrimLeft(da, "0"), strings.TrimLeft(db, "0")
		// the last one puts 7 before 07
		if c := cmp.Or(len(x)-len(y), strings.Compare(x, y), len(da)-len(db)); c != 0 {
			return c
		}
		a, b = a[len(da):], b[len(db):]
	}
	return len(a) - len(b)
}

// digits returns the digits that s begins with.
func digits(s string) string { return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))] }
