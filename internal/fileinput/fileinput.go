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
	"slices"
	"strings"
	"sync/atomic"

	"github.com/pitchstream/pitchstream/internal/terminal"
)

// DefaultMaxRecordBytes is 1 MiB more than the processor's default limit, so that a record slightly too large
// is still read whole, and rejected by the processor like any other bad record.
const DefaultMaxRecordBytes = 17 << 20

// Options say what to read. Only Paths is required.
type Options struct {
	// Paths are files, folders and globs, here or as URLs of storage; - means standard input.
	Paths []string
	// Game is the game_pk of all records; "" takes it from file names GAME_FRAME.jsonl.
	Game string
	// MaxRecordBytes is the longest record that is returned whole; 0 means DefaultMaxRecordBytes.
	MaxRecordBytes int
	// Exclude are files and folders that are ignored inside folders: a state file, an output folder. "" is
	// none.
	Exclude []string
	// Skip is called before a file is opened; true skips the file without a Problem. May be nil.
	Skip func(*File) bool
	// Ended is called with the number of records after a file was read to its end, even if it ends too early.
	// It is not called after a read error. May be nil.
	Ended func(f *File, records int64)
	// Stdin is read for the path -.
	Stdin io.Reader
}

// Item is one record.
type Item struct {
	File       *File
	Record     int64 // its number in the file, from 1
	ByteOffset int64 // of its first byte in the uncompressed content
	SizeBytes  int64 // of all of it
	// Value is the record, byte for byte, without the white space around it; in JSON Lines only without its
	// line end. It is valid until the next call of Next. A TooLarge record has only its first KeptBytes here.
	Value    []byte
	Envelope *Envelope // nil for a record that stands by itself
	TooLarge bool      // longer than Options.MaxRecordBytes, or IsPart
	IsPart   bool      // the line of an envelope says that key, headers or value are cut
	Torn     bool      // the file ends within this record
	atEnd    bool      // the end of the file ended it, not its own bytes
}

const markPassedOver = "a byte order mark, which is not JSON: " +
	"it was passed over, the records behind it are whole"

// Reader returns the records of all inputs, one after the other. Only BytesRead is safe for concurrent use.
type Reader struct {
	ctx       context.Context
	cancel    context.CancelFunc
	o         Options
	files     []*File
	next      int // index in files of the next one to open
	split     splitter
	archives  []*archive // that are open, the innermost last
	raw       *rawReader // of the file of files that is open
	file      *File      // being read, nil between two
	content   *stream
	record    int64 // of file, from 1
	torn      bool  // file ended within its last record, which was reported
	marked    bool  // a byte order mark inside of file was reported
	enveloped bool  // the envelopes of file were reported
	problems  problems
	readBytes atomic.Int64
}

// Open lists the inputs. It fails if a path does not exist. A file that cannot be read later is a Problem,
// and the other files are still read.
func Open(ctx context.Context, o Options) (*Reader, error) {
	if o.MaxRecordBytes <= 0 {
		o.MaxRecordBytes = DefaultMaxRecordBytes
	}
	l := lister{ctx: ctx, o: o, seen: map[string]bool{}}
	if err := l.paths(o.Paths); err != nil {
		return nil, err
	}
	r := &Reader{o: o, files: l.files, problems: l.problems}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r, nil
}

// Next returns the next record. It returns io.EOF at the end and the cause of the context after it ended, and
// no other error.
func (r *Reader) Next() (Item, error) {
	for r.file != nil || r.openNext() {
		item, ok := r.split.next()
		if r.ctx.Err() != nil {
			break
		}
		if ok && (!item.atEnd || r.content.raw.failure() == nil) {
			r.record++
			if r.split.marked && !r.marked {
				r.marked = true
				r.report(ByteOrderMark, item.ByteOffset,
					fmt.Sprintf("record %d begins with %s", r.record, markPassedOver))
			}
			if r.torn = item.Torn; r.torn {
				r.report(CutShort, item.ByteOffset, fmt.Sprintf("record %d is cut short at byte %d, "+
					"%d bytes of it are here", r.record, item.ByteOffset+item.SizeBytes, item.SizeBytes))
			}
			item.File, item.Record = r.file, r.record
			r.openEnvelope(&item)
			return item, nil
		}
		r.finish(item.SizeBytes)
	}
	if r.ctx.Err() != nil {
		return Item{}, context.Cause(r.ctx)
	}
	return Item{}, io.EOF
}

