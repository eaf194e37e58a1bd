package fileinput

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pitchstream/pitchstream/features"
)

// wrapped says where the records of a stream are if its first value holds them, but is none itself, and how
// to take them out; else "". One clear error is better than a dead letter for a file of records.
func (w *window) wrapped() string {
	start, inner := w.firstValue()
	if start < 0 {
		return ""
	}
	first := w.data()[start:]
	if !bytes.ContainsAny(first[:1], `{["`) {
		return w.textBefore(start)
	}
	path := features.RecordsIn(first)
	form, unknown := formOf(w.data()[inner:])
	if form == features.ForeignEnvelope && !strings.HasSuffix(path, ".payload") {
		return fmt.Sprintf("its lines hold records with key and headers, but the member %.40q is not known here: "+
			"keep those that are, as jq -c '{key, headers, timestamp, value}' does", unknown)
	}
	if path == "" || path == ".[]" && first[0] == '[' { // the elements of an array are read as records
		return ""
	}
	return fmt.Sprintf("its records are in %s of its first value: take them out, as jq -c '%s' does", path, path)
}

// firstValue returns where the first value of the stream begins, and where the first element does if that is
// an array; start is −1 if there is none. The value is in memory, or as much of it as may be. Nothing is read
// behind it, because more of a pipe may come much later.
func (w *window) firstValue() (start, inner int) {
	start = w.index(0, w.limit, nonSpace)
	inner = start
	if start < 0 {
		return start, inner
	}
	if w.data()[start] == '[' {
		if inner = w.index(start+1, firstBufferBytes, nonSpace); inner < 0 {
			return -1, -1
		}
	}
	var end finder = &lineEnd{}
	if c := w.data()[inner]; c == '{' || c == '[' {
		end = &brackets{}
	}
	w.index(inner, w.limit, func(piece []byte) int {
		if i, ok := end.find(piece); ok {
			return max(i-1, 0)
		}
		return -1
	})
	return start, inner
}

// textBefore says of a stream that its lines have text before their JSON, as kafka-console-consumer prints
// them. The first two have, or the only one before a tab: a single one among others may be broken.
func (w *window) textBefore(start int) string {
	for n := 1; ; n++ {
		end := w.index(start, w.limit, newline)
		if end < 0 {
			end = len(w.data())
		}
		line := w.data()[start:end]
		size := features.TextBefore(line)
		if size == 0 {
			return ""
		}
		isTabbed := line[size-1] == '\t'
		start = w.index(end, w.limit, nonSpace)
		if start < 0 && n == 1 && !isTabbed {
			return ""
		}
		if start < 0 || n == 2 {
			return "its lines have text before their JSON, as kafka-console-consumer prints a key or a time: " +
				"print the values alone, or use kcat -J or rpk topic consume, whose lines are read with both"
		}
	}
}
