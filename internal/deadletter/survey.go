package deadletter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Status is what has become of a dead letter.
type Status uint8

// A dead letter is open until a person decides, or its record has failed again: then the later one is open.
// The origin of a foreign one cannot be read, so its version is unknown.
const (
	StatusOpen Status = iota
	StatusRetried
	StatusDiscarded
	StatusFailedAgain
	StatusForeign
)

// String returns the word for a status.
func (s Status) String() string {
	return [...]string{"open", "retried", "discarded", "failed again", "foreign"}[s]
}

// Outcome is what would become of a dead letter's record if it were sent again now.
type Outcome uint8

// A record that passes would be a row, a delete or an identify that counts. A superseded one passes too and
// changes nothing, because the current version is as new or newer.
const (
	NotAsked Outcome = iota
	Passes
	Superseded
	Fails
)

// String returns the word for an outcome.
func (o Outcome) String() string {
	return [...]string{"unknown", "passes", "superseded", "fails"}[o]
}

// Sums count dead letters, each identity once.
type Sums struct {
	schemas.DeadLetterSums

	// Tried counts open ones that this build has already rejected after a retry and would reject the same
	// way. A retry skips them.
	Tried int64 `json:"tried"`

	// Selected counts those that a retry would send: the other open ones. With Again it counts all that have
	// not failed again and are not foreign. The counts below divide them.
	Selected   int64 `json:"selected"`
	WouldPass  int64 `json:"would_pass"`
	Superseded int64 `json:"superseded"` // would change nothing
	WouldFail  int64 `json:"would_fail"`
}

func (s *Sums) of(status Status) *int64 {
	return [...]*int64{&s.Open, &s.Retried, &s.Discarded, &s.FailedAgain, &s.Foreign}[status]
}

// Group counts the dead letters of one code and one shape of message.
type Group struct {
	Code  schemas.Code `json:"code"`
	Shape string       `json:"shape"`
	Sums
	Share   float64                   `json:"share"` // of all dead letters of the report, 0–1
	First   schemas.TimeMS            `json:"first"`
	Last    schemas.TimeMS            `json:"last"`
	Example schemas.DeadLetterExample `json:"example"`
}

// Report is the result of a survey.
type Report struct {
	Sums
	// FailCodes counts those that would fail, by code.
	FailCodes map[schemas.Code]int64 `json:"would_fail_codes,omitempty"`
	Repeated  int64                  `json:"repeated"` // records of an identity that was counted already
	Groups    []Group                `json:"groups"`   // the largest first
	// Known reports whether decisions and current versions were asked for.
	Known bool `json:"store_asked"`
}

func (r *Report) failing(code schemas.Code, n int64) {
	if r.FailCodes == nil {
		r.FailCodes = map[schemas.Code]int64{}
	}
	if r.FailCodes[code] += n; r.FailCodes[code] == 0 {
		delete(r.FailCodes, code)
	}
}

// Question is what a survey asks.
type Question struct {
	Filter
	// Again also selects dead letters that were retried or discarded, and those that this build has tried.
	Again bool
	// Predict asks for the outcome of the selected ones.
	Predict bool
}

// judged is a dead letter with the findings of a survey.
type judged struct {
	Letter
	Judgement
	selected, tried bool
}

// Judgement is what is known about one dead letter.
type Judgement struct {
	Status   Status
	Decision *schemas.DeadLetterDecision // nil where nothing was decided
	Outcome  Outcome
	Why      string       // it would fail, one line
	fails    schemas.Code // with which it would fail
	change   schemas.Change
}

// Judge returns the status of one dead letter and the outcome if its record were sent again, whatever was
// decided. It does not know whether the record has failed again since. It completes a truncated one, if it
// can.
func (d *Desk) Judge(ctx context.Context, l *Letter) (Judgement, error) {
	j := &judged{Letter: *l}
	err := d.decided(ctx, []*judged{j})
	if err == nil {
		err = d.predict(ctx, []*judged{j})
	}
	*l = j.Letter
	return j.Judgement, err
}

// errEnough ends the reading of Each early.
var errEnough = errors.New("enough")

