package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A recording is a behaviour of the model if its steps can be taken one after the other. A request takes
// effect at one moment between its two steps. One without an answer, or with an error for an answer, takes
// effect at some time later, or never. So the steps of one processor may have several places among those of
// the others, and validator searches for some that fit, depth first.
//
// No step records that the coordinator takes a partition from its owner, and that the owner notices. Both are
// added where a step needs them.

// mostTries bounds the search, for each step. Most recordings need little more than one.
const mostTries = 100

// Summary counts what was compared.
type Summary struct {
	Steps    int            // of the recording
	Sessions int            // which took them
	ByName   map[string]int // the steps
	Effects  int            // of requests with an answer
	Late     int            // requests without one, or with an error, that took effect
	Tries    int            // of steps, with those that were taken back
}

// Violation is a step that the model does not allow.
type Violation struct {
	Step int // from 1
	Name string
	Text string // the step as it was recorded
	Why  error
}

func (v *Violation) Error() string {
	return fmt.Sprintf("step %d is none of the model: %v: %v", v.Step, v.Why, v.Text)
}

// request is one that was begun.
type request struct {
	q     int
	step  *Step
	end   *Step   // nil without an answer
	froms []int64 // of a store: where the records of each partition begin
}

// isLost reports whether a request without an answer, or with an error for one, may take effect.
func (r *request) isLost() bool { return r.end == nil || r.end.Answer == "lost" }

type validator struct {
	m       *Model
	names   *names
	steps   []Step
	ends    map[opOf]*Step
	pending []*request      // immutable: a change makes a new slice
	revoked map[partOf]bool // reported, and not noticed yet
	missing map[int]bool    // positions that Postgres lost: each write is refused until they are stored anew
	open    map[opOf]*request
	late    int
	effects int
	tries   int
	best    int
	why     error
}

type opOf struct {
	session string
	op      int64
}

type partOf struct{ q, p int }

// Validate returns a *Violation if the steps are no behaviour of the model. Another error means that the
// recording cannot be read.
func Validate(steps []Step) (Summary, error) {
	names, err := namesOf(steps)
	if err != nil {
		return Summary{}, err
	}
	v := &validator{
		m: newModel(names.raw, len(names.sessions)), names: names, steps: steps,
		ends: map[opOf]*Step{}, revoked: map[partOf]bool{}, missing: map[int]bool{}, open: map[opOf]*request{},
	}
	v.m.isDeleted = func(pitch int, now Version) bool { return names.deleted[pitch][now.Measured] }
	_ = v.m.save() // cannot fail: there is none yet
	sum := Summary{Steps: len(steps), Sessions: len(names.sessions), ByName: map[string]int{}}
	for i := range steps {
		s := &steps[i]
		if sum.ByName[s.Name]++; s.Answer != "" {
			v.ends[opOf{s.Session, s.Op}] = s
		}
	}
	ok := v.from(0)
	if !ok && v.why == nil {
		v.why = errors.New("no order of the requests was found")
	}
	sum.Effects, sum.Late, sum.Tries = v.effects, v.late, v.tries
	if !ok {
		text, _ := json.Marshal(steps[v.best])
		return sum, &Violation{
			Step: v.best + 1, Name: steps[v.best].Name, Text: string(text[:min(len(text), 1000)]), Why: v.why,
		}
	}
	return sum, nil
}

// from reports whether the steps from i on can be taken.
func (v *validator) from(i int) bool {
	for {
		if i == len(v.steps) {
			return true
		}
		if v.tries++; v.tries > mostTries*len(v.steps)+200_000 {
			return false
		}
		mark := v.m.mark()
		err := v.take(&v.steps[i])
		if err != nil && (i > v.best || v.why == nil) {
			v.best, v.why = i, err
		}
		if err == nil && len(v.pending) == 0 {
			i++ // nothing else can be tried here
			continue
		}
		if err == nil && v.from(i+1) {
			return true
		}
		v.m.rollback(mark)
		for _, r := range v.pending {
			if !v.isOpenTo(r, &v.steps[i]) {
				continue
			}
			if v.fire(r) == nil && v.from(i) {
				return true
			}
			v.m.rollback(mark)
		}
		return false
	}
}

