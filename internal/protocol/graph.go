package protocol

import (
	"fmt"
	"maps"
	"slices"
)

// Bounds are the constants of Stream.tla. Topics, of which there is one, and sets are left out.
type Bounds struct{ Procs, Faults, Restores int }

// State is a state of the model as TLC prints it: the variables by name. Functions and records are
// map[string]any, sequences are []any, sets are map[any]bool.
type State map[string]any

// Edge is a step, by the name of its action, from one state to another, by their keys.
type Edge struct{ Action, From, To string }

// Explore calls each with every step that is possible within the bounds, from the initial state of
// Stream.tla: two partitions with the records <<0, 1>> and <<2>>. key must return the same text for equal
// states.
func Explore(b Bounds, key func(State) string, each func(Edge)) {
	raw := [][]Record{
		{{Rejected: true}, {Version: Version{Measured: 1}}},
		{{Version: Version{Measured: 2}}},
	}
	first := newModel(raw, b.Procs)
	first.withLog = true
	seen := map[string]bool{key(first.state()): true}
	for waiting := []*Model{first}; len(waiting) > 0; waiting = waiting[1:] {
		m := waiting[0]
		from := key(m.state())
		m.steps(b, func(action string) {
			to := key(m.state())
			each(Edge{action, from, to})
			if !seen[to] {
				seen[to] = true
				waiting = append(waiting, m.clone())
			}
		})
	}
}

// steps takes each possible step, calls f, and takes it back.
func (m *Model) steps(b Bounds, f func(action string)) {
	try := func(action string, take func() error) {
		mark := m.mark()
		if take() == nil {
			f(action)
		}
		m.rollback(mark)
	}
	fault := func(action string, take func() error) {
		if m.faults < b.Faults {
			try(action, take)
		}
	}
	for q := range m.procs {
		for _, to := range m.reaches(q) {
			try("Store", func() error { return m.store(q, to) })
			try("RefillStore", func() error { return m.refillStore(q, to) })
			fault("Unanswered", func() error { return m.unanswered(q, to) })
		}
		try("Send", func() error { return m.sendRows(q) })
		try("Compare", func() error { return m.compare(q) })
		try("Commit", func() error { _, err := m.commit(q); return err })
		try("RefillSend", func() error { return m.refillSend(q) })
		try("Restart", func() error { return m.restart(q) })
		try("Fenced", func() error { return m.findFenced(q) })
		try("Look", func() error { return m.look(q) })
		fault("Crash", func() error { return m.crash(q) })
		fault("TimeOut", func() error { return m.timeOut(q) })
		fault("Drop", func() error { return m.drop(q) })
		for p := range m.raw {
			try("Assign", func() error { return m.assign(q, p) })
			try("Notice", func() error { return m.notice(q, p) })
			try("Poll", func() error { return m.poll(q, p) })
			try("CommitStart", func() error { return m.commitStart(q, p) })
			try("RefillMove", func() error { return m.refillMove(q, p) })
			try("Expire", func() error { return m.expire(q, p) })
			fault("Unanswered", func() error { return m.unansweredMove(q, p) })
			fault("StartUnanswered", func() error { return m.startUnanswered(q, p) })
		}
	}
	for p := range m.raw {
		fault("Lose", func() error { return m.lose(p) })
	}
	if m.restores < b.Restores {
		try("Save", m.save)
		try("Restore", m.restore)
	}
}

// reaches returns how far a write may get in each partition.
func (m *Model) reaches(q int) [][]int64 {
	all := [][]int64{nil}
	for p := range m.raw {
		at := &m.procs[q].at[p]
		end := at.next
		if m.procs[q].batch[p] {
			end = at.polled
		}
		var longer [][]int64
		for _, to := range all {
			for i := at.next; i <= end; i++ {
				longer = append(longer, append(slices.Clone(to), i))
			}
		}
		all = longer
	}
	return all
}

func (m *Model) clone() *Model {
	c := *m
	c.undo = nil
	c.group, c.owner = slices.Clone(m.group), slices.Clone(m.owner)
	c.gen, c.pos = slices.Clone(m.gen), slices.Clone(m.pos)
	c.log, c.dead, c.row = maps.Clone(m.log), maps.Clone(m.dead), maps.Clone(m.row)
	c.procs = slices.Clone(m.procs)
	return &c
}

func (m *Model) state() State {
	name := func(q int) any {
		if q == none {
			return "none"
		}
		return string(rune('a' + q))
	}
	log := []any{}
	for _, e := range m.log[0] {
		log = append(log, map[string]any{"by": name(e.by), "v": e.v.Measured})
	}
	letters := 0
	for _, n := range m.dead {
		letters += n
	}
	saved := []any{}
	if m.saved != nil {
		saved = []any{m.saved.row[0].Measured, byPart(m.saved.pos)}
	}
	owner := make([]any, len(m.owner))
	for p, q := range m.owner {
		owner[p] = name(q)
	}
	procs := map[string]any{}
	for q := range m.procs {
		procs[name(q).(string)] = m.procs[q].state()
	}
	return State{
		"group": byPart(m.group), "owner": byPart(owner), "gen": byPart(m.gen), "log": log,
		"dead": []any{letters, 0}, "row": m.row[0].Measured, "pos": byPart(m.pos), "saved": saved, "s": procs,
		"faults": m.faults, "restores": m.restores,
	}
}

func (s *proc) state() map[string]any {
	at := make([]any, len(s.at))
	batch := map[any]bool{}
	for p, a := range s.at {
		at[p] = map[string]any{
			"gen": a.gen, "next": a.next, "polled": a.polled, "stored": a.stored, "floor": a.floor, "back": a.back,
			"none": a.none, "from": 0, "below": 0,
		}
		if s.batch[p] {
			batch[partName(p)] = true
		}
	}
	return map[string]any{
		"alive": s.alive, "at": byPart(at), "batch": batch, "send": s.send[0].Measured, "sent": s.sent[0].Measured,
		"again": s.again[0].Measured, "bad": len(s.bad), "note": map[any]bool{}, "open": s.open, "fenced": s.fenced,
		"refill": [...]string{"no", "written", "published"}[s.refill],
	}
}

func partName(p int) string { return fmt.Sprint("p", p+1) }

func byPart[T any](values []T) map[string]any {
	m := map[string]any{}
	for p, v := range values {
		m[partName(p)] = v
	}
	return m
}
