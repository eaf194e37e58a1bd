package fileoutput

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is where the files of a run appear, all at its end: until then they grow in a hidden folder inside, which a
// later run clears away if this one is killed. The last file to appear is the one that says that the others are whole.
//
// One run at a time has a folder, where the operating system can tell.
type Folder struct {
	dir, work string
	unlock    func()
}

const workName = ".process-unfinished"

var errInUse = errors.New("another run is writing there")

// OpenFolder makes the folder, where there is none, and takes it. Close must be called.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	f := &Folder{dir: dir, work: filepath.Join(dir, workName), unlock: unlock}
	if err := errors.Join(os.RemoveAll(f.work), os.Mkdir(f.work, 0o755)); err != nil {
		unlock()
		return nil, err
	}
	return f, nil
}

// Create begins a file that is not there yet for others. It can be read, too.
func (f *Folder) Create(name string) (*os.File, error) { return os.Create(filepath.Join(f.work, name)) }

// WriteFile writes a whole file that is not there yet for others.
func (f *Folder) WriteFile(name string, write func(io.Writer) error) error {
	file, err := f.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), Finish(file))
}

// Finish brings a file to the disk and closes it.
func Finish(file *os.File) error { return errors.Join(file.Sync(), file.Close()) }

// Path is where a file stands once it is published.
func (f *Folder) Path(name string) string { return filepath.Join(f.dir, name) }

// Publish puts finished files in place of those of an earlier run: first it takes away the old one of the last name, in
// the end it puts there the new one. So where the last file is, the others are whole and of the same run.
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

// Place puts one finished file where it belongs, a path below the folder, at once and over what stood there.
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

// Close takes away what was not published, and lets the folder go. It may be called twice.
func (f *Folder) Close() error {
	if f.unlock == nil {
		return nil
	}
	err := os.RemoveAll(f.work)
	f.unlock()
	f.unlock = nil
	return err
}

// syncFolder brings the names of a folder to the disk. Not every file system can; the names are there all the same.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
