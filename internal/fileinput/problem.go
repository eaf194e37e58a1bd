package fileinput

// Kind says what is unusual about an input.
type Kind string

// The kinds.
const (
	Unreadable    Kind = "unreadable"      // a file, or the rest of it from ByteOffset on, could not be read
	NotRecords    Kind = "not records"     // a file was not read, because its content is no JSON
	ByteOrderMark Kind = "byte order mark" // a file begins with one
	Empty         Kind = "empty"           // a file holds no record
	Enveloped     Kind = "envelopes"       // a file holds lines of dlq export, simulate --envelope or kcat
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
