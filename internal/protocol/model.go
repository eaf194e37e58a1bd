// Package protocol has the model of docs/model/Stream.tla in Go, and compares recorded steps of processors
// with it: each must be a step of the model. TLC would do the same, but slowly: a start of it takes longer
// than a thousand steps here. test/model holds this model equal to the one in TLA+, over all its states.
package protocol

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// The model in Go has every partition, record and pitch of a recording, where the one in TLA+ has two
// partitions, three records and one pitch. Topics made anew and groups that a person sets back are left out.
// Names are those in Stream.tla.

// Version is a version of a pitch. The measured record and the identify have a register each; their numbers
// are the ranks of their versions in the recording, from 1. 0 is none.
type Version struct{ Measured, Identified int }

func (v Version) isZero() bool { return v == Version{} }

// join returns the newer one of each register.
func (v Version) join(w Version) Version {
	return Version{max(v.Measured, w.Measured), max(v.Identified, w.Identified)}
}

// Record is a record of the raw topic. One that neither has a version nor was rejected changes nothing, as
// the marker of a transaction.
type Record struct {
	Pitch    int
	Version  Version // of one register
	Rejected bool
}

// Letter names a rejected record.
type Letter struct {
	Partition int
	Offset    int64
}

// none is the owner of a partition without one, and the writer of a committed entry.
const none = -1

type refill int

const (
	noRefill refill = iota
	refillWritten
	refillPublished
)

// part is a partition as a processor sees it; gen is 0 if it does not own it.
type part struct {
	gen                               int
	next, polled, stored, floor, back int64
	none                              bool
}

// proc is one processor. Its maps are replaced, never changed.
type proc struct {
	alive  bool
	at     []part
	batch  []bool
	send   map[int]Version // by pitch
	sent   map[int]Version
	again  map[int]Version
	bad    map[Letter]bool
	open   bool
	fenced bool
	refill refill
}

type entry struct {
	by int
	v  Version
}

type backup struct {
	row map[int]Version
	pos []int64
}

// Model is a state of the model. Each action checks whether it is possible, and changes the state. After an
// error the caller must roll back.
type Model struct {
	raw       [][]Record
	isDeleted func(pitch int, v Version) bool
	withLog   bool // the entries of the rows topic are kept

	group    []int64
	owner    []int
	gen      []int
	log      map[int][]entry
	dead     map[Letter]int
	row      map[int]Version
	pos      []int64
	saved    *backup
	procs    []proc
	faults   int
	restores int

	undo []func()
}

// newModel returns the initial state.
func newModel(raw [][]Record, procs int) *Model {
	n := len(raw)
	m := &Model{
		raw: raw, isDeleted: func(int, Version) bool { return false },
		group: make([]int64, n), owner: make([]int, n), gen: make([]int, n), log: map[int][]entry{},
		dead: map[Letter]int{}, row: map[int]Version{}, pos: make([]int64, n),
	}
	for p := range n {
		m.group[p], m.owner[p] = -1, none
	}
	for range procs {
		m.procs = append(m.procs, idle(n))
	}
	return m
}

func idle(n int) proc { return proc{alive: true, at: make([]part, n), batch: make([]bool, n)} }

// mark returns the place to which rollback goes back.
func (m *Model) mark() int { return len(m.undo) }

func (m *Model) rollback(mark int) {
	for len(m.undo) > mark {
		last := len(m.undo) - 1
		m.undo[last]()
		m.undo = m.undo[:last]
	}
}

func set[T any](m *Model, place *T, v T) {
	old := *place
	m.undo = append(m.undo, func() { *place = old })
	*place = v
}

func setIn[K comparable, V any](m *Model, in map[K]V, k K, v V) {
	old, ok := in[k]
	m.undo = append(m.undo, func() {
		if in[k] = old; !ok {
			delete(in, k)
		}
	})
	in[k] = v
}

// change returns a processor that may be changed.
func (m *Model) change(q int) *proc {
	p := &m.procs[q]
	old := *p
	m.undo = append(m.undo, func() { *p = old })
	p.at, p.batch = slices.Clone(p.at), slices.Clone(p.batch)
	return p
}

var (
	errDead   = errors.New("the processor is dead")
	errFenced = errors.New("its transaction has timed out")
)

func (m *Model) owns(q, p int) bool {
	return m.owner[p] == q && m.procs[q].at[p].gen == m.gen[p]
}
func (m *Model) has(q, p int) bool { return m.procs[q].at[p].gen != 0 }
func (a *part) isBehind() bool     { return a.next < a.floor }