// isOpenTo reports whether it makes a difference that a request takes effect before this step.
func (v *validator) isOpenTo(r *request, before *Step) bool {
	if r.end == before {
		return false // that is tried first
	}
	switch r.step.Name {
	case "store", "start", "commit", "restore":
		return true
	}
	return !r.isLost() // what was read and not answered has no effect
}

// take takes a step as it was recorded.
func (v *validator) take(s *Step) error {
	q := v.names.sessions[s.Session]
	if s.Op > 0 && s.Answer == "" {
		v.begin(q, s)
		return nil
	}
	if s.Op > 0 {
		r := v.open[opOf{s.Session, s.Op}]
		if r == nil {
			return errors.New("an answer without a request")
		}
		if r.isLost() || !slices.Contains(v.pending, r) {
			return nil // it stays pending, or it has taken effect before
		}
		return v.fire(r)
	}
	switch s.Name {
	case "poll":
		return v.poll(q, s)
	case "send":
		return v.send(q, s)
	case "abort":
		return v.abort(q)
	case "revoke":
		for _, p := range s.Partitions {
			setIn(v.m, v.revoked, partOf{q, p.Partition}, true)
		}
		return nil
	case "end":
		return nil // from here on it is as one that sleeps for ever
	}
	return fmt.Errorf("%q is no step of the model", s.Name)
}

func (v *validator) begin(q int, s *Step) {
	r := &request{q: q, step: s, end: v.ends[opOf{s.Session, s.Op}]}
	for p := range v.m.raw {
		r.froms = append(r.froms, v.m.procs[q].at[p].next)
	}
	setIn(v.m, v.open, opOf{s.Session, s.Op}, r)
	set(v.m, &v.pending, append(slices.Clone(v.pending), r))
}

// fire has a request take effect, as its answer says.
func (v *validator) fire(r *request) error {
	var err error
	switch r.step.Name {
	case "assign":
		err = v.assign(r)
	case "start":
		err = v.start(r)
	case "store":
		err = v.store(r)
	case "compare":
		err = v.compare(r)
	case "commit":
		err = v.commit(r)
	case "restore":
		_ = v.m.restore() // an error is that nothing was stored yet
		for p := range v.m.raw {
			setIn(v.m, v.missing, p, true)
		}
	default:
		err = fmt.Errorf("%q is no request of the model", r.step.Name)
	}
	if err != nil {
		return err
	}
	set(v.m, &v.pending, slices.DeleteFunc(slices.Clone(v.pending), func(o *request) bool { return o == r }))
	if r.isLost() {
		set(v.m, &v.late, v.late+1)
	} else {
		set(v.m, &v.effects, v.effects+1)
	}
	return nil
}

func (v *validator) start(r *request) error {
	commit := v.m.commitStart
	if r.isLost() {
		commit = v.m.startUnanswered
	}
	for _, p := range r.step.Partitions {
		if next := v.m.procs[r.q].at[p.Partition].next; p.Next != next {
			return fmt.Errorf("the start of partition %d is %d, and not %d", p.Partition, next, p.Next)
		}
		if err := commit(r.q, p.Partition); err != nil {
			return err
		}
	}
	return nil
}

