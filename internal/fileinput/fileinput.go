// Package fileinput reads records from files: JSON Lines, JSON arrays, one record per file, folders of them,
// and pipes, plain or compressed with gzip or zstd. It detects the layout from the content. It returns every
// record once, in order and unchanged, also broken ones, because the core judges records.
//
//	r, err := fileinput.Open(ctx, fileinput.Options{Paths: paths})
//	defer r.Close()
//	for {
//		item, err := r.Next()
//		if err == io.EOF { break }
//		…
//	}
//	r.Problems() // files that are torn, unreadable or left out
//
// Memory holds one record at a time, at most Options.MaxRecordBytes plus half a MiB, however large a file is.
package fileinput

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/pitchstream/pitchstream/internal/terminal"
)

// DefaultMaxRecordBytes is 1 MiB more than the processor's default limit, so that a record slightly too large
// is still read whole, and rejected by the processor like any other bad record.
const DefaultMaxRecordBytes = 17 << 20

// Options say what to read. Only Paths is required.
type Options struct {
	// Paths are files, folders and globs; - means standard input.
	Paths []string
	// Game is the game_pk of all records; "" takes it from file names GAME_FRAME.jsonl.
	Game string
	// MaxRecordBytes is the longest record that is returned whole; 0 means DefaultMaxRecordBytes.
	MaxRecordBytes int
	// Exclude are files and folders that are ignored inside folders: a state file, an output folder.
	Exclude []string
	// Skip is called before a file is opened; true skips the file without a Problem. May be nil.
	Skip func(*File) bool
	// Ended is called with the number of records after a file was read to its end, even if it ends too early. It
	// is not called after a read error. May be nil.
	Ended func(f *File, records int64)
	// Stdin is read for the path -.
	Stdin io.Reader
}

// Item is one record.
type Item struct {
	File       *File
	Source     string // its path; - for standard input
	Record     int64  // its number in the file, from 1
	ByteOffset int64  // of its first byte in the uncompressed content
	SizeBytes  int64  // of all of it
	// Value is the record, byte for byte, without the white space around it; in JSON Lines only without its line
	// end. It is valid until the next call of Next. A TooLarge record has only its first KeptBytes here.
	Value  []byte
	GamePK string // "" if it is not known
	// TooLarge means that the record is longer than Options.MaxRecordBytes. ByteOffset and SizeBytes say where
	// all of it is.
	TooLarge bool
	// Torn means that the file ends within this record.
	Torn bool
}

// Reader returns the records of all inputs, one after the other. Only BytesRead is safe for concurrent use.
type Reader struct {
	ctx       context.Context
	cancel    context.CancelFunc
	o         Options
	files     []*File
	next      int // index in files of the next one to open
	split     splitter
	file      *File // being read, nil between two
	content   *stream
	record    int64 // of file, from 1
	torn      bool  // file ended within its last record, which was reported
	problems  problems
	readBytes atomic.Int64
}

// Open lists the inputs. It fails if a path does not exist. A file that cannot be read later is a Problem,
// and the other files are still read.
func Open(ctx context.Context, o Options) (*Reader, error) {
	if o.MaxRecordBytes <= 0 {
		o.MaxRecordBytes = DefaultMaxRecordBytes
	}
	files, left, err := resolve(o)
	if err != nil {
		return nil, err
	}
	r := &Reader{o: o, files: files}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.split.limit = o.MaxRecordBytes
	for _, p := range left {
		r.problems.add(p)
	}
	return r, nil
}

// Next returns the next record. It returns io.EOF at the end and the cause of the context after it ended, and
// no other error.
func (r *Reader) Next() (Item, error) {
	for {
		if r.ctx.Err() != nil {
			return Item{}, context.Cause(r.ctx)
		}
		if r.file == nil && !r.openNext() {
			if r.ctx.Err() != nil {
				continue
			}
			return Item{}, io.EOF
		}
		p, ok := r.split.next()
		if r.ctx.Err() != nil {
			continue
		}
		if ok && (!p.atEnd || r.content.raw.failure() == nil) {
			return r.item(p), nil
		}
		r.finish(p.size)
	}
}

// Close ends the reading. It may be called at any time, and twice.
func (r *Reader) Close() {
	r.cancel()
	r.closeFile()
}

func (r *Reader) closeFile() {
	if r.content != nil {
		r.content.close()
	}
	r.content, r.file = nil, nil
}

// Files returns the inputs in the order of reading.
func (r *Reader) Files() []*File { return r.files }

// BytesRead returns how many stored (compressed) bytes were read or skipped. It is safe for concurrent use.
func (r *Reader) BytesRead() int64 { return r.readBytes.Load() }

