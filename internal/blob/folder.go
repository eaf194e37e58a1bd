package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// folder is a Store in a folder of this machine. A file is written under a hidden name and renamed. The
// conditions of Put hold among all processes of a system with locks, because a lock is held from the check to
// the rename.
type folder struct {
	root string
	mu   sync.Mutex // held from the check of a condition to the rename
}

const (
	hiddenStart = ".unfinished-"
	lockName    = hiddenStart + "lock" // below the root; it stays, because another process may wait for it
)

func (f *folder) URL() string { return f.root }

func (f *folder) path(name string) string { return filepath.Join(f.root, filepath.FromSlash(name)) }

func (f *folder) List(_ context.Context, prefix string) (found []Object, err error) {
	err = filepath.WalkDir(f.root, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(f.root, path)
		name = filepath.ToSlash(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || relErr != nil:
			return errors.Join(err, relErr)
		case d.IsDir() && name != "." && !isOnTheWay(name+"/", prefix):
			return fs.SkipDir
		case !d.Type().IsRegular(), !strings.HasPrefix(name, prefix), strings.HasPrefix(d.Name(), hiddenStart):
			return nil
		}
		info, err := d.Info()
		if err == nil {
			found = append(found, Object{Name: name, Bytes: info.Size(), Modified: info.ModTime()})
		}
		return nil // it was removed in between
	})
	if err != nil {
		err = fmt.Errorf("storage %s: %w", f.root, err)
	}
	return found, err
}

// isOnTheWay reports whether files below a folder may have names that begin with prefix.
func isOnTheWay(folder, prefix string) bool {
	return strings.HasPrefix(folder, prefix) || strings.HasPrefix(prefix, folder)
}

func (f *folder) Read(ctx context.Context, name string, limit int64) ([]byte, Object, error) {
	in, at, err := f.Open(ctx, name)
	if err != nil {
		return nil, at, err
	}
	defer in.Close()
	if at.Bytes > limit {
		return nil, at, fmt.Errorf("storage %s: %d bytes: %w", f.path(name), at.Bytes, ErrTooLarge)
	}
	content, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, at, fmt.Errorf("storage %s: %w", f.path(name), err)
	}
	at.Bytes, at.Tag = int64(len(content)), tagOf(content)
	return content, at, nil
}

func tagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func (f *folder) Open(_ context.Context, name string) (io.ReadCloser, Object, error) {
	in, err := os.Open(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Object{}, fmt.Errorf("storage %s: %w", f.path(name), ErrNotFound)
	}
	if err != nil {
		return nil, Object{}, fmt.Errorf("storage: %w", err)
	}
	info, err := in.Stat()
	if err != nil {
		_ = in.Close()
		return nil, Object{}, fmt.Errorf("storage: %w", err)
	}
	return in, Object{Name: name, Bytes: info.Size(), Modified: info.ModTime()}, nil
}

// OpenTagged opens the file as it is, because it cannot change while it is read: it would be another file.
func (f *folder) OpenTagged(ctx context.Context, name, _ string) (io.ReadCloser, Object, error) {
	return f.Open(ctx, name)
}

func (f *folder) Put(ctx context.Context, name string, content []byte, condition string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if condition != Always {
		if err := os.MkdirAll(f.root, 0o755); err != nil {
			return "", fmt.Errorf("storage: %w", err)
		}
		// guard: blob: the conditions of a folder hold among processes | lock(f.path(lockName)) -> func() {}, error(nil)
		unlock, err := lock(f.path(lockName))
		if err != nil {
			return "", fmt.Errorf("storage: lock: %w", err)
		}
		defer unlock()
		_, at, err := f.Read(ctx, name, 1<<40)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return "", err
		}
		isAbsent := errors.Is(err, ErrNotFound)
		// guard: blob: a content that another process has written is not replaced | always
		if isAbsent != (condition == Absent) || !isAbsent && at.Tag != condition {
			return "", fmt.Errorf("storage %s: %w", f.path(name), ErrChanged)
		}
	}
	err := f.write(name, func(out io.Writer) error {
		_, err := out.Write(content)
		return err
	})
	return tagOf(content), err
}

func (f *folder) PutFile(_ context.Context, name, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	defer in.Close()
	return f.write(name, func(out io.Writer) error {
		_, err := io.Copy(out, in)
		return err
	})
}

// write has a file appear with everything that fill wrote, on disk.
func (f *folder) write(name string, fill func(io.Writer) error) error {
	out, err := f.create(name)
	if err != nil {
		return err
	}
	defer out.Abort()
	if err := fill(out); err != nil {
		return fmt.Errorf("storage %s: %w", out.path, err)
	}
	return out.Commit()
}

func (f *folder) Create(_ context.Context, name string) (Writer, error) { return f.create(name) }

func (f *folder) create(name string) (*hiddenFile, error) {
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	out, err := os.CreateTemp(filepath.Dir(path), hiddenStart+"*")
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	return &hiddenFile{path, out}, nil
}

// hiddenFile is the Writer of a folder.
type hiddenFile struct {
	path string
	out  *os.File // nil after Commit or Abort
}

func (h *hiddenFile) Write(p []byte) (int, error) { return h.out.Write(p) }

func (h *hiddenFile) Commit() error {
	err := errors.Join(h.out.Chmod(0o644), h.out.Sync(), h.out.Close())
	if err == nil {
		err = os.Rename(h.out.Name(), h.path)
	}
	if err != nil {
		h.Abort()
		return fmt.Errorf("storage %s: %w", h.path, err)
	}
	h.out = nil
	if dir, err := os.Open(filepath.Dir(h.path)); err == nil {
		_ = dir.Sync() // not every file system can
		_ = dir.Close()
	}
	return nil
}

func (h *hiddenFile) Abort() {
	if h.out != nil {
		_ = h.out.Close() // twice is only an error
		_ = os.Remove(h.out.Name())
		h.out = nil
	}
}

func (f *folder) Delete(_ context.Context, name string) error {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("storage: %w", err)
	}
	return nil
}

// lock locks a file, which is made if it is not there, and waits while another process has it.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	LockFile(f, true)
	return func() { _ = f.Close() }, nil
}