func firstOf(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

func (v *validator) assign(r *request) error {
	if r.isLost() {
		return errors.New("it was not answered")
	}
	for _, p := range r.end.Partitions {
		id := p.Partition
		if v.m.owner[id] != none {
			if err := v.m.lose(id); err != nil {
				return err
			}
		}
		if v.m.has(r.q, id) {
			if err := v.notice(r.q, id); err != nil {
				return err
			}
		}
		if err := v.m.assign(r.q, id); err != nil {
			return err
		}
		setIn(v.m, v.missing, id, false)
		at := &v.m.procs[r.q].at[id]
		if v.m.group[id] != p.Group || v.m.pos[id] != p.Stored || at.next != p.Next || at.floor != p.Floor {
			return fmt.Errorf("partition %d: the model has offset %d, position %d, next %d, floor %d",
				id, v.m.group[id], v.m.pos[id], at.next, at.floor)
		}
	}
	return nil
}

func (v *validator) notice(q, p int) error {
	if v.m.owns(q, p) {
		if err := v.m.lose(p); err != nil {
			return err
		}
	}
	setIn(v.m, v.revoked, partOf{q, p}, false)
	return v.m.notice(q, p)
}

// noticeAll has a processor notice the revokes that were reported to it.
func (v *validator) noticeAll(q int) error {
	for p := range v.m.raw {
		if v.revoked[partOf{q, p}] && v.m.has(q, p) {
			if err := v.notice(q, p); err != nil {
				return err
			}
		}
		if v.revoked[partOf{q, p}] {
			setIn(v.m, v.revoked, partOf{q, p}, false)
		}
	}
	return nil
}

func (v *validator) poll(q int, s *Step) error {
	isRevoked := slices.ContainsFunc(s.Partitions, func(p Partition) bool {
		return v.revoked[partOf{q, p.Partition}]
	})
	if !v.m.procs[q].hasBatch() && !isRevoked { // else these records came before the revoke
		if err := v.noticeAll(q); err != nil {
			return err
		}
	}
	for _, p := range s.Partitions {
		if at := v.m.procs[q].at[p.Partition].polled; at != p.From {
			return fmt.Errorf("partition %d: the next record to poll is %d, not %d", p.Partition, at, p.From)
		}
		for range p.Next - p.From {
			if err := v.m.poll(q, p.Partition); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *validator) send(q int, s *Step) error {
	rows, err := v.names.rows(s.Rows)
	if err != nil {
		return err
	}
	p := &v.m.procs[q]
	want := p.send
	if len(p.again) > 0 {
		want = p.again
	}
	if !maps.Equal(rows, want) {
		return fmt.Errorf("the model sends other rows: %s", difference(want, rows))
	}
	if p.refill != noRefill {
		return v.m.refillSend(q)
	}
	return v.m.sendRows(q)
}

func (v *validator) abort(q int) error {
	if err := v.noticeAll(q); err != nil {
		return err
	}
	mark := v.m.mark()
	if v.m.drop(q) != nil {
		v.m.rollback(mark) // nothing was in hand
	}
	return nil
}

// to returns how far a store moves each partition.
func (v *validator) to(r *request) []int64 {
	to := make([]int64, len(v.m.raw))
	for p := range to {
		to[p] = v.m.procs[r.q].at[p].next
	}
	for _, p := range r.step.Partitions {
		to[p.Partition] = p.Next
	}
	return to
}

func (v *validator) store(r *request) error {
	s := &v.m.procs[r.q]
	for _, p := range r.step.Partitions {
		at := &s.at[p.Partition]
		if at.stored != p.From && !r.isLost() {
			return fmt.Errorf("partition %d: it has seen position %d, and expects %d",
				p.Partition, at.stored, p.From)
		}
		if at.next != r.froms[p.Partition] {
			return fmt.Errorf("partition %d: the batch of this write was given up", p.Partition)
		}
	}
	if len(r.step.Partitions) == 1 && s.at[r.step.Partitions[0].Partition].isBehind() {
		return v.refill(r, r.step.Partitions[0])
	}
	return v.answered(r, v.to(r), v.m.store)
}

// answered is a write of rows: as it was answered, with the step of the model that it is.
func (v *validator) answered(r *request, to []int64, store func(q int, to []int64) error) error {
	switch {
	case r.isLost():
		return v.m.unanswered(r.q, to)
	case r.end.Answer == "refused":
		return v.refused(r, v.m.isRefused(r.q, to))
	case v.m.isRefused(r.q, to):
		return errors.New("the model's store is behind, and refuses it")
	}
	err := v.written(r, to)
	return firstOf(err, func() error { return store(r.q, to) })
}

// refused reports an error unless the model's store refuses it, too, or has lost a position. The session ends
// soon.
func (v *validator) refused(r *request, too bool) error {
	for _, p := range r.step.Partitions {
		too = too || v.missing[p.Partition]
	}
	if !too {
		return errors.New("the model's store is not behind, and takes it")
	}
	return nil
}

// written compares the rows of an answer with those that the model is about to write.
func (v *validator) written(r *request, to []int64) error {
	rows, err := v.names.rows(r.end.Rows)
	if err != nil {
		return err
	}
	if want := v.m.sendOf(v.m.written(r.q, to), nil); !maps.Equal(rows, want) {
		return fmt.Errorf("the model writes other rows: %s", difference(want, rows))
	}
	return nil
}

// refill is the first or the second write of a refill.
func (v *validator) refill(r *request, p Partition) error {
	s := &v.m.procs[r.q]
	if s.refill == refillWritten && len(s.send) == 0 && len(s.sent) == 0 {
		if err := v.m.refillSend(r.q); err != nil { // nothing is to be sent
			return err
		}
	}
	if s.refill == noRefill {
		to := v.to(r)
		if p.Next != p.From {
			return errors.New("a refill moves no position with its rows")
		}
		to[p.Partition] = s.at[p.Partition].polled
		return v.answered(r, to, v.m.refillStore)
	}
	behind := v.m.pos[p.Partition] < s.at[p.Partition].stored
	switch {
	case r.isLost():
		return v.m.unansweredMove(r.q, p.Partition)
	case r.end.Answer == "refused":
		return v.refused(r, behind)
	case behind:
		return errors.New("the model's store is behind, and refuses it")
	case s.at[p.Partition].polled != p.Next:
		return fmt.Errorf("the refill has polled up to %d", s.at[p.Partition].polled)
	}
	return v.m.refillMove(r.q, p.Partition)
}

func (v *validator) compare(r *request) error {
	if r.isLost() {
		return errors.New("it was not answered")
	}
	rows, err := v.names.rows(r.end.Rows)
	if err != nil {
		return err
	}
	if want := v.m.changed(r.q); !maps.Equal(rows, want) {
		return fmt.Errorf("the model finds other rows changed: %s", difference(want, rows))
	}
	if v.m.procs[r.q].refill != noRefill {
		return v.m.refillSend(r.q)
	}
	return v.m.compare(r.q)
}

func (v *validator) commit(r *request) error {
	if r.end != nil && r.end.Answer == "refused" {
		return nil // the step abort follows
	}
	s := &v.m.procs[r.q]
	offsets := map[int]int64{}
	for _, p := range r.step.Partitions {
		offsets[p.Partition] = p.Next
	}
	for p, at := range s.at {
		to, ok := offsets[p]
		switch {
		case s.batch[p] && !ok:
			return fmt.Errorf("the offset of partition %d is missing", p)
		case s.batch[p] && to != at.next:
			return fmt.Errorf("partition %d: offset %d is committed, and %d is stored", p, to, at.next)
		case !s.batch[p] && ok && to != v.m.group[p]:
			return fmt.Errorf("partition %d: offset %d is committed without a batch", p, to)
		}
	}
	letters := map[Letter]bool{}
	for _, l := range r.step.Records {
		letters[Letter{l.Partition, l.Offset}] = true
	}
	if !maps.Equal(letters, s.bad) || len(letters) != len(r.step.Records) {
		return fmt.Errorf("the model sends other dead letters: %v", s.bad)
	}
	committed, err := v.m.commit(r.q)
	if err != nil {
		return err
	}
	if !committed {
		return errors.New("Kafka refuses it, because a partition is another processor's")
	}
	for l := range letters {
		if v.m.dead[l] > 1 {
			return fmt.Errorf("the dead letter of %v is committed twice", l)
		}
	}
	for p := range v.m.group {
		if v.m.restores == 0 && v.m.group[p] > v.m.pos[p] {
			return fmt.Errorf("partition %d: offset %d is committed, and the position is %d",
				p, v.m.group[p], v.m.pos[p])
		}
	}
	return nil
}

// difference returns one pitch that differs.
func difference(want, got map[int]Version) string {
	for pitch, v := range want {
		if got[pitch] != v {
			return fmt.Sprintf("pitch %d is %v, and not %v", pitch, v, got[pitch])
		}
	}
	for pitch, v := range got {
		if _, ok := want[pitch]; !ok {
			return fmt.Sprintf("pitch %d has nothing, and not %v", pitch, v)
		}
	}
	return "none"
}