func (s *proc) hasBatch() bool { return slices.Contains(s.batch, true) }

// assign gives a partition to a processor.
func (m *Model) assign(q, p int) error {
	switch {
	case !m.procs[q].alive:
		return errDead
	case m.owner[p] != none:
		return fmt.Errorf("partition %d is owned", p)
	case m.has(q, p):
		return fmt.Errorf("it has partition %d still", p)
	}
	offset, pos := m.group[p], m.pos[p]
	at := part{gen: m.gen[p] + 1, next: pos, stored: pos, floor: pos, none: offset < 0}
	if offset >= 0 {
		at.next, at.floor = min(pos, offset), offset
	}
	at.polled, at.back = at.next, at.next
	m.change(q).at[p] = at
	set(m, &m.owner[p], q)
	set(m, &m.gen[p], m.gen[p]+1)
	return nil
}

func (m *Model) lose(p int) error {
	if m.owner[p] == none {
		return fmt.Errorf("partition %d has no owner", p)
	}
	set(m, &m.owner[p], none)
	set(m, &m.faults, m.faults+1)
	return nil
}

// drop gives a batch up.
func (m *Model) dropped(s *proc) {
	at := s.at
	for p := range at {
		if at[p].gen == 0 {
			at[p] = part{}
		} else {
			at[p].next, at[p].polled = at[p].back, at[p].back
		}
	}
	alive := s.alive
	*s = idle(len(at))
	s.alive, s.at = alive, at
}

func (m *Model) notice(q, p int) error {
	if !m.procs[q].alive || !m.has(q, p) || m.owns(q, p) {
		return fmt.Errorf("partition %d was not lost", p)
	}
	s := m.change(q)
	s.at[p] = part{}
	m.dropped(s)
	m.abortLog(q)
	return nil
}

// restarted is a session that starts over.
func (m *Model) restarted(q int) {
	*m.change(q) = idle(len(m.raw))
	m.abortLog(q)
	for p := range m.owner {
		if m.owner[p] == q {
			set(m, &m.owner[p], none)
		}
	}
}

func (m *Model) poll(q, p int) error {
	s := &m.procs[q]
	switch {
	case !s.alive:
		return errDead
	case !m.has(q, p):
		return fmt.Errorf("it does not have partition %d", p)
	case s.refill != noRefill:
		return errors.New("a refill is under way")
	case s.at[p].polled >= int64(len(m.raw[p])):
		return fmt.Errorf("partition %d has no record there", p)
	}
	behind := s.at[p].isBehind()
	if behind && s.at[p].polled >= s.at[p].floor {
		return fmt.Errorf("partition %d is refilled up to %d", p, s.at[p].floor)
	}
	for other, has := range s.batch {
		if has && other != p && (behind || s.at[other].isBehind()) {
			return fmt.Errorf("partition %d or %d is to be refilled alone", p, other)
		}
	}
	c := m.change(q)
	c.at[p].polled++
	c.batch[p] = true
	return nil
}

func (m *Model) commitStart(q, p int) error {
	s := &m.procs[q]
	if !s.alive || !s.batch[p] || !s.at[p].none || !m.owns(q, p) {
		return fmt.Errorf("no start of partition %d is to be committed", p)
	}
	set(m, &m.group[p], s.at[p].next)
	m.change(q).at[p].none = false
	return nil
}

// startUnanswered is the same, and the answer was lost.
func (m *Model) startUnanswered(q, p int) error {
	if err := m.commitStart(q, p); err != nil {
		return err
	}
	m.change(q).at[p].none = true
	set(m, &m.faults, m.faults+1)
	return nil
}

// written returns the newest version of each pitch in the records below to that are not stored.
func (m *Model) written(q int, to []int64) map[int]Version {
	w := map[int]Version{}
	for p := range to {
		for i := m.procs[q].at[p].next; i < to[p]; i++ {
			if r := &m.raw[p][i]; !r.Version.isZero() {
				w[r.Pitch] = w[r.Pitch].join(r.Version)
			}
		}
	}
	return w
}

// toSend reports whether a version that was written is current, and so is to be sent.
func (m *Model) toSend(pitch int, w Version) bool {
	was := m.row[pitch]
	now := was.join(w)
	isMeasured := w.Measured > 0 && w.Measured >= was.Measured
	isIdentified := w.Identified > 0 && w.Identified >= was.Identified
	exists := now.Measured > 0 && !m.isDeleted(pitch, now)
	return isMeasured || isIdentified && exists // an identify of a pitch without a row has nothing to send
}

