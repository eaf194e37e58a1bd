// Package fileinput reads the files that people have: JSON Lines, JSON arrays, one record a file, folders of them, pipes,
// plain or with gzip or zstd, told by their content. It gives every record once, in order, as it is, whole or broken:
// judging records is the core's business, losing none is this package's.
//
//	r, err := inputs.Open(ctx, inputs.Options{Paths: paths})
//	defer r.Close()
//	for {
//		item, err := r.Next()
//		if err == io.EOF { break }
//		…
//	}
//	r.Problems() // what was torn, unreadable or left out
//
// A file is never read whole. What is held is one record at a time, at most Options.MaxRecordBytes and half a MiB.
package fileinput

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// DefaultMaxRecordBytes is 16 MiB, what the processor takes unless set otherwise, and one more: a record somewhat too
// large for the processor is still read, and rejected where all rejections are.
const DefaultMaxRecordBytes = 17 << 20

// Options say what to read. Only Paths is needed.
type Options struct {
	// Paths are files, folders, globs, and - for standard input.
	Paths []string
	// Game is the game_pk of all records; "" takes it from names GAME_FRAME.jsonl.
	Game string
	// MaxRecordBytes is the longest record that is given whole; 0 means DefaultMaxRecordBytes.
	MaxRecordBytes int
	// Exclude are files and folders not to be taken where a folder holds them: a state file, an output folder.
	Exclude []string
	// Skip is asked before a file is opened; true leaves it out without a word. May be nil.
	Skip func(*File) bool
	// Ended is told when a file was read to its end (a torn one too, an unreadable one not), and how many records it
	// held. May be nil.
	Ended func(f *File, records int64)
	// Stdin is what - reads.
	Stdin io.Reader
}

// Item is one record.
type Item struct {
	File       *File
	Source     string // its path; - for standard input
	Record     int64  // its number in the file, from 1
	ByteOffset int64  // of its first byte in the uncompressed content
	SizeBytes  int64  // of all of it
	// Value is the record, byte for byte, without the white space around it (a line of JSON Lines: without its line end
	// only). It is good until the next call of Next; copy what is to be kept. Of a TooLarge record it is the first
	// KeptBytes.
	Value  []byte
	GamePK string // "" where it is not known
	// TooLarge: the record is longer than Options.MaxRecordBytes. Only its beginning is here; ByteOffset and SizeBytes
	// tell where the rest is.
	TooLarge bool
	// Torn: the file ends within this record.
	Torn bool
}

// Reader gives the records of all inputs, one after the other. It is not safe for concurrent use, save BytesRead.
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
	torn      bool  // file ended within its last record, and that is told
	problems  problems
	readBytes atomic.Int64
}

// Open lists the inputs. It fails where a path does not exist; a file that cannot be read later is a Problem, and the
// others go on.
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

// Next is the next record. At the end it returns io.EOF; when the context ends, its cause; nothing else.
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
		if ok && !(p.atEnd && r.content.raw.failure() != nil) {
			return r.item(p), nil
		}
		r.finish(p.size)
	}
}

// Close ends the reading. It is safe to call at any time, and twice.
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

// Files are the inputs in the order in which they are read.
func (r *Reader) Files() []*File { return r.files }

// BytesRead is how many stored bytes (compressed ones where they are) have been read or skipped. Safe for concurrent use.
func (r *Reader) BytesRead() int64 { return r.readBytes.Load() }

// BytesTotal is what BytesRead comes to; known is false with a pipe among the inputs.
func (r *Reader) BytesTotal() (total int64, known bool) {
	for _, f := range r.files {
		if f.SizeBytes < 0 {
			return 0, false
		}
		total += f.SizeBytes
	}
	return total, true
}

// Problems are the odd things met so far, the first thousand; more counts the others. failures counts, of all, those that
// are failures.
func (r *Reader) Problems() (list []Problem, more, failures int64) {
	return r.problems.list, r.problems.more, r.problems.failures
}

func (r *Reader) item(p piece) Item {
	r.record++
	if r.torn = p.torn; p.torn {
		r.cutShort(p.offset, "record %d is cut short at byte %d, %d bytes of it are here", r.record, p.offset+p.size, p.size)
	}
	return Item{
		File: r.file, Source: r.file.Path, Record: r.record, ByteOffset: p.offset, SizeBytes: p.size,
		Value: p.value, GamePK: r.file.GamePK, TooLarge: p.tooLarge, Torn: p.torn,
	}
}

// openNext opens the next input that can be opened, and is false after the last.
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
	if mark := r.split.begin(content); mark {
		r.oddMark()
	}
	if f.SizeBytes >= 0 && !r.split.maybeRecords(f) {
		r.problems.add(Problem{Source: f.Path, Kind: NotRecords, Message: "not read: its content is no JSON (pipe it in to send its lines as they are)", Failure: !f.found})
		r.closeFile()
		return false
	}
	return true
}

func (r *Reader) oddMark() {
	message := "begins with a byte order mark, which is not JSON: its first record is malformed"
	if r.split.layout == arrays {
		message = "begins with a byte order mark, which is not JSON: it was passed over, the records behind it are whole"
	}
	r.problems.add(Problem{Source: r.file.Path, Kind: ByteOrderMark, Message: message})
}

// finish closes a file that was read to its end, and says what was odd about that end. fragment is the size of what
// came of a record before the file could not be read any further: it is no item, since the file may well hold all of it.
func (r *Reader) finish(fragment int64) {
	end, err := r.split.base-fragment, r.split.err
	if fileErr := r.content.raw.failure(); fileErr != nil {
		err = fileErr
	}
	if r.o.Ended != nil && (err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)) {
		r.o.Ended(r.file, r.record)
	}
	switch {
	case r.torn && (err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)):
		// told with the record
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.cutShort(end, "the compressed content is cut short at its byte %d", end)
	case err != io.EOF:
		r.problems.add(Problem{Source: r.file.Path, Kind: Unreadable, Record: r.record + 1, ByteOffset: end, Failure: true,
			Message: fmt.Sprintf("unreadable from byte %d on, after record %d: %s", end, r.record, reason(err))})
	case r.split.inArray:
		r.cutShort(end, "the array is not closed: cut short at byte %d, between two records", end)
	case r.record == 0:
		r.problems.add(Problem{Source: r.file.Path, Kind: Empty, Message: "holds no record"})
	}
	r.closeFile()
}

func (r *Reader) cutShort(offset int64, format string, args ...any) {
	r.problems.add(Problem{Source: r.file.Path, Kind: CutShort, Record: r.record, ByteOffset: offset, Message: fmt.Sprintf(format, args...)})
}

// maybeRecords is false for a file that is surely none of ours: a README or a table beside the records. A name that says
// JSON is believed; so is a first byte that begins an object or an array of them, and, where somebody named the file,
// any line in its first 64 KiB that begins so.
func (s *splitter) maybeRecords(f *File) bool {
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(f.Path, ".gz"), ".zst"))
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".ndjson":
		return true
	}
	return s.looksLikeJSON(f.found)
}