// Close ends the reading. It may be called at any time, and twice.
func (r *Reader) Close() {
	r.cancel()
	r.closeFile()
	for len(r.archives) > 0 {
		r.leave(io.EOF)
	}
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

// NothingRead returns the error of a run that found no record: its paths, and what is known of their files.
// An empty input is more often a download that failed than a day without games.
func (r *Reader) NothingRead() error {
	paths := strings.Join(r.o.Paths[:min(len(r.o.Paths), maxNamed)], ", ")
	if len(r.o.Paths) > maxNamed {
		paths += ", …"
	}
	var why []string
	for _, p := range r.problems.list[:min(len(r.problems.list), maxNamed)] {
		why = append(why, p.String())
	}
	if len(why) == 0 {
		why = append(why, terminal.Counted(int64(len(r.files)), "file"))
	}
	return fmt.Errorf("no record was found in %s (%s); if that is right, give --allow-empty", paths,
		strings.Join(why, "; "))
}

// maxNamed bounds the paths and problems of one error.
const maxNamed = 3

// StartProgress shows on w how far the reading is, and the notes of ids, which may be nil. The caller counts
// with SetBytes and AddRecords, and must call Stop.
func (r *Reader) StartProgress(w io.Writer, title string, ids *IDs) *terminal.Progress {
	var total int64
	for _, f := range r.files {
		total += f.SizeBytes
	}
	if slices.ContainsFunc(r.files, func(f *File) bool { return f.SizeBytes < 0 }) {
		total = 0 // unknown, because of a pipe
	}
	p := terminal.StartProgress(w, terminal.ProgressOptions{Title: title, TotalBytes: total})
	if ids != nil {
		for _, note := range ids.Notes {
			p.Note("%s: %s: %s", title, ids.path, note)
		}
		for _, name := range ids.atBatColumns {
			p.Note("%s: %s: the column %q is for identify --file, and not used here", title, ids.path, name)
		}
	}
	return p
}

// WhyTooLarge says in words why a record is TooLarge, with the limit.
func (item *Item) WhyTooLarge(limit int) string {
	if item.IsPart && item.SizeBytes <= int64(limit) {
		return "its line has only a part of the record: the key, the headers or the value are cut"
	}
	return fmt.Sprintf("the value has %d bytes, more than the limit of %d", item.SizeBytes, limit)
}

// openEnvelope takes the record out of a line that is an envelope.
func (r *Reader) openEnvelope(item *Item) {
	if item.TooLarge {
		return
	}
	if item.openEnvelope(r.o.MaxRecordBytes) {
		if !r.enveloped && item.File.sha256 == "" { // a segment of an archive is nothing else
			r.enveloped = true
			r.report(Enveloped, item.ByteOffset,
				"its lines hold records with key and headers: these were taken, not the lines")
		}
		return
	}
	// guard: files: a record among envelopes is bounded | len(item.Value) > r.o.MaxRecordBytes -> false
	if len(item.Value) > r.o.MaxRecordBytes {
		item.TooLarge, item.Value = true, item.Value[:min(len(item.Value), KeptBytes)]
	}
}

// openNext opens the next input that can be opened. It returns false after the last one.
func (r *Reader) openNext() bool {
	for r.ctx.Err() == nil {
		if len(r.archives) > 0 {
			if r.openMember() {
				return true
			}
			continue
		}
		if r.next == len(r.files) {
			return false
		}
		f := r.files[r.next]
		r.next++
		if r.o.Skip != nil && r.o.Skip(f) {
			r.readBytes.Add(max(0, f.SizeBytes))
			continue
		}
		content, err := open(r.ctx, f, r.o.Stdin, &r.readBytes)
		if err != nil {
			r.unreadable(f, err)
			continue
		}
		if r.raw = content.raw; r.begin(f, content) {
			return true
		}
	}
	return false
}

// begin begins to read an opened file, which may be an archive. It returns false if there is nothing to read
// in the file itself.
func (r *Reader) begin(f *File, content *stream) bool {
	switch {
	case content.isTar():
		r.enter(f, content, tarMembers)
		return false
	case content.isZip():
		r.enter(f, content, zipMembers)
		return false
	}
	r.file, r.content, r.record = f, content, 0
	r.torn, r.marked, r.enveloped = false, false, false
	r.split.limit = r.o.MaxRecordBytes
	if head := content.head(sniffBytes); looksLikeEnvelope(head) {
		r.split.limit *= 2 // a value as base64, or with its quotes escaped, is longer
	}
	foreign := content.foreign("JSON in UTF-8, plain or with gzip or zstd")
	r.split.begin(content, content.marks)
	if foreign != nil {
		r.unreadable(f, foreign)
	} else if f.SizeBytes >= 0 && !r.split.maybeRecords(f) {
		r.problems.add(Problem{Source: f.Path, Kind: NotRecords, Failure: !f.found,
			Message: "not read: its content is no JSON (pipe it in to send its lines as they are)"})
	} else if why := r.split.wrapped(); why != "" {
		r.problems.add(Problem{Source: f.Path, Kind: NotRecords, Failure: true, Message: "not read: " + why})
	} else {
		if content.marks > 0 {
			r.report(ByteOrderMark, 0, "begins with "+markPassedOver)
		}
		return true
	}
	r.closeFile()
	return false
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
		r.report(CutShort, end, fmt.Sprintf("the compressed content is cut short at its byte %d", end))
	case !ended:
		r.problems.add(Problem{Source: r.file.Path, Kind: Unreadable, Record: r.record + 1, ByteOffset: end,
			Failure: true,
			Message: fmt.Sprintf("unreadable from byte %d on, after record %d: %s", end, r.record, reason(err))})
	case r.split.inArray:
		r.report(CutShort, end,
			fmt.Sprintf("the array is not closed: cut short at byte %d, between two records", end))
	case r.record == 0:
		r.report(Empty, 0, "holds no record")
	}
	r.closeFile()
}

