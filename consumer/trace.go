package consumer

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/schemas"
)

// The steps of a processor can be compared with the model of the protocol, docs/model/Stream.tla.
// Config.Trace is called at each step that the model knows, and internal/protocol decides whether the model
// allows them. A request takes effect at some moment between its two steps: before it is sent, and after its
// answer.

// Step is one step of a session, in the words of the model.
type Step struct {
	// At is in nanoseconds of Unix time, from before the request is sent, and from after its answer. The
	// clock is that of Config.Now.
	At      int64  `json:"at"`
	Session string `json:"session"`
	// Name is assign, poll, start, store, send, compare, commit, abort, revoke or end.
	Name string `json:"step"`
	// Op is the same in the two steps of one request, and positive. It is 0 in a step without a request.
	Op int64 `json:"op,omitempty"`
	// Answer is "" before the request. After it, it is ok, refused (nothing was done), or lost (it was done or
	// not).
	Answer     string          `json:"answer,omitempty"`
	Partitions []StepPartition `json:"partitions,omitempty"`
	Records    []StepRecord    `json:"records,omitempty"` // of a poll; of a commit, the dead letters
	Rows       []StepRow       `json:"rows,omitempty"`
}

// StepPartition is what a step says of one partition. All are offsets.
type StepPartition struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"` // of a poll, the first record; of a store, the expected position
	Next      int64 `json:"next"` // everything below was polled, stored, or committed
	// In an assignment, Group is what the group has committed (−1: nothing), Stored is the stored position,
	// and below Floor the store is refilled.
	Group  int64 `json:"group"`
	Stored int64 `json:"stored"`
	Floor  int64 `json:"floor"`
}

// StepRecord is one record of a poll.
type StepRecord struct {
	Partition int32            `json:"partition"`
	Offset    int64            `json:"offset"`
	Op        string           `json:"op,omitempty"` // upsert, delete, identify or rejected; "" of a dead letter
	Pitch     *schemas.PitchID `json:"pitch,omitempty"`
	Version   *schemas.Version `json:"version,omitempty"`
}

// StepRow is a pitch as it was written, sent or found.
type StepRow struct {
	Pitch      schemas.PitchID  `json:"pitch"`
	Version    schemas.Version  `json:"version"`
	Identified *schemas.Version `json:"identified,omitempty"`
}

// tracer reports the steps of one session. A nil tracer reports nothing, at the cost of one comparison.
type tracer struct {
	report  func(Step)
	now     func() time.Time
	session string
	ops     atomic.Int64
}

func newTracer(cfg *Config) *tracer {
	if cfg.Trace == nil {
		return nil
	}
	return &tracer{report: cfg.Trace, now: cfg.Now, session: uuid.NewString()}
}

// Answers of a request.
const (
	answerOK      = "ok"
	answerRefused = "refused"
	answerLost    = "lost"
)

func answerOf(err error) string {
	if err != nil {
		return answerLost
	}
	return answerOK
}

// emit stamps a step and reports it.
func (t *tracer) emit(s Step) {
	s.At, s.Session = t.now().UnixNano(), t.session
	t.report(s)
}

// step reports a step with no more than a name. Its op may be that of a request, or 0.
func (t *tracer) step(name string, op int64, answer string) {
	if t != nil {
		t.emit(Step{Name: name, Op: op, Answer: answer})
	}
}

// begin reports that a request is about to be sent, and returns the op of its answer.
func (t *tracer) begin(name string) (op int64) {
	if t == nil {
		return 0
	}
	op = t.ops.Add(1)
	t.step(name, op, "")
	return op
}

func (t *tracer) assigned(op int64, ids []int32, found []*partition) {
	if t == nil {
		return
	}
	s := Step{Name: "assign", Op: op, Answer: answerOK}
	for i, id := range ids {
		p := found[i]
		s.Partitions = append(s.Partitions, StepPartition{
			Partition: id, Next: p.next, Group: p.committed, Stored: p.stored, Floor: p.floor,
		})
	}
	t.emit(s)
}

