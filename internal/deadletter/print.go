package deadletter

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// NoCode is written for a dead letter without a code.
const NoCode = "(no code)"

// PrintOptions say how a dead letter is written.
type PrintOptions struct {
	Number int // of the dead letter among those that are written, from 1
	Around int // bytes of the record on either side of the fault
	Limits features.Limits
}

// Print writes one dead letter as text: what it says, what was decided, its outcome today, its fault.
func (l *Letter) Print(w io.Writer, j *Judgement, o PrintOptions) {
	line := func(name, format string, args ...any) {
		oneLine := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", `\n`)
		fmt.Fprintf(w, "  %-9s %s\n", name, oneLine)
	}
	if o.Number > 1 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "dead letter %d:%d of %s, written %s\n", l.At.Partition, l.At.Offset, l.At.Topic,
		schemas.TimeMS(l.At.TimestampMS))
	line("code", "%s", cmp.Or(terminal.TextOrBytes([]byte(l.Code)), NoCode))
	line("message", "%s", terminal.TextOrBytes([]byte(l.Message)))
	if l.HasOrigin {
		line("origin", "%s/%d@%d of %s; failed %s, first %s", l.ID.Origin.Topic, l.ID.Origin.Partition,
			l.ID.Origin.Offset,
			schemas.TimeMS(l.ID.Origin.TimestampMS), terminal.Counted(int64(l.ID.Attempts), "time"), l.FirstFailedAt)
	} else {
		line("origin", "none that can be read: a foreign dead letter, which retry passes over")
	}
	if l.Failed.Topic != "" {
		line("failed", "%s/%d@%d at %s, rejected by the group %s, build %s", l.Failed.Topic, l.Failed.Partition,
			l.Failed.Offset, l.FailedAt, l.Group, l.Build)
	}
	line("status", "%s", j.decision())
	line("today", "%s", j.Today())
	line("key", "%s", terminal.TextOrBytes(l.Key))
	for i, h := range l.Own() {
		name := ""
		if i == 0 {
			name = "headers"
		}
		line(name, "%s: %s", terminal.TextOrBytes([]byte(h.Key)), terminal.TextOrBytes(h.Value))
	}
	line("value", "%s, SHA-256 %x", terminal.Bytes(int64(len(l.Value))), sha256.Sum256(l.Value))
	l.printFault(w, o)
}

// printFault writes the record around its fault, with carets below it.
func (l *Letter) printFault(w io.Writer, o PrintOptions) {
	p := l.Fault(o.Limits)
	text, from, to := l.Shown(p, o.Around)
	switch {
	case p.Header:
		fmt.Fprintf(w, "  the fault is in the header %s\n", p.Path)
	case p.From < 0:
		fmt.Fprintln(w, "  the message names no place in the value, which begins:")
	case p.Parent:
		fmt.Fprintf(w, "  there is no %s: this should have held it (byte %d)\n", p.Path, p.From)
	case p.Path != "":
		fmt.Fprintf(w, "  %s (byte %d)\n", p.Path, p.From)
	default:
		fmt.Fprintf(w, "  byte %d\n", p.From)
	}
	if p.Header || text == "" && p.From < 0 {
		return
	}
	fmt.Fprintf(w, "    %s\n", text)
	if from >= 0 {
		fmt.Fprintf(w, "    %s%s\n", strings.Repeat(" ", from), strings.Repeat("^", to-from))
	}
}

// decision returns the status, or who decided what and why.
func (j *Judgement) decision() string {
	if j.Decision == nil {
		return j.Status.String()
	}
	d := j.Decision
	text := fmt.Sprintf("%s by %s at %s", d.Action, d.By, d.At)
	if d.Raw.Topic != "" {
		text += fmt.Sprintf(", now %s/%d@%d", d.Raw.Topic, d.Raw.Partition, d.Raw.Offset)
	}
	if d.Reason != "" {
		text += ": " + d.Reason
	}
	return text
}