// report adds a problem of the file being read that is no failure.
func (r *Reader) report(kind Kind, offset int64, message string) {
	r.problems.add(Problem{
		Source: r.file.Path, Kind: kind, Record: r.record, ByteOffset: offset, Message: message,
	})
}

// maybeRecords returns false for a file that certainly holds no records, such as a README beside them. It
// accepts a JSON extension, and content that looks like JSON.
func (s *splitter) maybeRecords(f *File) bool {
	name := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(f.Path), ".gz"), ".zst")
	isJSON := slices.Contains([]string{".json", ".jsonl", ".ndjson"}, filepath.Ext(name))
	return isJSON || s.looksLikeJSON(f.found)
}

// Kind says what is unusual about an input.
type Kind string

// The kinds.
const (
	Unreadable    Kind = "unreadable"      // a file, or the rest of it from ByteOffset on, could not be read
	NotRecords    Kind = "not records"     // a file was not read, because its values are no records
	ByteOrderMark Kind = "byte order mark" // a file begins with one
	Empty         Kind = "empty"           // a file holds no record
	Enveloped     Kind = "envelopes"       // a file holds lines of dlq export, kcat, rpk or the like
	LeftOut       Kind = "left out"        // something in a folder was not read, or a file was named twice
	// CutShort means that a file ends within a record, an array or a compressed stream. Complete records were
	// used; a torn record is an item of its own.
	CutShort Kind = "cut short"
)

// Problem is something unusual about an input, for the report of a run.
type Problem struct {
	Source     string `json:"source"` // path
	Kind       Kind   `json:"kind"`
	Record     int64  `json:"record"`      // its number, from 1; 0 if none
	ByteOffset int64  `json:"byte_offset"` // in the uncompressed content
	Message    string `json:"message"`
	// Failure means that something requested could not be read, so that the whole run has failed.
	Failure bool `json:"failure"`
}

// String formats a problem as one line: path: message.
func (p Problem) String() string { return p.Source + ": " + p.Message }

// maxProblems bounds the memory of a run over millions of unusual files.
const maxProblems = 1000

// problems holds the first maxProblems and counts all.
type problems struct {
	list     []Problem
	more     int64 // those that are not in list
	failures int64
}

func (ps *problems) add(p Problem) {
	if p.Failure {
		ps.failures++
	}
	if len(ps.list) >= maxProblems {
		ps.more++
		return
	}
	ps.list = append(ps.list, p)
}
