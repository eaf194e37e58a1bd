package features

import (
	"strings"

	"github.com/pitchstream/pitchstream/features/internal/jsonscan"
)

// This file reads everything outside of the samples by a table. paths lists where each wanted value is,
// pathTree joins the paths to a tree, and readNode walks record and tree together. To read one more value,
// add a slot, a path and a column.

// A slot is the place in record.values of one such value.
type slot uint8

const (
	// The units of lengths and velocities. A record with other units than feet and mph is rejected.
	unitsLength slot = iota
	unitsVelocity
	// The unit of angles. Angles in another one are missing.
	unitsAngle
	// The pitch: its object, which must exist, and what was measured of the throw.
	pitchObject
	pitchEventID
	pitchType
	pitchResult
	pitchAction
	pitchSpeed
	pitchSpeedKPH
	pitchSpeedMPS
	pitchSpin
	// The batted ball, present only if the bat met the ball.
	hitSpeed
	hitSpeedKPH
	hitSpeedMPS
	hitSpin
	// The state of the game before the pitch.
	scoreInnings
	scoreBalls
	scoreStrikes
	scoreOuts
	// The first event of a batted ball: the array of its angles, both angles, and the ids of team and batter.
	eventAngle
	eventSpray
	eventLaunch
	eventTeam
	eventBatter
	// slotCount is the number of slots, and noSlot marks a node that keeps no value.
	slotCount
	noSlot = slotCount
)

// paths lists the JSON path of each slot; [n] is an element of an array. The slots below one member are
// neighbours, because a repeated member clears all of its slots with one range.
var paths = [slotCount]string{
	unitsLength:   "units.length",
	unitsVelocity: "units.velocity",
	unitsAngle:    "units.angle",
	pitchObject:   "summary_acts.pitch",
	pitchEventID:  "summary_acts.pitch.eventId",
	pitchType:     "summary_acts.pitch.type",
	pitchResult:   "summary_acts.pitch.result",
	pitchAction:   "summary_acts.pitch.action",
	pitchSpeed:    "summary_acts.pitch.speed.mph",
	pitchSpeedKPH: "summary_acts.pitch.speed.kph",
	pitchSpeedMPS: "summary_acts.pitch.speed.mps",
	pitchSpin:     "summary_acts.pitch.spin.rpm",
	hitSpeed:      "summary_acts.hit.speed.mph",
	hitSpeedKPH:   "summary_acts.hit.speed.kph",
	hitSpeedMPS:   "summary_acts.hit.speed.mps",
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
	// slot takes the value at this place; it is noSlot if only values below it are read.
	slot slot
	// from ≤ s < to are the slots at this place and below it.
	from, to slot
	// members leads on for an object, elements for the first elements of an array.
	members  []edge
	elements []edge
}

// edge is one step of a path: a member's name or an element's index.
type edge struct {
	name string
	to   *node
}

// root is the node of the whole record. firstEvent is where readEvents reads an event.
var (
	root       = pathTree()
	firstEvent = root.at("events").at("[0]")
)

// pathTree joins all paths to one tree.
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

// newNode returns a node whose first slot is from.
func newNode(from slot) *node { return &node{slot: noSlot, from: from, to: from} }

// step returns the node behind a step of a path, and adds it if it does not exist.
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

// at returns the node behind a step of a path, nil if no path goes there.
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

// member is at for a member's name as the record has it. It does not allocate.
func (n *node) member(name []byte) *node {
	for i := range n.members {
		if n.members[i].name == string(name) {
			return n.members[i].to
		}
	}
	return nil
}

// readNode reads the value at i, inside depth open brackets, into the slots of n and below. It clears them
// first, because of a repeated member the last one counts, whole. A value at a nil node is skipped.
func (d *decoder) readNode(n *node, i, depth int) int {
	if n == nil {
		return jsonscan.SkipValue(d.b, i, depth)
	}
	if n.members == nil && n.elements == nil {
		// The end of a path has a slot, and replaces what an earlier member of the same name left there.
		d.values[n.slot], i = readValue(d.b, i, depth)
		return i
	}
	// An earlier member of the same name may have filled these slots.
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

// readObject reads those members of an object to which n leads. The kind of v reports whether it has any
// members.
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

// readArray reads those elements of an array to which n leads, and counts all of them.
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
