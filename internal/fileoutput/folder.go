package fileoutput

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pitchstream/pitchstream/internal/blob"
)

// Folder is the output folder of a run, here or in storage, whose files appear together at its end. Until
// then those of this machine are in a hidden folder inside it, which a later run removes if this one is
// killed. Those in storage are sent while they are written, and are seen by nobody before they are
// published. Only one run at a time may use a folder, if the operating system can lock it. Storage has no
// locks.
type Folder struct {
	ctx       context.Context
	dir, work string // "" in storage
	unlock    func() // nil: closed
	store     blob.Store
	isRemote  bool
	sent      map[string]blob.Writer // with isRemote: finished and not published yet, or unfinished
	scratch   []string               // with isRemote: the names of Scratch
}

const workName = ".process-unfinished"

var errInUse = errors.New("another run is writing there")

// Check refuses an output that is neither a folder nor a URL of storage.
func Check(place string) error {
	if err := blob.Check(place); err != nil {
		return fmt.Errorf("--output=%s: %w", blob.Hide(place), err)
	}
	return nil
}

// OpenFolder creates the folder if necessary and locks it. The place is a path, or a URL as blob.Open takes
// it. The caller must call Close. Sending to storage ends with ctx.
func OpenFolder(ctx context.Context, place string) (*Folder, error) {
	store, err := blob.Open(place)
	if err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	dir, isLocal := blob.LocalPath(place)
	if !isLocal {
		return &Folder{
			ctx: ctx, unlock: func() {}, store: store, isRemote: true, sent: map[string]blob.Writer{},
		}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, fmt.Errorf("output folder: %s: %w", dir, err)
	}
	f := &Folder{ctx: ctx, dir: dir, work: filepath.Join(dir, workName), unlock: unlock, store: store}
	if err := errors.Join(os.RemoveAll(f.work), os.Mkdir(f.work, 0o755)); err != nil {
		unlock()
		return nil, fmt.Errorf("output folder: %w", err)
	}
	return f, nil
}

// File is a file of a Folder that is not published yet.
type File struct {
	out   io.Writer
	local *os.File // nil in storage
	bytes int64
}

func (f *File) Write(p []byte) (int, error) {
	n, err := f.out.Write(p)
	f.bytes += int64(n)
	return n, err
}

// Bytes returns how many were written.
func (f *File) Bytes() int64 { return f.bytes }

// Finish ends the writing. A file of this machine is on disk after it.
func (f *File) Finish() error {
	if f.local == nil {
		return nil
	}
	return errors.Join(f.local.Sync(), f.local.Close())
}

// Scratch begins a file of this machine that is never published. It may be read, too. With an output in
// storage it is among the temporary files, without a name where the system can do that, so that a kill leaves
// none.
func (f *Folder) Scratch(name string) (*os.File, error) {
	if !f.isRemote {
		return os.Create(filepath.Join(f.work, name))
	}
	out, err := os.CreateTemp("", "pitchstream-"+name+"-*")
	if err == nil && os.Remove(out.Name()) != nil {
		f.scratch = append(f.scratch, out.Name())
	}
	return out, err
}

// Create begins a file, by its path below the folder, with slashes.
func (f *Folder) Create(name string) (*File, error) {
	if f.isRemote {
		out, err := f.store.Create(f.ctx, name)
		if err != nil {
			return nil, err
		}
		f.sent[name] = out
		return &File{out: out}, nil
	}
	out, err := os.Create(f.unpublished(name))
	if err != nil {
		return nil, err
	}
	return &File{out: out, local: out}, nil
}

// unpublished returns where a file of this machine is before it is published.
func (f *Folder) unpublished(name string) string {
	return filepath.Join(f.work, strings.ReplaceAll(name, "/", "%"))
}

// WriteFile writes a complete file that is not published yet.
func (f *Folder) WriteFile(name string, write func(io.Writer) error) error {
	file, err := f.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Finish())
}

// Exists returns the names of the published files that begin with prefix.
func (f *Folder) Exists(prefix string) (map[string]bool, error) {
	found, err := f.store.List(f.ctx, prefix)
	names := map[string]bool{}
	for _, o := range found {
		names[o.Name] = true
	}
	return names, err
}

// Remove removes a published file, and its folder if that is empty then.
func (f *Folder) Remove(name string) error {
	if err := f.store.Delete(f.ctx, name); err != nil {
		return err
	}
	if !f.isRemote {
		_ = os.Remove(filepath.Dir(f.path(name))) // fails if it holds other files, which stay
	}
	return nil
}

// path returns the path of a file of this machine after it has been published.
func (f *Folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// Publish replaces the files of an earlier run by finished ones. It removes the old file of the last name
// first and adds the new one last. If that file exists, the others are therefore complete and of the same
// run.
func (f *Folder) Publish(names ...string) error {
	last := names[len(names)-1]
	// guard: files: while tables are replaced, the report of the old ones is gone | f.unpublish(last) -> error(nil)
	if err := f.unpublish(last); err != nil {
		return err
	}
	for _, name := range names {
		if name == last && !f.isRemote {
			syncFolder(f.dir)
		}
		if err := f.move(name); err != nil {
			return err
		}
	}
	if !f.isRemote {
		syncFolder(f.dir)
	}
	return nil
}

func (f *Folder) unpublish(name string) error {
	if f.isRemote {
		return f.store.Delete(f.ctx, name)
	}
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// move has one finished file appear.
func (f *Folder) move(name string) error {
	if !f.isRemote {
		return os.Rename(f.unpublished(name), f.path(name))
	}
	out := f.sent[name]
	if out == nil {
		return fmt.Errorf("output folder: %s was not written", name)
	}
	if err := out.Commit(); err != nil {
		return err
	}
	delete(f.sent, name)
	return nil
}

// Place publishes one finished file, atomically, and replaces an existing one.
func (f *Folder) Place(name string) error {
	if f.isRemote {
		return f.move(name)
	}
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := f.move(name); err != nil {
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
	for _, out := range f.sent {
		out.Abort()
	}
	for _, path := range f.scratch {
		_ = os.Remove(path)
	}
	var err error
	if !f.isRemote {
		err = os.RemoveAll(f.work)
	}
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

// lock locks a folder of this machine for this process.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if !blob.LockFile(d, false) {
		_ = d.Close()
		return nil, errInUse
	}
	return func() { _ = d.Close() }, nil
}
