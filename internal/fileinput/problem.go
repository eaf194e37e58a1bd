package fileinput

import "fmt"

// Kind is what is odd about an input.
type Kind string

const (
	// Unreadable: a file, or the rest of it from ByteOffset on, could not be read.
	Unreadable Kind = "unreadable"
	// CutShort: a file ends within a record, an array or a compressed stream. What is whole was used; a torn record is
	// an item of its own.
	CutShort Kind = "cut short"
	// NotRecords: a file whose content is no JSON; nothing of it was used.
	NotRecords Kind = "not records"
	// ByteOrderMark: a file begins with one.
	ByteOrderMark Kind = "byte order mark"
	// Empty: a file holds no record.
	Empty Kind = "empty"
	// LeftOut: something in a folder that is not looked into, or a file that was named twice.
	LeftOut Kind = "left out"
)

// Problem is one odd thing about an input, for the closing report.
type Problem struct {
	Source     string // path
	Kind       Kind
	Record     int64 // the record it happened in, from 1; 0 where it is about none
	ByteOffset int64 // where, in the uncompressed content
	Message    string
	// Failure: something was asked for and could not be had, so the run as a whole has failed.
	Failure bool
}

// String is one line: path: message.
func (p Problem) String() string { return fmt.Sprintf("%s: %s", p.Source, p.Message) }

// maxProblems bounds what a run over millions of odd files keeps.
const maxProblems = 1000

// problems are the first maxProblems, and the counts of all.
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
