package deadletter

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/pitchstream/pitchstream/schemas"
)

// entry is what is kept of a dead letter during a pass. Its value is not.
type entry struct {
	group    int16
	status   Status
	selected bool
	tried    bool
	outcome  Outcome
	code     int8 // in schemas.Codes, of an outcome that fails; −1 for one that this build does not know
}

func (e entry) failCode() schemas.Code {
	if e.code < 0 {
		return ""
	}
	return schemas.Codes[e.code]
}

// key is a hash of an identity, because the identity itself has a topic's name.
type key [16]byte

func keyOf(id schemas.DeadLetterID) (k key) {
	b := make([]byte, 0, 64)
	b = binary.BigEndian.AppendUint32(b, uint32(id.Attempts))
	b = binary.BigEndian.AppendUint32(b, uint32(id.Origin.Partition))
	b = binary.BigEndian.AppendUint64(b, uint64(id.Origin.Offset))
	b = binary.BigEndian.AppendUint64(b, uint64(id.Origin.TimestampMS))
	sum := sha256.Sum256(append(b, id.Origin.Topic...))
	copy(k[:], sum[:])
	return k
}

// maxGroups bounds the memory that foreign messages can cost. Dead letters of further shapes share one group.
const maxGroups = 1000

// otherShapes is the shape of the group that is shared after maxGroups.
const otherShapes = "(other messages)"

// book holds the counts of one pass over the dead letters.
type book struct {
	entries map[key]entry
	groups  []*Group
	at      map[[2]string]int16
	// last is the greatest number of attempts of the records that failed more than once.
	last   map[schemas.Coordinates]int32
	report Report
}

func newBook() *book {
	return &book{entries: map[key]entry{}, at: map[[2]string]int16{}, last: map[schemas.Coordinates]int32{}}
}

// seen notes how often a record has failed, also for dead letters that the filter does not take.
func (b *book) seen(l *Letter) {
	if l.HasOrigin && l.ID.Attempts > 1 {
		b.last[l.ID.Origin] = max(b.last[l.ID.Origin], l.ID.Attempts)
	}
}

// add counts a dead letter that the filter takes.
func (b *book) add(l *judged) {
	k := keyOf(l.ID)
	if _, again := b.entries[k]; again {
		b.report.Repeated++
		// guard: dead letters: an identity is counted once
		return
	}
	e := entry{
		group: b.group(l), status: l.Status, selected: l.selected, tried: l.tried, outcome: l.Outcome,
		code: int8(slices.Index(schemas.Codes, l.fails)),
	}
	b.entries[k] = e
	g := b.groups[e.group]
	if at := l.FailedAt; g.Letters == 0 {
		g.First, g.Last, g.Example = at, at, schemas.DeadLetterExample{
			Partition: l.At.Partition, Offset: l.At.Offset, GamePK: l.GamePK, Message: l.Message,
		}
	} else {
		g.First, g.Last = min(g.First, at), max(g.Last, at)
	}
	b.count(e, 1)
}

// count adds an entry to the sums n times; −1 takes it out again.
func (b *book) count(e entry, n int64) {
	for _, s := range []*Sums{&b.report.Sums, &b.groups[e.group].Sums} {
		s.Letters += n
		*s.of(e.status) += n
		if e.tried {
			s.Tried += n
		}
		if !e.selected {
			continue
		}
		s.Selected += n
		switch e.outcome {
		case Passes:
			s.WouldPass += n
		case Superseded:
			s.Superseded += n
		case Fails:
			s.WouldFail += n
			if s == &b.report.Sums {
				b.report.failing(e.failCode(), n)
			}
		}
	}
}

func (b *book) group(l *judged) int16 {
	name := [2]string{string(l.Code), Shape(l.Message)}
	i, ok := b.at[name]
	if ok {
		return i
	}
	// guard: dead letters: shapes are bounded
	if len(b.groups) >= maxGroups {
		name = [2]string{"", otherShapes}
		if i, ok = b.at[name]; ok {
			return i
		}
	}
	i = int16(len(b.groups))
	b.at[name] = i
	b.groups = append(b.groups, &Group{Code: schemas.Code(name[0]), Shape: name[1]})
	return i
}

// close marks dead letters whose record has failed again, of which only the last one stays open, and
// returns the report.
func (b *book) close() Report {
	for origin, last := range b.last {
		for attempts := max(1, last-maxAttemptsKnown); attempts < last; attempts++ {
			k := keyOf(schemas.DeadLetterID{Origin: origin, Attempts: attempts})
			e, ok := b.entries[k]
			if !ok {
				continue
			}
			b.count(e, -1)
			// guard: dead letters: the last one of a record counts | e.selected, e.tried = false, false -> e.tried = false
			e.selected, e.tried = false, false
			if e.status == StatusOpen {
				e.status = StatusFailedAgain
			}
			b.entries[k] = e
			b.count(e, 1)
		}
	}
	for _, g := range b.groups {
		if b.report.Letters > 0 {
			g.Share = float64(g.Letters) / float64(b.report.Letters)
		}
		b.report.Groups = append(b.report.Groups, *g)
	}
	slices.SortFunc(b.report.Groups, func(a, c Group) int {
		byName := cmp.Compare(string(a.Code)+a.Shape, string(c.Code)+c.Shape)
		return cmp.Or(cmp.Compare(c.Letters, a.Letters), byName)
	})
	return b.report
}

// maxAttemptsKnown bounds the work for a header that claims two billion attempts.
const maxAttemptsKnown = 1000

// take reports whether a dead letter is selected; true only once.
func (b *book) take(l *Letter, passing bool) bool {
	k := keyOf(l.ID)
	e, ok := b.entries[k]
	if !ok || !e.selected || passing && e.outcome != Passes {
		return false
	}
	// guard: dead letters: each is taken once
	e.selected = false
	b.entries[k] = e
	return true
}

// takeOpen reports whether a dead letter waits for a decision; true only once.
func (b *book) takeOpen(l *Letter) bool {
	k := keyOf(l.ID)
	e, ok := b.entries[k]
	if !ok || e.status != StatusOpen && e.status != StatusForeign {
		return false
	}
	e.status = StatusDiscarded
	b.entries[k] = e
	return true
}

// Texts that differ between two messages about the same mistake.
var (
	quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"…?`)
	uuidText   = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)
	hexText    = regexp.MustCompile(`\b[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}\b`)
	digitsText = regexp.MustCompile(`\bUTF-(?:8|16)\b|[0-9]+(?:[.,][0-9]+)*`) // the names stay
)

// named holds the quoted words that are the core's own, not data.
var named = map[string]bool{`"foot"`: true, `"mph"`: true}

// Shape returns a message without the parts that differ from record to record: numbers, identifiers, quoted
// data. Dead letters of one code and one shape have the same fault.
//
//	malformed_json at byte 1834: not JSON from here on: "NaN, 1.2"
//	→ malformed_json at byte N: not JSON from here on: "…"
func Shape(message string) string {
	s := quotedText.ReplaceAllStringFunc(message, func(q string) string {
		if named[q] {
			return q
		}
		return `"…"`
	})
	s = uuidText.ReplaceAllString(s, "ID")
	s = hexText.ReplaceAllStringFunc(s, func(hex string) string {
		if strings.ContainsAny(hex, "abcdefABCDEF") {
			return "ID"
		}
		return "N"
	})
	return digitsText.ReplaceAllStringFunc(s, func(found string) string {
		if unicode.IsDigit(rune(found[0])) {
			return "N"
		}
		return found
	})
}