// Problems returns the first thousand problems so far; more counts the others, failures all that are
// failures.
func (r *Reader) Problems() (list []Problem, more, failures int64) {
	return r.problems.list, r.problems.more, r.problems.failures
}

// StartProgress shows on w how far the reading is, and the notes of ids, which may be nil. The caller counts
// with SetBytes and AddRecords, and must call Stop.
func (r *Reader) StartProgress(w io.Writer, title string, ids *IDs) *terminal.Progress {
	var total int64 // 0, which means unknown, if the inputs include a pipe
	for _, f := range r.files {
		if f.SizeBytes < 0 {
			total = 0
			break
		}
		total += f.SizeBytes
	}
	p := terminal.StartProgress(w, terminal.ProgressOptions{Title: title, TotalBytes: total})
	if ids != nil {
		for _, note := range ids.Notes {
			p.Note("%s: %s: %s", title, ids.path, note)
		}
	}
	return p
}

func (r *Reader) item(p piece) Item {
	r.record++
	if r.torn = p.torn; p.torn {
		r.cutShort(p.offset, "record %d is cut short at byte %d, %d bytes of it are here",
			r.record, p.offset+p.size, p.size)
	}
	return Item{
		File: r.file, Source: r.file.Path, Record: r.record, ByteOffset: p.offset, SizeBytes: p.size,
		Value: p.value, GamePK: r.file.GamePK, TooLarge: p.tooLarge, Torn: p.torn,
	}
}

// openNext opens the next input that can be opened. It returns false after the last one.
func (r *Reader) openNext() bool {
	for r.next < len(r.files) && r.ctx.Err() == nil {
		f := r.files[r.next]
		r.next++
		if r.o.Skip != nil && r.o.Skip(f) {
			r.readBytes.Add(max(0, f.SizeBytes))
			continue
		}
		if r.open(f) {
			return true
		}
	}
	return false
}

func (r *Reader) open(f *File) bool {
	content, err := open(r.ctx, f, r.o.Stdin, &r.readBytes)
	if err != nil {
		r.problems.add(Problem{Source: f.Path, Kind: Unreadable, Message: reason(err), Failure: true})
		return false
	}
	r.file, r.content, r.record, r.torn = f, content, 0, false
	if r.split.begin(content) {
		message := "begins with a byte order mark, which is not JSON: its first record is malformed"
		if r.split.layout == arrays {
			message = "begins with a byte order mark, which is not JSON: " +
				"it was passed over, the records behind it are whole"
		}
		r.problems.add(Problem{Source: f.Path, Kind: ByteOrderMark, Message: message})
	}
	if f.SizeBytes >= 0 && !r.split.maybeRecords(f) {
		r.problems.add(Problem{Source: f.Path, Kind: NotRecords, Failure: !f.found,
			Message: "not read: its content is no JSON (pipe it in to send its lines as they are)"})
		r.closeFile()
		return false
	}
	return true
}

// finish closes a file after its end and reports an unusual end. fragment is the size of an incomplete record
// before a read error. It is no item, because the file may hold the whole record.
func (r *Reader) finish(fragment int64) {
	end, err := r.split.base-fragment, r.split.err
	if fileErr := r.content.raw.failure(); fileErr != nil {
		err = fileErr
	}
	isCutShort := errors.Is(err, io.ErrUnexpectedEOF)
	ended := err == io.EOF || isCutShort
	if r.o.Ended != nil && ended {
		r.o.Ended(r.file, r.record)
	}
	switch {
	case r.torn && ended:
		// it was reported with the record
	case isCutShort:
		r.cutShort(end, "the compressed content is cut short at its byte %d", end)
	case !ended:
		r.problems.add(Problem{Source: r.file.Path, Kind: Unreadable, Record: r.record + 1, ByteOffset: end,
			Failure: true,
			Message: fmt.Sprintf("unreadable from byte %d on, after record %d: %s", end, r.record, reason(err))})
	case r.split.inArray:
		r.cutShort(end, "the array is not closed: cut short at byte %d, between two records", end)
	case r.record == 0:
		r.problems.add(Problem{Source: r.file.Path, Kind: Empty, Message: "holds no record"})
	}
	r.closeFile()
}

func (r *Reader) cutShort(offset int64, format string, args ...any) {
	r.problems.add(Problem{Source: r.file.Path, Kind: CutShort, Record: r.record, ByteOffset: offset,
		Message: fmt.Sprintf(format, args...)})
}

// maybeRecords returns false for a file that certainly holds no records, such as a README beside them. It
// accepts a JSON extension, and content that looks like JSON.
func (s *splitter) maybeRecords(f *File) bool {
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(f.Path, ".gz"), ".zst"))
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".ndjson":
		return true
	}
	return s.looksLikeJSON(f.found)
}
