package fileinput

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Stdin is the PATH that means standard input.
const Stdin = "-"

// File is one input: a file, a pipe or standard input.
type File struct {
	Path      string
	SizeBytes int64     // as stored (compressed); −1 if unknown
	ModTime   time.Time // zero if there is none
	GamePK    string    // "" if neither Options.Game nor the name gives it

	found bool   // in a folder; otherwise the user named it
	abs   string // absolute path; "" until it is needed
}

func (f *File) absolute() string {
	if f.abs == "" {
		f.abs = absolute(f.Path)
	}
	return f.abs
}

// resolve lists the files that paths mean, in the order in which they are read. Paths keep their order; the
// files of a glob or folder are ordered by name, numbers as numbers (frame 1020 before 10136). Folders are
// read with everything below them except hidden names such as .git. Paths that do not exist and globs without
// a match are errors, all reported in one, so that nothing starts on a mistyped name.
func resolve(o Options) (files []*File, left []Problem, err error) {
	l := lister{o: o, seen: map[string]bool{}}
	var errs []error
	for _, path := range o.Paths {
		errs = append(errs, l.path(path))
	}
	return l.files, l.left, errors.Join(errs...)
}

type lister struct {
	o     Options
	files []*File
	left  []Problem
	seen  map[string]bool // absolute paths
}

func (l *lister) path(path string) error {
	if path == Stdin {
		l.add(&File{Path: Stdin, SizeBytes: -1})
		return nil
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
	var errs []error
	for _, path := range paths {
		errs = append(errs, l.path(path))
	}
	return errors.Join(errs...)
}

func (l *lister) entry(path string, info fs.FileInfo, found bool) error {
	if info.IsDir() {
		return l.folder(path, found)
	}
	f := &File{Path: path, SizeBytes: -1, found: found}
	if info.Mode().IsRegular() {
		f.SizeBytes, f.ModTime = info.Size(), info.ModTime()
	} else if found {
		l.leaveOut(path, "neither a file nor a folder")
		return nil
	}
	l.add(f)
	return nil
}

// folder lists the files of a folder. If it cannot be read, that is an error for a named folder, and a
// failure for one that was found, so that the others are still read.
func (l *lister) folder(path string, found bool) error {
	entries, err := os.ReadDir(path)
	if err != nil && !found {
		return err
	}
	if err != nil {
		l.left = append(l.left, Problem{Source: path, Kind: Unreadable, Message: reason(err), Failure: true})
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return compareNumbered(a.Name(), b.Name()) })
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			l.inFolder(filepath.Join(path, e.Name()), e)
		}
	}
	return nil
}

func (l *lister) inFolder(path string, e fs.DirEntry) {
	if l.excluded(path) {
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		l.left = append(l.left, Problem{Source: path, Kind: Unreadable, Message: reason(err), Failure: true})
		return
	}
	if info.IsDir() && e.Type()&fs.ModeSymlink != 0 {
		l.leaveOut(path, "a link to a folder is not followed") // because it could form a loop
		return
	}
	_ = l.entry(path, info, true) // a found file reports its errors as problems
}

func (l *lister) excluded(path string) bool {
	return slices.ContainsFunc(l.o.Exclude, func(x string) bool { return absolute(x) == absolute(path) })
}

func (l *lister) leaveOut(path, why string) {
	l.left = append(l.left, Problem{Source: path, Kind: LeftOut, Message: why})
}

// add adds a file once, because a file mentioned twice would count its pitches twice.
func (l *lister) add(f *File) {
	key := f.Path
	if key != Stdin {
		key = f.absolute()
	}
	if l.seen[key] {
		l.leaveOut(f.Path, "named twice, read once")
		return
	}
	l.seen[key] = true
	f.GamePK = l.o.Game
	if f.GamePK == "" {
		f.GamePK = gameFromName(f.Path)
	}
	l.files = append(l.files, f)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

// reason returns what was wrong with a path, without the path, which the report prints before it.
func reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Op + ": " + pathErr.Err.Error()
	}
	return err.Error()
}

var gameFrame = regexp.MustCompile(`^(\d{1,64})_\d+\.(?:json|jsonl|ndjson)(?:\.(?:gz|zst))?$`)

// gameFromName is GAME of a path …/GAME_FRAME.jsonl, both of digits only; else "".
func gameFromName(path string) string {
	if m := gameFrame.FindStringSubmatch(filepath.Base(path)); m != nil {
		return m[1]
	}
	return ""
}

// compareNumbered orders names as people number them: digits by their number, everything else by bytes.
func compareNumbered(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		c, na, nb := 0, 1, 1
		if da != "" && db != "" {
			c, na, nb = compareNumbers(da, db), len(da), len(db)
		} else {
			c = int(a[0]) - int(b[0])
		}
		if c != 0 {
			return c
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

func digits(s string) string {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return s[:n]
}

func compareNumbers(a, b string) int {
	x, y := strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	if c := strings.Compare(x, y); c != 0 {
		return c
	}
	return len(a) - len(b) // 7 before 07
}
