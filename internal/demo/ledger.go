package demo

import (
	"maps"
	"slices"
	"sync"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// ledger knows what was sent so far, and therefore what the servers must have when all of it is processed. It
// shares nothing with the processor. Its methods are safe for concurrent use.
type ledger struct {
	mu       sync.Mutex // guards all fields
	tally    simulate.Tally
	pitches  map[schemas.PitchID]pitch
	batters  map[int64]bool // every batter ever named
	expected expected
}

// pitch is what was sent of one pitch.
type pitch struct {
	measured  bool  // at least one record had its measurements
	revision  int64 // the greatest revision sent
	isDeleted bool  // by that revision
}

// expected counts the pitches that were measured at least once: those that must have a row, and those that
// were deleted.
type expected struct{ current, deleted int64 }

func newLedger() *ledger {
	return &ledger{pitches: map[schemas.PitchID]pitch{}, batters: map[int64]bool{}}
}

// add records that m was sent.
func (l *ledger) add(m *simulate.Message) {
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
		before := l.pitches[m.Want.PitchID]
		after := before.after(m.Want)
		l.pitches[m.Want.PitchID] = after
		l.expected.add(before, -1)
		l.expected.add(after, 1)
	}
}

// after returns the pitch after one more record of it.
func (p pitch) after(w simulate.Want) pitch {
	isDelete := w.Kind == simulate.KindDelete
	p.measured = p.measured || !isDelete
	if w.Revision >= p.revision {
		p.revision, p.isDeleted = w.Revision, isDelete
	}
	return p
}

func (e *expected) add(p pitch, n int64) {
	switch {
	case p.measured && p.isDeleted:
		e.deleted += n
	case p.measured:
		e.current += n
	}
}

// counts returns what was sent so far, and the rows expected from it.
func (l *ledger) counts() (simulate.Tally, expected) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tally
	t.Letters = nil // add writes to it
	return t, l.expected
}

// batterIDs returns every batter that was ever named, ordered by id.
func (l *ledger) batterIDs() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.batters))
}
