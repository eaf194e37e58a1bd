package fileinput

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Checkpoint remembers how far each file was sent, so that an interrupted run continues there. A file is
// identified by its absolute path or URL, size, modification time and, in storage, tag; a changed file starts
// again. It is safe for concurrent use.
//
// A record is settled once it was acknowledged or permanently refused, in the order of the file. After a
// crash the records settled since the last Save are sent again. No unsettled record ever counts as settled.
type Checkpoint struct {
	path string

	mu      sync.Mutex // guards the fields below
	dirty   bool       // content is not in the file yet
	content checkpointFile
}

// fileState is the progress of one file.
type fileState struct {
	SizeBytes int64     `json:"size_bytes"`
	ModTime   time.Time `json:"mtime"`
	Tag       string    `json:"tag,omitempty"`   // of the content in storage
	Settled   int64     `json:"records_settled"` // the records 1 … Settled are settled
	Records   *int64    `json:"records"`         // in the whole file; nil until its end was read
	Failed    []int64   `json:"failed"`          // refused records, sorted; a later run tries them again
}

type checkpointFile struct {
	Version int `json:"version"`
	// Settings are the options that decide what is sent. A state file belongs to runs with the same settings.
	Settings map[string]string     `json:"settings"`
	Files    map[string]*fileState `json:"files"`
}

const checkpointVersion = 1

// OpenCheckpoint reads a state file, which need not exist. It returns an error if the file belongs to a run
// with other settings or is no state file.
func OpenCheckpoint(path string, settings map[string]string) (*Checkpoint, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) { // written by the first Save, which shows whether the path can be written
		f := checkpointFile{checkpointVersion, settings, map[string]*fileState{}}
		return &Checkpoint{path: path, content: f, dirty: true}, nil
	}
	if err != nil {
		return nil, err
	}
	var f checkpointFile
	if err := json.Unmarshal(text, &f); err != nil || f.Version != checkpointVersion {
		return nil, fmt.Errorf("%s: not a state file of this version (%w): name another file",
			path, cmp.Or(err, fmt.Errorf("version %d", f.Version)))
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		was, isKnown := f.Settings[name]
		if isKnown && was != settings[name] { // an older build noted fewer settings
			return nil, fmt.Errorf("%s: is of a run with %s %q, this one has %q: name another state file",
				path, name, was, settings[name])
		}
	}
	files := map[string]*fileState{}
	maps.Copy(files, f.Files) // which may be null
	return &Checkpoint{path: path, content: checkpointFile{checkpointVersion, settings, files}}, nil
}

// Complete reports whether every record of a file is settled and none was refused.
func (c *Checkpoint) Complete(f *File) bool {
	s, unlock := c.of(f)
	defer unlock()
	return s.Records != nil && s.Settled >= *s.Records && len(s.Failed) == 0
}

// Done reports whether a record is settled and was not refused.
func (c *Checkpoint) Done(f *File, record int64) bool {
	s, unlock := c.of(f)
	defer unlock()
	_, failed := slices.BinarySearch(s.Failed, record)
	return record <= s.Settled && !failed
}

// SettledRecords returns how many records of a file are settled and were not refused.
func (c *Checkpoint) SettledRecords(f *File) int64 {
	s, unlock := c.of(f)
	defer unlock()
	return s.Settled - int64(len(s.Failed))
}

// Settle notes that a record was acknowledged, or permanently refused (failed). It must be called in the
// order of the file.
func (c *Checkpoint) Settle(f *File, record int64, failed bool) {
	s, unlock := c.of(f)
	defer unlock()
	c.dirty = true
	s.Settled = max(s.Settled, record)
	i, listed := slices.BinarySearch(s.Failed, record)
	switch {
	case failed && !listed:
		s.Failed = slices.Insert(s.Failed, i, record)
	case !failed && listed:
		s.Failed = slices.Delete(s.Failed, i, i+1)
	}
}

// Ended notes how many records a file holds. It fits Options.Ended.
func (c *Checkpoint) Ended(f *File, records int64) {
	s, unlock := c.of(f)
	defer unlock()
	c.dirty = true
	s.Records = &records
}

// of locks c.mu and returns the state of a file, a new one if the file is new or has changed.
func (c *Checkpoint) of(f *File) (s *fileState, unlock func()) {
	c.mu.Lock()
	path := f.absolute()
	s = c.content.Files[path]
	// guard: files: a file in storage with another content begins again | s.Tag != f.tag -> false
	if s == nil || s.SizeBytes != f.SizeBytes || !s.ModTime.Equal(f.ModTime) || s.Tag != f.tag {
		s = &fileState{SizeBytes: f.SizeBytes, ModTime: f.ModTime, Tag: f.tag}
		c.content.Files[path] = s
	}
	return s, c.mu.Unlock
}

// Save writes the state file if something has changed. It writes a temporary file and renames it, so that a
// crash leaves either the old or the new state complete.
func (c *Checkpoint) Save() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil
	}
	text, err := json.Marshal(&c.content)
	if err == nil {
		err = replaceFile(c.path, append(text, '\n'))
	}
	c.dirty = err != nil
	return err
}

func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
