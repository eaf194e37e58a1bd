package fileinput

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	rawarchive "github.com/pitchstream/pitchstream/internal/archive"
)

// segments are the files of one partition of an archive, where a folder is that: a manifest beside files that
// are named as segments. Those that the manifest does not list are not read, because a merge that was killed
// leaves records in two files.
type segments struct {
	listed map[string]rawarchive.Segment // nil: the folder is no partition of an archive
	seen   map[string]bool
	err    error // of the manifest
}

// segmentsAmong looks for a partition of an archive among the names of a folder.
func segmentsAmong(names []string, read func() ([]byte, error)) *segments {
	of := &segments{}
	hasSegment := slices.ContainsFunc(names, rawarchive.IsSegmentName)
	if !hasSegment || !slices.Contains(names, rawarchive.ManifestName) {
		return of
	}
	text, err := read()
	if err == nil {
		of.listed, err = rawarchive.ParseManifest(text)
	}
	if of.err = err; err != nil {
		of.listed = map[string]rawarchive.Segment{}
	}
	of.seen = map[string]bool{}
	return of
}

// maxListings bounds how often a folder is listed because its manifest names files that the list lacks.
const maxListings = 3

// lacks reports whether the manifest lists a segment that is not among the names. An archiver beside the
// reader may have added it after the folder was listed, or a merge may have replaced others by it.
func (of *segments) lacks(names []string) bool {
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	for name := range of.listed {
		if !there[name] {
			return true
		}
	}
	return false
}

// admit reports whether a file is to be read. It reports the others as problems, but for the manifest.
func (of *segments) admit(l *lister, path, name string) bool {
	switch {
	case of.listed == nil:
		return true
	case name == rawarchive.ManifestName:
		if of.err != nil {
			l.report(Unreadable, path, reason(of.err))
		}
		return false
	case !rawarchive.IsSegmentName(name), of.err != nil:
		return of.err == nil
	}
	_, isListed := of.listed[name]
	// guard: files: a segment that its manifest does not list is not read | !isListed -> false
	if !isListed {
		l.report(LeftOut, path, "the manifest beside it does not list it")
		return false
	}
	return true
}

// check has the file that was listed last compared with the manifest when it is opened.
func (of *segments) check(files []*File, name string) {
	s, isListed := of.listed[name]
	if isListed && len(files) > 0 {
		of.seen[name] = true
		files[len(files)-1].sha256 = s.SHA256
	}
}

// reportMissing reports the segments that the manifest lists and that are not there.
func (of *segments) reportMissing(l *lister, path func(name string) string) {
	for _, name := range slices.Sorted(maps.Keys(of.listed)) {
		// guard: files: a segment that is gone is a failure | !of.seen[name] -> false
		if !of.seen[name] {
			l.report(Unreadable, path(name), "the manifest beside it lists it, and it is not there")
		}
	}
}

// readManifest reads a manifest of this machine.
func readManifest(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, rawarchive.MaxManifestBytes+1))
	if err == nil && len(text) > rawarchive.MaxManifestBytes {
		err = fmt.Errorf("it has more than %d bytes", rawarchive.MaxManifestBytes)
	}
	return text, err
}

// checkedCopy returns a temporary copy of a segment, after its hash was compared with that of its manifest.
// A segment is at most 256 MiB, because the manifest lists no larger one.
func checkedCopy(r io.Reader, f *File) (io.ReadCloser, error) {
	spool, err := os.CreateTemp("", "pitchstream-*.zst")
	if err != nil {
		return nil, err
	}
	c := &copied{spool}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(spool, sum), io.LimitReader(r, f.SizeBytes+1))
	// guard: files: a segment that differs from its manifest is not read | hex.EncodeToString(sum.Sum(nil)) != f.sha256 -> false
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != f.sha256 {
		err = fmt.Errorf("it is not the segment that the manifest beside it lists (%d bytes, another hash): "+
			"see archive verify", n)
	}
	if err == nil {
		_, err = spool.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// copied is a temporary file.
type copied struct{ file *os.File }

func (c *copied) Read(p []byte) (int, error) { return c.file.Read(p) }

func (c *copied) Close() error { return errors.Join(c.file.Close(), os.Remove(c.file.Name())) }