func (m *Model) moved(q int, to []int64) (moved []int) {
	for p := range to {
		if to[p] > m.procs[q].at[p].next {
			moved = append(moved, p)
		}
	}
	return moved
}

func (m *Model) mayStore(q int, to []int64) error {
	s := &m.procs[q]
	moved := m.moved(q, to)
	switch {
	case !s.alive:
		return errDead
	case s.refill != noRefill:
		return errors.New("a refill is under way")
	case len(moved) == 0:
		return errors.New("nothing is to be stored")
	}
	for p, has := range s.batch {
		if has && s.at[p].isBehind() {
			return fmt.Errorf("partition %d is to be refilled", p)
		}
	}
	for _, p := range moved {
		if !s.batch[p] || to[p] > s.at[p].polled {
			return fmt.Errorf("partition %d was not polled up to %d", p, to[p])
		}
		if s.at[p].none {
			return fmt.Errorf("the start of partition %d is not committed", p)
		}
	}
	return nil
}

func (m *Model) isRefused(q int, to []int64) bool {
	return slices.ContainsFunc(m.moved(q, to), func(p int) bool { return m.pos[p] < m.procs[q].at[p].stored })
}

// apply is the transaction in Postgres. A refill moves no position.
func (m *Model) apply(q int, to []int64, moves bool) {
	for pitch, v := range m.written(q, to) {
		setIn(m, m.row, pitch, m.row[pitch].join(v))
	}
	if moves {
		for _, p := range m.moved(q, to) {
			set(m, &m.pos[p], max(m.pos[p], to[p]))
		}
	}
}

func (a *part) see(to int64) { a.next, a.stored = to, max(a.stored, to) }

func (m *Model) store(q int, to []int64) error {
	if err := m.mayStore(q, to); err != nil {
		return err
	}
	if m.isRefused(q, to) {
		m.restarted(q)
		return nil
	}
	written, moved := m.written(q, to), m.moved(q, to)
	s := m.change(q)
	s.send = m.sendOf(written, maps.Clone(s.send))
	s.bad = maps.Clone(s.bad)
	for _, p := range moved {
		for i := s.at[p].next; i < to[p]; i++ {
			if m.raw[p][i].Rejected {
				s.bad = put(s.bad, Letter{p, i}, true)
			}
		}
	}
	m.apply(q, to, true)
	for _, p := range moved {
		s.at[p].see(to[p])
	}
	return nil
}

// sendOf adds to send what the processor has to send of what it is about to write.
func (m *Model) sendOf(written, send map[int]Version) map[int]Version {
	for pitch, v := range written {
		if m.toSend(pitch, v) {
			send = put(send, pitch, m.row[pitch].join(v))
		}
	}
	return send
}

func put[K comparable, V any](in map[K]V, k K, v V) map[K]V {
	if in == nil {
		in = map[K]V{}
	}
	in[k] = v
	return in
}

// sendRows sends the rows of a batch in a transaction, or those that the comparison has found.
func (m *Model) sendRows(q int) error {
	s := &m.procs[q]
	switch {
	case !s.alive:
		return errDead
	case s.refill != noRefill:
		return errors.New("a refill is under way")
	case s.fenced:
		return errFenced
	case len(s.sent) > 0:
		return errors.New("the rows before are not compared yet")
	case len(s.again) == 0 && len(s.send) == 0:
		return errors.New("no row is to be sent")
	}
	c := m.change(q)
	if c.open = true; len(c.again) > 0 {
		c.sent, c.again = c.again, nil
	} else {
		c.sent, c.send = c.send, nil
	}
	m.appendLog(q, c.sent)
	return nil
}

// changed returns which of the rows that were sent are others in Postgres now.
func (m *Model) changed(q int) (found map[int]Version) {
	for pitch, v := range m.procs[q].sent {
		if now := m.row[pitch]; now != v && now.Measured > 0 {
			found = put(found, pitch, now)
		}
	}
	return found
}

func (m *Model) compare(q int) error {
	s := &m.procs[q]
	if !s.alive || len(s.sent) == 0 || s.refill != noRefill {
		return errors.New("no row was sent")
	}
	found := m.changed(q)
	c := m.change(q)
	c.sent, c.again = nil, found
	return nil
}

