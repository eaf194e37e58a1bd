package fileinput

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/blob"
)

// The bounds of archives. They are variables only so that tests can reach them.
var (
	// maxSpoolBytes bounds the temporary copy of a zip archive that is no plain file, because its directory
	// is at its end.
	maxSpoolBytes int64 = 1 << 30
	// maxDirectoryBytes bounds the directory of a zip archive, which is held in memory, at up to seven times
	// its size.
	maxDirectoryBytes uint64 = 64 << 20
)

// maxArchives bounds how deep archives may be inside archives.
const maxArchives = 3

const unpackIt = "unpack it and give the folder"

// archive is a tar or zip archive that is being read. Its members are read like the files of a folder.
type archive struct {
	file    *File
	next    func() (entry, error) // io.EOF after the last one
	closes  []func() error
	members int // files so far, without hidden ones
	// uncounted are the stored bytes that count as read with the members, because a zip archive is not read
	// in order.
	uncounted int64
}

// entry is one entry of an archive.
type entry struct {
	name      string
	sizeBytes int64
	stored    int64 // bytes of it in the archive that were not counted as read
	modTime   time.Time
	mode      fs.FileMode
	open      func() (io.Reader, error) // valid until the next call of archive.next
}

// enter begins to read the archive that a stream is. It owns the stream.
func (r *Reader) enter(f *File, s *stream, members func(*stream) (func() (entry, error), error)) {
	if len(r.archives) == maxArchives {
		r.unreadable(f, fmt.Errorf("archives are nested more than %d deep, which is not read here: %s",
			maxArchives, unpackIt))
		s.close()
		return
	}
	next, err := members(s)
	if err != nil {
		r.unreadable(f, err)
		s.close()
		return
	}
	r.archives = append(r.archives, &archive{file: f, next: next, closes: s.closes, uncounted: s.uncounted})
}

// leave ends the reading of the innermost archive, because of err.
func (r *Reader) leave(err error) {
	a := r.archives[len(r.archives)-1]
	r.archives = r.archives[:len(r.archives)-1]
	switch {
	case r.ctx.Err() != nil:
	case err != io.EOF:
		r.unreadable(a.file, fmt.Errorf("the archive is unreadable after %d files: %w", a.members, err))
	case a.members == 0:
		r.problems.add(Problem{Source: a.file.Path, Kind: Empty, Message: "the archive holds no file"})
	}
	r.readBytes.Add(a.uncounted)
	for _, c := range a.closes {
		_ = c() // nothing was written, so that an error means no loss
	}
}