// heldBytes bounds the dead letters that are held whole at a time.
const heldBytes = 32 << 20

// Survey reads all dead letters and counts those that the question is about.
func (d *Desk) Survey(ctx context.Context, q Question) (Report, error) {
	b, err := d.survey(ctx, q)
	if err != nil {
		return Report{}, err
	}
	return b.close(), nil
}

func (d *Desk) survey(ctx context.Context, q Question) (*book, error) {
	b := newBook()
	b.report.Known = d.o.Known != nil
	err := d.read(ctx, q.Filter, func(batch []*kgo.Record) error {
		var taken []*judged
		var held int64 // bytes of taken
		count := func() error {
			if err := d.judge(ctx, q, taken); err != nil {
				return err
			}
			for _, l := range taken {
				b.add(l)
			}
			taken, held = nil, 0
			return nil
		}
		err := d.letters(batch, func(l *Letter) error {
			b.seen(l)
			if q.Takes(l) {
				taken = append(taken, &judged{Letter: *l})
				held += l.heldBytes()
			}
			// guard: bytes: dead letters are judged before they hold too much
			if held >= heldBytes {
				return count()
			}
			return nil
		})
		return cmp.Or(err, count())
	})
	return b, err
}

// judge fills in the status of dead letters, and the outcome of those that a retry would send.
func (d *Desk) judge(ctx context.Context, q Question, batch []*judged) error {
	if err := d.decided(ctx, batch); err != nil {
		return err
	}
	var selected []*judged
	for _, l := range batch {
		isDecided := l.Status == StatusRetried || l.Status == StatusDiscarded
		// A foreign one that was discarded has the status of the discard, and is foreign all the same.
		//
		// guard: dead letters: a foreign one is never selected | l.HasOrigin && -> true &&
		l.selected = l.HasOrigin && (l.Status == StatusOpen || q.Again && isDecided)
		if l.selected {
			selected = append(selected, l)
		}
	}
	if !q.Predict {
		return nil
	}
	if err := d.predictInTurn(ctx, selected); err != nil {
		return err
	}
	for _, l := range selected {
		failedHere := l.ID.Attempts > 1 && l.Build == d.o.Build
		l.tried = l.Status == StatusOpen && failedHere && l.Outcome == Fails && l.fails == l.Code
		// guard: dead letters: what this build has tried is passed over | q.Again || !l.tried -> true
		l.selected = q.Again || !l.tried
	}
	return nil
}

// predictInTurn fills in the outcomes of dead letters that together may not fit into memory when they are
// complete. They are read in the order of their records, because a batch of records is unpacked in order. It
// drops their values.
func (d *Desk) predictInTurn(ctx context.Context, batch []*judged) error {
	batch = slices.Clone(batch)
	slices.SortStableFunc(batch, func(a, b *judged) int {
		byPartition := cmp.Compare(a.Failed.Partition, b.Failed.Partition)
		return cmp.Or(byPartition, cmp.Compare(a.Failed.Offset, b.Failed.Offset))
	})
	for len(batch) > 0 {
		n, whole := 0, int64(0)
		for ; n < len(batch) && (n == 0 || whole < heldBytes); n++ {
			rec := batch[n].Record()
			whole += rec.Size()
		}
		if err := d.predict(ctx, batch[:n]); err != nil {
			return err
		}
		for _, l := range batch[:n] {
			l.Value = nil
		}
		batch = batch[n:]
	}
	return nil
}

func (d *Desk) decided(ctx context.Context, batch []*judged) error {
	ids := make([]schemas.DeadLetterID, len(batch))
	byID := make(map[schemas.DeadLetterID][]*judged, len(batch))
	for i, l := range batch {
		ids[i] = l.ID
		byID[l.ID] = append(byID[l.ID], l)
		if !l.HasOrigin {
			// guard: dead letters: a foreign one is not sent
			l.Status = StatusForeign
		}
	}
	if d.o.Known == nil || len(ids) == 0 {
		return nil
	}
	decisions, err := d.o.Known.DeadLetterDecisions(ctx, ids)
	if err != nil {
		return err
	}
	for _, decision := range decisions {
		for _, l := range byID[decision.ID] {
			l.Decision = &decision
			switch decision.Action {
			case schemas.DeadLetterRetried:
				// guard: dead letters: a retried one is not open
				l.Status = StatusRetried
			case schemas.DeadLetterDiscarded:
				// guard: dead letters: a discarded one is not open
				l.Status = StatusDiscarded
			}
		}
	}
	return nil
}

