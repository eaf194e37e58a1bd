package fileoutput

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is the output folder of a run, whose files appear together at its end. Until then they are in a
// hidden folder inside it, which a later run removes if this one is killed. Only one run at a time may use a
// folder, if the operating system can lock it.
type Folder struct {
	dir, work string
	unlock    func()
}

const workName = ".process-unfinished"

var errInUse = errors.New("another run is writing there")

// OpenFolder creates the folder if necessary and locks it. The caller must call Close.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, fmt.Errorf("output folder: %s: %w", dir, err)
	}
	f := &Folder{dir: dir, work: filepath.Join(dir, workName), unlock: unlock}
	if err := errors.Join(os.RemoveAll(f.work), os.Mkdir(f.work, 0o755)); err != nil {
		unlock()
		return nil, fmt.Errorf("output folder: %w", err)
	}
	return f, nil
}

// Create begins a file that is not published yet. It may be read, too.
func (f *Folder) Create(name string) (*os.File, error) { return os.Create(filepath.Join(f.work, name)) }

// WriteFile writes a complete file that is not published yet.
func (f *Folder) WriteFile(name string, write func(io.Writer) error) error {
	file, err := f.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), Finish(file))
}

// Finish syncs a file to disk and closes it.
func Finish(file *os.File) error { return errors.Join(file.Sync(), file.Close()) }

// Path returns the path of a file after it has been published.
func (f *Folder) Path(name string) string { return filepath.Join(f.dir, name) }

// Publish replaces the files of an earlier run by finished ones. It removes the old file of the last name
// first and adds the new one last. If that file exists, the others are therefore complete and of the same
// run.
func (f *Folder) Publish(names ...string) error {
	last := names[len(names)-1]
	if err := os.Remove(f.Path(last)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range names {
		if name == last {
			syncFolder(f.dir)
		}
		if err := os.Rename(filepath.Join(f.work, name), f.Path(name)); err != nil {
			return err
		}
	}
	syncFolder(f.dir)
	return nil
}

// Place publishes one finished file at a path below the folder, atomically, and replaces an existing one.
func (f *Folder) Place(name, where string) error {
	path := f.Path(where)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(f.work, name), path); err != nil {
		return err
	}
	syncFolder(filepath.Dir(path))
	syncFolder(f.dir)
	return nil
}

// Close removes the files that were not published and unlocks the folder. It may be called twice.
func (f *Folder) Close() error {
	if f.unlock == nil {
		return nil
	}
	err := os.RemoveAll(f.work)
	f.unlock()
	f.unlock = nil
	return err
}

// syncFolder syncs the names of a folder to disk. It ignores errors, because not every file system can do
// that.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