func (m *Model) mayCommit(q int) error {
	s := &m.procs[q]
	switch {
	case !s.alive:
		return errDead
	case !s.hasBatch():
		return errors.New("there is no batch")
	case len(s.send)+len(s.again) > 0:
		return errors.New("rows are still to be sent")
	case len(s.sent) > 0:
		return errors.New("the rows that were sent are not compared with the store")
	case s.refill != noRefill:
		return errors.New("a refill is under way")
	}
	for p, has := range s.batch {
		switch at := &s.at[p]; {
		case !has:
		case at.isBehind():
			return fmt.Errorf("partition %d is to be refilled", p)
		case at.polled != at.next:
			return fmt.Errorf("partition %d was polled up to %d and is stored up to %d", p, at.polled, at.next)
		case at.none:
			return fmt.Errorf("the start of partition %d is not committed", p)
		}
	}
	return nil
}

// commit is Kafka's transaction. It is refused if a partition of the batch was lost.
func (m *Model) commit(q int) (committed bool, err error) {
	if err := m.mayCommit(q); err != nil {
		return false, err
	}
	s := m.change(q)
	for p, has := range s.batch {
		if has && (s.fenced || !m.owns(q, p)) {
			m.abortLog(q)
			m.dropped(s)
			return false, nil
		}
	}
	for p, has := range s.batch {
		if has {
			set(m, &m.group[p], s.at[p].polled)
			s.at[p].back = s.at[p].polled
		}
	}
	for l := range s.bad {
		setIn(m, m.dead, l, m.dead[l]+1)
	}
	s.batch, s.bad, s.open = make([]bool, len(s.batch)), nil, false
	m.commitLog(q)
	return true, nil
}

func (m *Model) mayRefill(q int, to []int64) error {
	s := &m.procs[q]
	switch {
	case !s.alive:
		return errDead
	case s.refill != noRefill:
		return errors.New("a refill is under way")
	case len(m.moved(q, to)) == 0:
		return errors.New("nothing is to be stored")
	}
	for p, has := range s.batch {
		if has != (to[p] > s.at[p].next) || has && (!s.at[p].isBehind() || to[p] != s.at[p].polled) {
			return fmt.Errorf("a refill of partition %d to %d is not what was polled", p, to[p])
		}
	}
	return nil
}

func (m *Model) refillStore(q int, to []int64) error {
	if err := m.mayRefill(q, to); err != nil {
		return err
	}
	if m.isRefused(q, to) {
		m.restarted(q)
		return nil
	}
	send := m.sendOf(m.written(q, to), nil)
	s := m.change(q)
	s.send, s.refill = send, refillWritten
	m.apply(q, to, false)
	return nil
}

// refillSend sends the rows of a refill, or compares those that were sent. The processor sends them in a
// Kafka transaction that it commits after the last comparison, and aborts otherwise. The model has them
// visible at once, and so allows more than the code does.
func (m *Model) refillSend(q int) error {
	if s := &m.procs[q]; !s.alive || s.refill != refillWritten {
		return errors.New("no refill has rows to send")
	}
	found := m.changed(q)
	s := m.change(q)
	switch {
	case len(s.send) > 0:
		s.sent, s.send = s.send, nil
		m.appendLog(none, s.sent)
	case len(found) > 0:
		s.sent, s.send = nil, found
	default:
		s.sent, s.refill = nil, refillPublished
	}
	return nil
}

func (m *Model) mayMove(q, p int) error {
	s := &m.procs[q]
	if !s.alive || s.refill != refillPublished || !s.batch[p] {
		return fmt.Errorf("no refill of partition %d is published", p)
	}
	return nil
}

func (m *Model) refillMove(q, p int) error {
	if err := m.mayMove(q, p); err != nil {
		return err
	}
	if m.pos[p] < m.procs[q].at[p].stored {
		m.restarted(q)
		return nil
	}
	s := m.change(q)
	at := &s.at[p]
	set(m, &m.pos[p], max(m.pos[p], at.polled))
	s.refill, s.batch = noRefill, make([]bool, len(s.batch))
	at.see(at.polled)
	if at.polled >= at.floor {
		at.back = at.floor
	}
	return nil
}

// look finds that Postgres came back older.
func (m *Model) look(q int) error {
	for p := range m.pos {
		if m.procs[q].alive && m.has(q, p) && m.pos[p] < m.procs[q].at[p].stored {
			m.restarted(q)
			return nil
		}
	}
	return errors.New("no position went back")
}

