package deadletter

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Status is where a letter stands.
type Status uint8

// A letter is open until somebody decides, or its record has failed again: then the later letter is the open one. A
// foreign letter's origin cannot be read, so that nothing can be said of its version.
const (
	StatusOpen Status = iota
	StatusRetried
	StatusDiscarded
	StatusFailedAgain
	StatusForeign
)

// String is the word for a status.
func (s Status) String() string {
	return [...]string{"open", "retried", "discarded", "failed again", "foreign"}[s]
}

// Outcome is what would become of a letter's record if it were sent again now.
type Outcome uint8

// A record that passes would be a row, a delete or an identify that counts. One that is superseded passes too and changes
// nothing: what stands is as new or newer.
const (
	NotAsked Outcome = iota
	Passes
	Superseded
	Fails
)

// String is the word for an outcome.
func (o Outcome) String() string {
	return [...]string{"unknown", "passes", "superseded", "fails"}[o]
}

// Sums count letters, each identity once.
type Sums struct {
	schemas.DeadLetterSums

	// Tried are open ones that were sent again before, that this very build rejected, and that would fail the same way:
	// a retry passes over them.
	Tried int64 `json:"tried"`

	// Of those that a retry would send (the other open ones; with Again all that have not failed again and are not foreign):
	Selected   int64 `json:"selected"`
	WouldPass  int64 `json:"would_pass"`
	Superseded int64 `json:"superseded"` // would pass and change nothing: what stands is as new or newer
	WouldFail  int64 `json:"would_fail"`
}

func (s *Sums) of(status Status) *int64 {
	return [...]*int64{&s.Open, &s.Retried, &s.Discarded, &s.FailedAgain, &s.Foreign}[status]
}

// Group is the letters of one code and one shape of message.
type Group struct {
	Code  schemas.Code `json:"code"`
	Shape string       `json:"shape"`
	Sums
	Share   float64                   `json:"share"` // of all letters of the report, 0–1
	First   schemas.TimeMS            `json:"first"`
	Last    schemas.TimeMS            `json:"last"`
	Example schemas.DeadLetterExample `json:"example"`
}

func exampleOf(l *Letter) schemas.DeadLetterExample {
	return schemas.DeadLetterExample{Partition: l.At.Partition, Offset: l.At.Offset, GamePK: l.GamePK, Message: l.Message}
}

// Report is what a survey found.
type Report struct {
	Sums
	// FailCodes says with which code how many would fail.
	FailCodes map[schemas.Code]int64 `json:"would_fail_codes,omitempty"`
	Repeated  int64                  `json:"repeated"` // letters of an identity that was counted already
	Groups    []Group                `json:"groups"`   // the largest first
	// Known says whether decisions and the versions that stand were asked for.
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

// Question says what a survey asks.
type Question struct {
	Filter
	// Again selects also letters that were retried or discarded, and those that this build has tried.
	Again bool
	// Predict asks what would become of the selected letters.
	Predict bool
}

// judged is a letter and what a survey says of it.
type judged struct {
	Letter
	status   Status
	selected bool
	tried    bool
	outcome  Outcome
	code     schemas.Code // with which it would fail
	why      string       // it would fail
	change   schemas.Change
	decision *schemas.DeadLetterDecision
}

// Judgement is what is known of one letter.
type Judgement struct {
	Status   Status
	Decision *schemas.DeadLetterDecision // nil where nothing was decided
	Outcome  Outcome
	Code     schemas.Code // with which it would fail
	Why      string       // it would fail, one line
	PitchID  schemas.PitchID
}

// Judge says where one letter stands, and what would become of its record, whatever was decided. It does not know
// whether the record has failed again since.
func (d *Desk) Judge(ctx context.Context, l *Letter) (Judgement, error) {
	j := &judged{Letter: *l}
	err := d.decided(ctx, []*judged{j})
	if err == nil {
		err = d.predict(ctx, []*judged{j})
	}
	return Judgement{Status: j.status, Decision: j.decision, Outcome: j.outcome, Code: j.code, Why: j.why, PitchID: j.change.PitchID}, err
}

var errEnough = errors.New("enough")

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// Survey reads all letters and counts those that the question is about.
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
		for _, r := range batch {
			l := Read(r)
			b.seen(&l)
			if q.Takes(&l) {
				taken = append(taken, &judged{Letter: l})
			}
		}
		if err := d.judge(ctx, q, taken); err != nil {
			return err
		}
		for _, l := range taken {
			b.add(l)
		}
		return nil
	})
	return b, err
}

// judge says where letters stand, and what would become of those that a retry would send.
func (d *Desk) judge(ctx context.Context, q Question, batch []*judged) error {
	if err := d.decided(ctx, batch); err != nil {
		return err
	}
	var selected []*judged
	for _, l := range batch {
		l.selected = l.status == StatusOpen || q.Again && (l.status == StatusRetried || l.status == StatusDiscarded)
		if l.selected {
			selected = append(selected, l)
		}
	}
	if !q.Predict {
		return nil
	}
	if err := d.predict(ctx, selected); err != nil {
		return err
	}
	for _, l := range selected {
		l.tried = l.status == StatusOpen && l.ID.Attempts > 1 && l.Build == d.o.Build && l.outcome == Fails && l.code == l.Code
		// guard: letters: what this build has tried is passed over | q.Again || !l.tried -> true
		l.selected = q.Again || !l.tried
	}
	return nil
}

func (d *Desk) decided(ctx context.Context, batch []*judged) error {
	ids := make([]schemas.DeadLetterID, len(batch))
	byID := make(map[schemas.DeadLetterID][]*judged, len(batch))
	for i, l := range batch {
		ids[i] = l.ID
		byID[l.ID] = append(byID[l.ID], l)
		if !l.Ours {
			// guard: letters: a foreign letter is not sent
			l.status = StatusForeign
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
			l.decision = &decision
			switch decision.Action {
			case schemas.DeadLetterRetried:
				// guard: letters: a letter that was retried is not open
				l.status = StatusRetried
			case schemas.DeadLetterDiscarded:
				// guard: letters: a letter that was discarded is not open
				l.status = StatusDiscarded
			}
		}
	}
	return nil
}