// predict fills in the outcome: it runs today's core on the records, and asks the store which versions are
// current and which rows it would refuse.
func (d *Desk) predict(ctx context.Context, batch []*judged) error {
	if err := d.completeAll(ctx, batch); err != nil {
		return err
	}
	if err := d.runCore(ctx, batch); err != nil {
		return err
	}
	var passing []*judged
	for _, l := range batch {
		if l.Outcome == Passes {
			passing = append(passing, l)
		}
	}
	if d.o.Known == nil || len(passing) == 0 {
		return nil
	}
	if err := d.compare(ctx, passing); err != nil {
		return err
	}
	// guard: dead letters: the store is asked what it refuses | always
	if d.o.CoreOnly || d.o.Store == nil {
		return nil
	}
	return d.refusals(ctx, passing)
}

// completeAll reads the whole records of truncated dead letters. One that is gone would fail. So would one
// whose key or headers cannot be held.
func (d *Desk) completeAll(ctx context.Context, batch []*judged) error {
	for _, l := range batch {
		err := d.Complete(ctx, &l.Letter)
		switch {
		// guard: dead letters: one with a very long key would not pass | , errors.Is(err, errLongFields): -> :
		case errors.Is(err, kafkaread.ErrGone), errors.Is(err, errLongFields):
			l.Outcome, l.fails, l.Why = Fails, l.Code, err.Error()
		case err != nil && !errors.Is(err, errTooLarge): // the core rejects one that is too large
			return err
		}
	}
	return nil
}

// runCore runs the core on all records, on all processors. An error is the schema registry's.
func (d *Desk) runCore(ctx context.Context, batch []*judged) error {
	wg, ctx := errgroup.WithContext(ctx)
	workers := max(1, min(runtime.GOMAXPROCS(0), len(batch)))
	for w := range workers {
		wg.Go(func() error {
			for i := w; i < len(batch); i += workers {
				l := batch[i]
				if l.Outcome != NotAsked {
					continue
				}
				change, rejection, err := d.o.Registry.Transform(ctx, l.Record(), d.o.Limits)
				if err != nil {
					return err
				}
				if l.Outcome, l.change = Passes, change; rejection != nil {
					l.Outcome, l.fails, l.Why = Fails, rejection.Code, rejection.Error()
				}
			}
			return nil
		})
	}
	return wg.Wait()
}

// compare marks changes as superseded if the pitch's register is as new or newer, because writing them
// changes nothing.
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
				// guard: dead letters: the current version is compared
				l.Outcome = Superseded
			}
		}
	}
	return nil
}

// supersedes reports whether the current version of a pitch is as new as a change, or newer.
func supersedes(is schemas.StoredRegisters, c schemas.Change) bool {
	register := is.Measured
	if c.Op == schemas.OpIdentify {
		register = is.Identified
	}
	// guard: dead letters: an equal version supersedes | >= 0 -> > 0
	return register != nil && register.Version.Compare(c.Version) >= 0
}

// refusals asks for each dead letter alone whether the store would take it. Two of one pitch go in
// different rounds, because WouldRefuse takes a pitch once.
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
			*p.Versions(l.change.Op) = []schemas.Change{l.change}
			pitches = append(pitches, p)
		}
		slices.SortFunc(pitches, func(a, b schemas.PitchChanges) int {
			return bytes.Compare(a.PitchID[:], b.PitchID[:])
		})
		refused, err := d.o.Store.WouldRefuse(ctx, pitches)
		if err != nil {
			return err
		}
		for _, r := range refused {
			l := round[r.Change.PitchID]
			l.Outcome, l.fails, l.Why = Fails, schemas.CodeSinkRejected, r.Reason
		}
		batch = later
	}
	return nil
}