func (m *Model) crash(q int) error {
	if !m.procs[q].alive {
		return errDead
	}
	*m.change(q) = proc{at: make([]part, len(m.raw)), batch: make([]bool, len(m.raw))}
	set(m, &m.faults, m.faults+1)
	return nil
}

func (m *Model) expire(q, p int) error {
	if m.procs[q].alive || m.owner[p] != q {
		return errors.New("no dead processor owns it")
	}
	set(m, &m.owner[p], none)
	return nil
}

func (m *Model) restart(q int) error {
	if m.procs[q].alive || slices.Contains(m.owner, q) {
		return errors.New("it lives, or has partitions")
	}
	*m.change(q) = idle(len(m.raw))
	m.abortLog(q)
	return nil
}

// timeOut is Kafka's, of a transaction that was open for too long.
func (m *Model) timeOut(q int) error {
	if s := &m.procs[q]; !s.alive || !s.open || s.fenced {
		return errors.New("no transaction is open")
	}
	m.change(q).fenced = true
	m.abortLog(q)
	set(m, &m.faults, m.faults+1)
	return nil
}

// findFenced is how a processor finds that out at its next request.
func (m *Model) findFenced(q int) error {
	if s := &m.procs[q]; !s.alive || !s.fenced {
		return errors.New("its transaction has not timed out")
	}
	m.restarted(q)
	return nil
}

// unanswered is a write that Postgres has committed and whose answer was lost.
func (m *Model) unanswered(q int, to []int64) error {
	isStore, isRefill := m.mayStore(q, to), m.mayRefill(q, to)
	if isStore != nil && isRefill != nil {
		return isStore
	}
	if m.isRefused(q, to) {
		return errors.New("the store refuses it")
	}
	m.apply(q, to, isStore == nil)
	set(m, &m.faults, m.faults+1)
	return nil
}

// unansweredMove is a move at the end of a refill whose answer was lost.
func (m *Model) unansweredMove(q, p int) error {
	if err := m.mayMove(q, p); err != nil {
		return err
	}
	if at := &m.procs[q].at[p]; m.pos[p] < at.stored {
		return errors.New("the store refuses it")
	}
	set(m, &m.pos[p], max(m.pos[p], m.procs[q].at[p].polled))
	set(m, &m.faults, m.faults+1)
	return nil
}

func (m *Model) drop(q int) error {
	s := &m.procs[q]
	hasPolled := slices.ContainsFunc(s.at, func(at part) bool { return at.polled != at.back })
	if !s.alive || !s.hasBatch() && !hasPolled {
		return errors.New("there is no batch")
	}
	m.dropped(m.change(q))
	m.abortLog(q)
	set(m, &m.faults, m.faults+1)
	return nil
}

func (m *Model) save() error {
	if m.saved != nil {
		return errors.New("a backup is there")
	}
	set(m, &m.saved, &backup{maps.Clone(m.row), slices.Clone(m.pos)})
	return nil
}

func (m *Model) restore() error {
	if m.saved == nil || maps.Equal(m.saved.row, m.row) && slices.Equal(m.saved.pos, m.pos) {
		return errors.New("there is no older backup")
	}
	set(m, &m.row, maps.Clone(m.saved.row))
	set(m, &m.pos, slices.Clone(m.saved.pos))
	set(m, &m.restores, m.restores+1)
	return nil
}

// The log is the rows topic, by pitch. Entries before the last committed one are forgotten.

func (m *Model) setLog(pitch int, entries []entry) {
	for i, e := range slices.Backward(entries) {
		if e.by == none {
			entries = entries[i:]
			break
		}
	}
	setIn(m, m.log, pitch, entries)
}

func (m *Model) appendLog(by int, rows map[int]Version) {
	for pitch, v := range rows {
		if m.withLog {
			m.setLog(pitch, append(slices.Clone(m.log[pitch]), entry{by, v}))
		}
	}
}

func (m *Model) abortLog(q int) {
	for pitch, entries := range m.log {
		m.setLog(pitch, slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.by == q }))
	}
}

func (m *Model) commitLog(q int) {
	for pitch, entries := range m.log {
		ended := slices.Clone(entries)
		for i := range ended {
			if ended[i].by == q {
				ended[i].by = none
			}
		}
		m.setLog(pitch, ended)
	}
}