func (t *tracer) poll(reached []reach, decoded []Decoded) {
	if t == nil {
		return
	}
	s := Step{Name: "poll"}
	for _, r := range reached {
		s.Partitions = append(s.Partitions, StepPartition{Partition: r.partition, From: r.from, Next: r.next})
	}
	for i := range decoded {
		d := &decoded[i]
		r := StepRecord{Partition: d.Record.Partition, Offset: d.Record.Offset, Op: "rejected"}
		if d.Rejection == nil {
			pitch, version := d.Change.PitchID, d.Change.Version
			r.Op, r.Pitch, r.Version = d.Change.Op.String(), &pitch, &version
		}
		s.Records = append(s.Records, r)
	}
	t.emit(s)
}

func (t *tracer) starts(start map[int32]kgo.EpochOffset) (op int64) {
	if t == nil {
		return 0
	}
	s := Step{Name: "start", Op: t.ops.Add(1)}
	for id, at := range start {
		s.Partitions = append(s.Partitions, StepPartition{Partition: id, Next: at.Offset})
	}
	t.emit(s)
	return s.Op
}

func (t *tracer) stores(moves []schemas.PositionMove) (op int64) {
	if t == nil {
		return 0
	}
	s := Step{Name: "store", Op: t.ops.Add(1)}
	for _, m := range moves {
		s.Partitions = append(s.Partitions,
			StepPartition{Partition: m.Partition, From: m.Expected, Next: m.NextOffset})
	}
	t.emit(s)
	return s.Op
}

func (t *tracer) stored(op int64, outcome *schemas.Outcome) {
	if t == nil {
		return
	}
	s := Step{Name: "store", Op: op, Answer: answerOK, Rows: stepRows(outcome.Published)}
	for _, r := range outcome.Refused {
		pitch, version := r.Change.PitchID, r.Change.Version
		s.Records = append(s.Records, StepRecord{Op: r.Change.Op.String(), Pitch: &pitch, Version: &version})
	}
	t.emit(s)
}

// storeFailed reports the answer of a write that has returned an error.
func (t *tracer) storeFailed(op int64, err error) {
	answer := answerLost
	if errors.Is(err, schemas.ErrPositionBehind) {
		answer = answerRefused
	}
	t.step("store", op, answer)
}

// ended reports the end of a transaction. Without an error, one that was not committed was aborted.
func (t *tracer) ended(op int64, committed bool, err error) {
	switch {
	case err != nil && op > 0:
		t.step("commit", op, answerLost)
	case committed && op > 0:
		t.step("commit", op, answerOK)
	case op > 0:
		t.step("commit", op, answerRefused)
	}
	if err == nil && !committed {
		t.step("abort", 0, "")
	}
}

// send reports rows that are about to be sent.
func (t *tracer) send(rows []schemas.Published) {
	if t != nil && len(rows) > 0 {
		t.emit(Step{Name: "send", Rows: stepRows(rows)})
	}
}

func (t *tracer) compared(op int64, changed []schemas.Published, err error) {
	if t != nil {
		t.emit(Step{
			Name: "compare", Op: op, Answer: answerOf(err), Rows: stepRows(changed),
		})
	}
}

// commits reports the offsets of the request, which are the client's, not the decision's.
func (t *tracer) commits(d *decision, req *kmsg.TxnOffsetCommitRequest) (op int64) {
	if t == nil {
		return 0
	}
	s := Step{Name: "commit", Op: t.ops.Add(1)}
	for _, topic := range req.Topics {
		for _, p := range topic.Partitions {
			s.Partitions = append(s.Partitions, StepPartition{Partition: p.Partition, Next: p.Offset})
		}
	}
	for i := range d.deadLetters {
		r := &d.deadLetters[i].Record
		s.Records = append(s.Records, StepRecord{Partition: r.Partition, Offset: r.Offset})
	}
	t.emit(s)
	return s.Op
}

func (t *tracer) revoked(gone []int32) {
	if t == nil {
		return
	}
	s := Step{Name: "revoke"}
	for _, id := range gone {
		s.Partitions = append(s.Partitions, StepPartition{Partition: id})
	}
	t.emit(s)
}

func stepRows(published []schemas.Published) []StepRow {
	rows := make([]StepRow, len(published))
	for i := range published {
		p := &published[i]
		rows[i] = StepRow{Pitch: p.PitchID, Version: p.Version}
		if p.Identified.Present {
			v := p.Identified.Value
			rows[i].Identified = &v
		}
	}
	return rows
}
