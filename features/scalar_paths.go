package features

import (
	"strings"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// Outside the samples a record is read by a table: paths says where each wanted value stands, pathTree makes a tree of
// it, and readNode walks record and tree together. To read one more value, give it a slot, a path and a column.

// A slot is the place of one scalar of the record: what the columns and the checks read, apart from the samples.
type slot uint8

const (
	unitsLength slot = iota
	unitsVelocity
	pitchObject
	pitchEventID
	pitchType
	pitchResult
	pitchAction
	pitchSpeed
	pitchSpin
	hitSpeed
	hitSpin
	scoreInnings
	scoreBalls
	scoreStrikes
	scoreOuts
	eventAngle
	eventSpray
	eventLaunch
	eventTeam
	eventBatter
	slotCount
	noSlot = slotCount
)

// paths says where each slot's value stands; [n] is an element of an array. Slots below one member stand together, since a
// repeated member forgets them all (TestPaths holds this).
var paths = [slotCount]string{
	unitsLength:   "units.length",
	unitsVelocity: "units.velocity",
	pitchObject:   "summary_acts.pitch",
	pitchEventID:  "summary_acts.pitch.eventId",
	pitchType:     "summary_acts.pitch.type",
	pitchResult:   "summary_acts.pitch.result",
	pitchAction:   "summary_acts.pitch.action",
	pitchSpeed:    "summary_acts.pitch.speed.mph",
	pitchSpin:     "summary_acts.pitch.spin.rpm",
	hitSpeed:      "summary_acts.hit.speed.mph",
	hitSpin:       "summary_acts.hit.spin.rpm",
	scoreInnings:  "summary_score.runs.innings",
	scoreBalls:    "summary_score.count.balls.plateAppearance",
	scoreStrikes:  "summary_score.count.strikes.plateAppearance",
	scoreOuts:     "summary_score.outs.inning",
	eventAngle:    "events.[0].start.angle",
	eventSpray:    "events.[0].start.angle.[0]",
	eventLaunch:   "events.[0].start.angle.[1]",
	eventTeam:     "events.[0].teamId.mlbId",
	eventBatter:   "events.[0].personId.mlbId",
}

// node is a place in the record on the way to one or more slots.
type node struct {
	slot     slot   // takes the value that stands here; noSlot where only what is below counts
	from, to slot   // the slots here and below: from ≤ slot < to
	members  []edge // of an object
	elements []edge // of an array: the first so many
}

type edge struct {
	name string
	to   *node
}

var (
	root       = pathTree()
	firstEvent = root.at("events").at("[0]")
)

// pathTree puts all paths together.
func pathTree() *node {
	tree := newNode(0)
	for s, path := range paths {
		n := tree
		n.to = slot(s) + 1
		for step := range strings.SplitSeq(path, ".") {
			n = n.step(step, slot(s))
			n.to = slot(s) + 1
		}
		n.slot = slot(s)
	}
	return tree
}

func newNode(from slot) *node { return &node{slot: noSlot, from: from, to: from} }

// step is the node behind a step of a path, made if it is not there yet.
func (n *node) step(name string, s slot) *node {
	if next := n.at(name); next != nil {
		return next
	}
	e := edge{name, newNode(s)}
	if name[0] == '[' {
		n.elements = append(n.elements, e)
	} else {
		n.members = append(n.members, e)
	}
	return e.to
}

// at is the node behind a step of a path, nil where no path goes there.
func (n *node) at(name string) *node {
	for _, e := range n.members {
		if e.name == name {
			return e.to
		}
	}
	for _, e := range n.elements {
		if e.name == name {
			return e.to
		}
	}
	return nil
}

// member is the node behind a member's name, nil where no path goes there.
func (n *node) member(name []byte) *node {
	for i := range n.members {
		if n.members[i].name == string(name) {
			return n.members[i].to
		}
	}
	return nil
}

// readNode reads the value at i, within depth open brackets, into the slots of n and below. What they held before is
// forgotten: of a repeated member the last counts, whole. A nil node is skipped.
func (d *decoder) readNode(n *node, i, depth int) int {
	if n == nil {
		return jsonscan.SkipValue(d.b, i, depth)
	}
	clear(d.values[n.from:n.to])
	var v value
	switch {
	case d.b[i] == '{' && n.members != nil:
		v, i = d.readObject(n, i, depth+1)
	case d.b[i] == '[' && n.elements != nil:
		v, i = d.readArray(n, i, depth+1)
	default:
		v, i = readValue(d.b, i, depth)
	}
	if n.slot != noSlot {
		d.values[n.slot] = v
	}
	return i
}

// readObject reads the members of an object that n leads on from. v says whether there are any.
func (d *decoder) readObject(n *node, i, depth int) (v value, next int) {
	var name []byte
	for i = jsonscan.FirstMember(d.b, i); i >= 0 && d.b[i] != '}'; i = jsonscan.NextMember(d.b, i) {
		if name, i = d.member(i); i < 0 {
			return v, i
		}
		i = d.readNode(n.member(name), i, depth)
		v.kind = object
	}
	return v, jsonscan.AfterBracket(i)
}

// readArray reads the elements of an array that n leads on from, and counts all of them.
func (d *decoder) readArray(n *node, i, depth int) (v value, next int) {
	for i = jsonscan.FirstElement(d.b, i); i >= 0 && d.b[i] != ']'; i = jsonscan.NextElement(d.b, i) {
		if v.count < len(n.elements) {
			i = d.readNode(n.elements[v.count].to, i, depth)
		} else {
			i = jsonscan.SkipValue(d.b, i, depth)
		}
		v.kind = array
		v.count++
	}
	return v, jsonscan.AfterBracket(i)
}