// openMember opens the next member of the innermost archive. It returns false for one that is not read, and
// after the last one.
func (r *Reader) openMember() bool {
	a := r.archives[len(r.archives)-1]
	m, err := a.next()
	if err != nil {
		r.leave(err)
		return false
	}
	m.stored = min(m.stored, a.uncounted)
	a.uncounted -= m.stored
	r.readBytes.Add(m.stored)
	name := path.Clean(strings.ReplaceAll(m.name, `\`, "/")) // some programs of Windows write these
	isHidden := func(s string) bool { return strings.HasPrefix(s, ".") && s != ".." || s == "__MACOSX" }
	if m.mode.IsDir() || slices.ContainsFunc(strings.Split(name, "/"), isHidden) {
		return false
	}
	a.members++
	f := &File{
		Path: a.file.Path + "/" + name, SizeBytes: m.sizeBytes, ModTime: m.modTime, found: true,
		GamePK: cmp.Or(r.o.Game, gameFromName(name), a.file.GamePK),
	}
	if a.file.store != nil {
		f.abs, f.tag = blob.Join(a.file.absolute(), name), a.file.tag
	}
	if f.ModTime.Unix() <= 0 { // not set
		f.ModTime = a.file.ModTime
	}
	if !m.mode.IsRegular() {
		r.problems.add(Problem{Source: f.Path, Kind: LeftOut, Message: "neither a file nor a folder"})
		return false
	}
	if r.o.Skip != nil && r.o.Skip(f) {
		return false
	}
	content, err := m.open()
	s := &stream{}
	if err == nil {
		err = s.unpack(r.raw, content)
	}
	if err != nil {
		r.unreadable(f, err)
		return false
	}
	return r.begin(f, s)
}

func tarMembers(s *stream) (next func() (entry, error), err error) {
	t := tar.NewReader(s)
	return func() (entry, error) {
		h, err := t.Next()
		for err == nil && h.Typeflag == tar.TypeXGlobalHeader {
			h, err = t.Next()
		}
		if err != nil {
			return entry{}, err
		}
		mode := h.FileInfo().Mode()
		if h.Typeflag == tar.TypeLink {
			mode = fs.ModeIrregular // its content is that of another member
		}
		open := func() (io.Reader, error) { return t, nil }
		return entry{h.Name, h.Size, 0, h.ModTime, mode, open}, nil
	}, nil
}

func zipMembers(s *stream) (next func() (entry, error), err error) {
	content, size, err := s.seekable()
	if err != nil {
		return nil, err
	}
	// guard: files: the directory of a zip archive is bounded | n > maxDirectoryBytes -> false
	if n := directoryBytes(content, size); n > maxDirectoryBytes {
		return nil, fmt.Errorf("it is a zip archive with a directory of %d bytes, more than the %d "+
			"that are read here: %s", n, maxDirectoryBytes, unpackIt)
	}
	z, err := zip.NewReader(content, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is written by these paths
		return nil, fmt.Errorf("it is a zip archive that cannot be read: %w", err)
	}
	isOffice := func(f *zip.File) bool { return f.Name == "[Content_Types].xml" }
	if slices.ContainsFunc(z.File, isOffice) {
		return nil, errors.New("it is an Excel workbook or another Office document, which is not read here: " +
			"save its table as CSV, or give the JSON that it was made of")
	}
	at := 0
	return func() (entry, error) {
		if at == len(z.File) {
			return entry{}, io.EOF
		}
		f := z.File[at]
		at++
		open := func() (io.Reader, error) {
			if f.Flags&1 != 0 {
				return nil, errors.New("it is encrypted, which is not read here")
			}
			return f.Open() // Close would only say that the checksum was not read
		}
		size, stored := int64(min(f.UncompressedSize64, 1<<62)), int64(min(f.CompressedSize64, 1<<62))
		return entry{f.Name, size, stored, f.Modified, f.Mode(), open}, nil
	}, nil
}

// seekable returns the stream's content for random access: its file if that is what it is, else a temporary
// copy of at most maxSpoolBytes.
func (s *stream) seekable() (io.ReaderAt, int64, error) {
	if s.file != nil && s.layers == 0 && s.marks == 0 {
		if info, err := s.file.Stat(); err == nil && info.Mode().IsRegular() {
			s.uncounted = info.Size() - int64(s.Buffered())
			return readerAt{s.raw, s.file}, info.Size(), nil
		}
	}
	spool, err := os.CreateTemp("", "pitchstream-*.zip")
	if err != nil {
		return nil, 0, err
	}
	s.closes = append(s.closes, spool.Close, func() error { return os.Remove(spool.Name()) })
	size, err := io.Copy(spool, io.LimitReader(s, maxSpoolBytes+1))
	// guard: files: the copy of a zip archive is bounded | err == nil && size > maxSpoolBytes -> false
	if err == nil && size > maxSpoolBytes {
		err = fmt.Errorf("it is a zip archive of more than %d bytes that is no plain file: %s",
			maxSpoolBytes, unpackIt)
	}
	return spool, size, err
}

// readerAt reads a file at any place. It ends as its rawReader does.
type readerAt struct {
	raw  *rawReader
	file io.ReaderAt
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	return r.raw.note(func() (int, error) { return r.file.ReadAt(p, off) })
}

// directoryBytes returns how large the directory of a zip archive is by its end record, 0 if that is not
// found. The end record is among the last 64 KiB, and of a large archive one of 64 bits is before it.
func directoryBytes(content io.ReaderAt, size int64) uint64 {
	tail := make([]byte, min(size, 66<<10))
	if _, err := content.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0 // NewReader reports it
	}
	end := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if end < 0 || len(tail) < end+22 {
		return 0
	}
	large := bytes.LastIndex(tail[:end], []byte("PK\x06\x06"))
	if large >= 0 && len(tail) >= large+48 {
		return binary.LittleEndian.Uint64(tail[large+40:])
	}
	return uint64(binary.LittleEndian.Uint32(tail[end+12:]))
}

// unreadable reports a file that was asked for and could not be read.
func (r *Reader) unreadable(f *File, err error) {
	if context.Cause(r.ctx) == nil {
		r.problems.add(Problem{Source: f.Path, Kind: Unreadable, Message: reason(err), Failure: true})
	}
}
