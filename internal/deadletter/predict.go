package deadletter

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// predict says what would become of letters: today's core runs on their records, and the store says what stands of the
// pitches, and which rows it would refuse.
func (d *Desk) predict(ctx context.Context, batch []*judged) error {
	d.runCore(batch)
	var passing []*judged
	for _, l := range batch {
		if l.outcome == Passes {
			passing = append(passing, l)
		}
	}
	if d.o.Known == nil || len(passing) == 0 {
		return nil
	}
	if err := d.compare(ctx, passing); err != nil {
		return err
	}
	// guard: letters: the store is asked what it refuses | always
	if d.o.CoreOnly || d.o.Store == nil {
		return nil
	}
	return d.refusals(ctx, passing)
}

// runCore is spread over the processors.
func (d *Desk) runCore(batch []*judged) {
	var wg sync.WaitGroup
	workers := max(1, min(runtime.GOMAXPROCS(0), len(batch)))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(batch); i += workers {
				l := batch[i]
				change, rejection := features.Transform(l.Record(), d.o.Limits)
				if l.outcome, l.change = Passes, change; rejection != nil {
					l.outcome, l.code, l.why = Fails, rejection.Code, rejection.Error()
				}
			}
		})
	}
	wg.Wait()
}

// compare finds what is superseded: a register that is as new or newer changes nothing when it is written again.
func (d *Desk) compare(ctx context.Context, batch []*judged) error {
	byPitch := map[schemas.PitchID][]*judged{}
	var ids []schemas.PitchID
	for _, l := range batch {
		if byPitch[l.change.PitchID] == nil {
			ids = append(ids, l.change.PitchID)
		}
		byPitch[l.change.PitchID] = append(byPitch[l.change.PitchID], l)
	}
	stored, err := d.o.Known.RegistersOf(ctx, ids)
	if err != nil {
		return err
	}
	for _, is := range stored {
		for _, l := range byPitch[is.PitchID] {
			if supersedes(is, l.change) {
				// guard: letters: what stands is compared
				l.outcome = Superseded
			}
		}
	}
	return nil
}

// supersedes says that what stands of a pitch is as new as a change, or newer.
func supersedes(is schemas.StoredRegisters, c schemas.Change) bool {
	register := is.Measured
	if c.Op == schemas.OpIdentify {
		register = is.Identified
	}
	// guard: letters: an equal version supersedes | >= 0 -> > 0
	return register != nil && register.Version.Compare(c.Version) >= 0
}

// refusals asks for each letter alone whether the store would take it: two of one pitch go in different rounds.
func (d *Desk) refusals(ctx context.Context, batch []*judged) error {
	for len(batch) > 0 {
		var later []*judged
		round := map[schemas.PitchID]*judged{}
		var pitches []schemas.PitchChanges
		for _, l := range batch {
			id := l.change.PitchID
			if round[id] != nil {
				later = append(later, l)
				continue
			}
			round[id] = l
			p := schemas.PitchChanges{PitchID: id}
			if l.change.Op == schemas.OpIdentify {
				p.Identified = &l.change
			} else {
				p.Measured = []schemas.Change{l.change}
			}
			pitches = append(pitches, p)
		}
		slices.SortFunc(pitches, func(a, b schemas.PitchChanges) int { return bytes.Compare(a.PitchID[:], b.PitchID[:]) })
		refused, err := d.o.Store.WouldRefuse(ctx, pitches)
		if err != nil {
			return err
		}
		for _, r := range refused {
			l := round[r.Change.PitchID]
			l.outcome, l.code, l.why = Fails, schemas.CodeSinkRejected, r.Reason
		}
		batch = later
	}
	return nil
}
