// Package blob keeps files in a folder of this machine or in S3-compatible storage, by names with slashes:
//
//	store, err := blob.Open("s3://bucket/prefix")
//	tag, err := store.Put(ctx, "a/b.json", content, blob.Always)
//
// A file appears whole or not at all. Two facts are not obvious. A tag names one content of a file, so that
// Put can replace the content that the caller has read and no other. And a read that breaks off is continued
// where it broke, of the same content, because a connection to storage lives shorter than a long read.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Errors of a Store, to be found with errors.Is.
var (
	ErrNotFound = errors.New("there is no such file")
	ErrChanged  = errors.New("another process has changed the file")
	ErrTooLarge = errors.New("the file is larger than it may be")
)

// Object is a file of a Store.
type Object struct {
	Name     string
	Bytes    int64
	Tag      string    // names the content; "" in a list of a folder of this machine
	Modified time.Time // when it was written
}

// Always is the condition of a Put that replaces whatever is there. Absent is that of one that replaces
// nothing. Any other condition is the tag of the content to replace.
const (
	Always = ""
	Absent = "\x00absent"
)

// Store is a folder of files. Several goroutines may use it. Its errors name the file by its URL.
type Store interface {
	// List returns the files whose names begin with prefix, by name.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Read returns a file as a whole, or ErrTooLarge if it has more than limit bytes.
	Read(ctx context.Context, name string, limit int64) ([]byte, Object, error)
	// Open returns a file as a stream. The caller must close it.
	Open(ctx context.Context, name string) (io.ReadCloser, Object, error)
	// OpenTagged is Open of the content that a tag names: ErrChanged if the file has another. "" is any.
	OpenTagged(ctx context.Context, name, tag string) (io.ReadCloser, Object, error)
	// Create begins a file that is written as a stream.
	Create(ctx context.Context, name string) (Writer, error)
	// Put writes a file, or returns ErrChanged if the condition is not met. It returns the tag.
	Put(ctx context.Context, name string, content []byte, condition string) (tag string, err error)
	// PutFile writes a file with the content of one of this machine.
	PutFile(ctx context.Context, name, path string) error
	// Delete removes a file. It is no error if there is none.
	Delete(ctx context.Context, name string) error
	// URL returns the place of the store, without any secret.
	URL() string
}

// Writer is a file that is being written. Nobody sees it before Commit, and then it is whole. One goroutine
// may use it. The caller must call Abort, which after Commit does nothing.
type Writer interface {
	io.Writer
	// Commit has the file appear, and replaces one of that name.
	Commit() error
	// Abort removes what was written.
	Abort()
}

// schemes are the storages that a URL may name.
var schemes = []string{"file://", "s3://", "gs://"}

// IsURL reports whether a text is a URL of storage rather than a path.
func IsURL(text string) bool { return strings.Contains(text, "://") }

// LocalPath returns the folder that a text names; ok is false for remote storage.
func LocalPath(text string) (path string, ok bool) {
	if !IsURL(text) {
		return text, true
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" {
		return "", false
	}
	return filepath.FromSlash(u.Path), true
}

// Check returns an error for a text that Open cannot open whatever the storage holds.
func Check(text string) error {
	if path, ok := LocalPath(text); ok {
		if path == "" {
			return errors.New("want a folder, as /var/lib/archive, file:///var/lib/archive or s3://bucket/prefix")
		}
		return nil
	}
	_, err := parseRemote(text)
	return err
}

// Open returns the store at a path or URL. It does not connect yet.
func Open(text string) (Store, error) {
	if err := Check(text); err != nil {
		return nil, fmt.Errorf("storage %s: %w", Hide(text), err)
	}
	if path, ok := LocalPath(text); ok {
		return &folder{root: path}, nil
	}
	return openRemote(text)
}

// Join returns the path or URL of a file below a folder.
func Join(place, name string) string {
	if path, ok := LocalPath(place); ok {
		return filepath.Join(path, filepath.FromSlash(name))
	}
	before, query, hasQuery := strings.Cut(place, "?")
	if before = strings.TrimRight(before, "/") + "/" + name; hasQuery {
		return before + "?" + query
	}
	return before
}

// Hide returns a URL without user and password.
func Hide(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return text
	}
	u.User = nil
	return u.String()
}
