package main

import (
	"slices"
	"sync"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// demoLedger knows what was sent, and so what should come of it, whenever the stream is cut off. It is kept apart from
// all that processes the stream. Its methods may be called by several goroutines.
type demoLedger struct {
	mu       sync.Mutex
	tally    simulate.Tally
	pitches  map[schemas.PitchID]demoPitch
	batters  map[int64]bool // all that were ever named
	expected demoExpected
}

// demoPitch is what was sent of one pitch.
type demoPitch struct {
	measured bool  // once at least
	revision int64 // the greatest of what was measured or deleted
	deleted  bool  // by that revision
}

// stands says that a row should be there.
func (p demoPitch) stands() bool { return p.measured && !p.deleted }

// demoExpected count pitches that were measured at least once. Invariant: standing + gone is their number.
type demoExpected struct{ standing, gone int64 }

func newDemoLedger() *demoLedger {
	return &demoLedger{pitches: map[schemas.PitchID]demoPitch{}, batters: map[int64]bool{}}
}

// add notes a record that was sent.
func (l *demoLedger) add(m *simulate.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.Add(m)
	if id := m.Want.IDs.BatterID; id.Present {
		l.batters[id.Value] = true
	}
	if m.Want.Row != nil && m.Want.Row.BatterID.Present {
		l.batters[m.Want.Row.BatterID.Value] = true
	}
	switch m.Want.Kind {
	case simulate.KindPitch, simulate.KindDuplicate, simulate.KindCorrection, simulate.KindDelete:
		was := l.pitches[m.Want.PitchID]
		is := was.after(m.Want)
		l.pitches[m.Want.PitchID] = is
		l.expected.count(was, -1)
		l.expected.count(is, 1)
	}
}

// after is what was sent of a pitch with one record more.
func (p demoPitch) after(w simulate.Want) demoPitch {
	isDelete := w.Kind == simulate.KindDelete
	p.measured = p.measured || !isDelete
	if w.Revision >= p.revision {
		p.revision, p.deleted = w.Revision, isDelete
	}
	return p
}

func (e *demoExpected) count(p demoPitch, by int64) {
	switch {
	case p.stands():
		e.standing += by
	case p.measured:
		e.gone += by
	}
}

// counts are what was sent so far, and the rows that should come of it.
func (l *demoLedger) counts() (simulate.Tally, demoExpected) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tally
	t.Letters = nil // shared with add
	return t, l.expected
}

// batterIDs are all batters that were ever named, in order.
func (l *demoLedger) batterIDs() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]int64, 0, len(l.batters))
	for id := range l.batters {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
