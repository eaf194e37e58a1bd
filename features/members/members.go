// Package members lists the members of a record: every path of its value, and what kinds of values it has.
// It knows nothing of pitches, so it sees what the core does not read: a member that is new, or that has
// another name than last week.
//
// All elements of an array share one path: samples_bat[].head.pos[]. Only the first ones of an array are
// looked at, because hundreds of samples have the same members. A name of digits only, as an object keyed by
// identifiers has, is written *.
package members

import (
	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// A Kind is what a value is. Empty stands for {}, [] and "", which trackers write where they have nothing to
// report.
type Kind uint8

// The kinds of values. Null and Empty hold nothing.
const (
	Null Kind = iota
	Empty
	Bool
	Number
	Text
	Object
	Array
	Kinds
)

// Member is a path of a record with one kind of value that it has there. A path with several kinds is listed
// once with each. It carries the first value of that kind.
type Member struct {
	Path   string
	Kind   Kind
	Number float64 // of Number, if it is within the range of a double; else 0
	Text   []byte  // of Text, as it is written between its quotes; it aliases the record
}

// Span is an array of the value whose end is known: from its opening bracket up to behind the closing one.
type Span struct{ From, To int }

const (
	// MaxPathBytes bounds a path.
	MaxPathBytes = 200
	// MaxMembers bounds the pairs of path and kind of one record.
	MaxMembers = 512
	// maxDepth bounds the brackets that are open around a path.
	maxDepth = 16
	// elements is how many of an array are looked at, because all elements have the same members.
	elements = 2
	// maxNodes bounds the paths that a Walker keeps from one record to the next.
	maxNodes = 4096
)

// Walker lists the members of records, one after the other. It keeps their paths, so that a record like the
// ones before costs no allocation. One goroutine uses it at a time.
//
// The paths form a tree, and the walk goes down the tree as it goes into the record. A path that is met for
// the first time becomes a node. Nothing bounds the names that a producer may send, so the tree is dropped
// between two records once it has too many nodes; the next record builds it again.
type Walker struct {
	b     []byte
	long  [2]Span
	found []Member
	root  *node
	nodes int
	// record is the number of the current record, so that a path counts once in each.
	record uint64
	others int
	isFull bool
	name   []byte
}

// node is a path. Its members stand in the order in which records had them first, and each has its name once
// more in names, so that comparing needs no step to another node.
type node struct {
	path string
	// seen is the last record that had the path with a value of the kind.
	seen     [Kinds]uint64
	element  *node // of an array
	members  []*node
	names    []string
	byName   map[string]*node // of members, once there are several
	place    int              // among the members of its object
	expected int              // the place in members of the next one, if this record is like the last
}

// Walk lists the members of a value that is valid JSON. long are arrays whose ends are known. others counts
// the values whose path is longer or deeper than the bounds; they are not listed. ok is false if there are
// more members than MaxMembers, and the list ends there. It is valid until the next call, and as long as the
// value is.
func (w *Walker) Walk(value []byte, long [2]Span) (list []Member, others int, ok bool) {
	if w.root == nil || w.nodes > maxNodes {
		w.root, w.nodes = &node{}, 0
	}
	w.b, w.long, w.found, w.isFull = value, long, w.found[:0], false
	w.others = 0
	w.record++
	if i := jsonscan.Blanks(value, 0); i < len(value) && value[i] == '{' {
		w.object(w.root, i, 1)
	}
	w.b = nil
	return w.found, w.others, !w.isFull
}

// A track's end comes from the core, which has read the record just before. Without it, moving over the
// samples of a swing would cost as much as all else that is done with the record.

// A value is listed under the path of its node, with its kind. Numbers and texts are kept, because a path
// that goes on under another name, or in another unit, is known by them. Where an array repeats a path in one
// record, the first value of each kind stands for all: shares of records are counted, not of elements.

// value lists a value and what is below it, and returns the cursor behind it. A nil node is beyond a bound.
func (w *Walker) value(n *node, i, depth int) int {
	b := w.b
	if n == nil || depth > maxDepth {
		w.others++
		return w.skip(i, depth)
	}
	switch b[i] {
	case '{':
		return w.object(n, i, depth)
	case '[':
		return w.array(n, i, depth)
	case '"':
		end, _ := jsonscan.SkipString(b, i)
		if end < 0 {
			return end
		}
		if text := b[i+1 : end-1]; len(text) > 0 {
			w.add(n, Member{Kind: Text, Text: text})
		} else {
			w.add(n, Member{Kind: Empty})
		}
		return end
	case 't', 'f':
		w.add(n, Member{Kind: Bool})
	case 'n':
		w.add(n, Member{Kind: Null})
	default:
		if n.seen[Number] == w.record {
			return jsonscan.SkipNumber(b, i)
		}
		f, end, _ := jsonscan.ReadNumber(b, i)
		w.add(n, Member{Kind: Number, Number: f})
		return end
	}
	return jsonscan.SkipValue(b, i, depth)
}

// add lists a path with a kind, once in a record. The record's number on the node is what tells a path that
// this record had before from one that only earlier records had. So nothing has to be cleared in between.
func (w *Walker) add(n *node, m Member) {
	if len(w.found) >= MaxMembers {
		w.isFull = true
	} else if n.seen[m.Kind] != w.record && n != w.root {
		n.seen[m.Kind] = w.record
		m.Path = n.path
		w.found = append(w.found, m)
	}
}

// object lists an object and its members. An object without any is Empty. A member that is repeated counts
// once, with each kind of value that it has, because a producer that repeats one is worth knowing about.
func (w *Walker) object(n *node, i, depth int) int {
	b := w.b
	kind := Empty
	n.expected = 0
	for i = jsonscan.FirstMember(b, i); i >= 0 && b[i] != '}'; i = jsonscan.NextMember(b, i) {
		if kind == Empty {
			kind = Object
			w.add(n, Member{Kind: Object})
		}
		end, isEscaped := jsonscan.SkipString(b, i)
		if end < 0 {
			return end
		}
		// guard: members: a hostile record makes no paths | len(w.found) >= MaxMembers -> false
		if len(w.found) >= MaxMembers {
			w.isFull = true
			if i = jsonscan.AfterName(b, end); i < 0 {
				return i
			}
			i = w.skip(i, depth+1)
			continue
		}
		name := b[i+1 : end-1]
		if isEscaped {
			if plain, ok := jsonscan.AppendUnescaped(w.name[:0], name); ok {
				w.name, name = plain, plain
			}
		}
		if i = jsonscan.AfterName(b, end); i < 0 {
			return i
		}
		i = w.value(w.member(n, name), i, depth+1)
	}
	if kind == Empty {
		w.add(n, Member{Kind: Empty})
	}
	return jsonscan.AfterBracket(i)
}

// array lists an array and what is in its first elements. The rest is jumped over where the end of the array
// is known, as of the tracks, and skipped else.
func (w *Walker) array(n *node, i, depth int) int {
	b, start := w.b, i
	count := 0
	for i = jsonscan.FirstElement(b, i); i >= 0 && b[i] != ']'; i = jsonscan.NextElement(b, i) {
		if count == 0 {
			w.add(n, Member{Kind: Array})
		}
		if count == elements {
			// guard: members: a track is jumped over | w.end(start) -> 0
			if end := w.end(start); end > 0 {
				return end
			}
		}
		if count++; count > elements || len(w.found) >= MaxMembers {
			i = jsonscan.SkipValue(b, i, depth+1)
		} else {
			i = w.value(w.elementOf(n), i, depth+1)
		}
	}
	if count == 0 {
		w.add(n, Member{Kind: Empty})
	}
	return jsonscan.AfterBracket(i)
}

// end returns where the array at i ends, 0 if that is not known. There are two such arrays at most, so they
// are compared one by one.
func (w *Walker) end(i int) int {
	for _, s := range w.long {
		if s.From == i && s.To > i {
			return s.To
		}
	}
	return 0
}

// skip moves over a value that is not listed: beyond a bound, or in a record that has too many members. It
// must not cost more than the record itself did, so it jumps over tracks, too.
func (w *Walker) skip(i, depth int) int {
	if end := w.end(i); end > 0 {
		return end
	}
	return jsonscan.SkipValue(w.b, i, depth)
}

// member returns the node of a member, nil if its path is too long. Records have their members in the same
// order nearly always, so the node behind that of the member before is tried first.
func (w *Walker) member(n *node, name []byte) *node {
	if k := n.expected; k < len(n.members) && n.names[k] == string(name) {
		n.expected = k + 1
		return n.members[k]
	}
	if isDigits(name) {
		name = []byte{'*'}
	}
	// The map is asked only where the order differs from the last record's. Such is the case after a member that
	// only some records have, or where a producer writes its members in any order.
	m, isKnown := n.byName[string(name)]
	if !isKnown {
		// guard: members: a path has a bound | len(n.path)+len(name) >= MaxPathBytes -> false
		if len(n.path)+len(name) >= MaxPathBytes {
			return nil
		}
		if n.byName == nil {
			n.byName = map[string]*node{}
		}
		m = &node{path: string(name)}
		if n.path != "" {
			m.path = n.path + "." + string(name)
		}
		m.place = len(n.members)
		n.byName[string(name)] = m
		n.members, n.names = append(n.members, m), append(n.names, string(name))
		w.nodes++
		n.expected = len(n.members)
		return m
	}
	n.expected = m.place + 1
	return m
}

// elementOf returns the node of the elements of an array, nil if its path is too long.
func (w *Walker) elementOf(n *node) *node {
	if n.element == nil && len(n.path)+2 <= MaxPathBytes {
		n.element = &node{path: n.path + "[]"}
		w.nodes++
	}
	return n.element
}

// isDigits reports whether a name consists of digits. Such names are identifiers: each record has others.
func isDigits(name []byte) bool {
	for _, c := range name {
		if c-'0' > 9 {
			return false
		}
	}
	return len(name) > 0
}
