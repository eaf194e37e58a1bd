package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// A replay reads each partition up to the offset To, and ends when it has read all. A partition is first
// polled to its end (sessionReplay.polledToEnd), until an abort rewinds it. When that poll is committed, the
// partition is done (Replay.done) and paused, until the store comes back older (reopen).

// Replay bounds a processor to a part of the topic, and has the store count the result of each record.
// Processors of one process that share a group share the Replay too.
type Replay struct {
	ID              string          // the counts are stored under it
	From, To        map[int32]int64 // of each partition, To exclusive; a stored position counts instead of From
	SendDeadLetters bool            // otherwise rejected records are only counted

	// The functions may be called by several sessions at once.

	// Keep reports whether a record is replayed; nil: all are. It is called for transaction markers, too.
	Keep func(*kgo.Record) bool
	// Pace waits until the next poll may start; nil: it may at once. ctx ends after replayPoll; then Pace is
	// called again, and goes on with the rest of its wait.
	Pace func(ctx context.Context)
	// Seen is called with the next offset to read of a partition; nil: it is not. After an abort the offset may
	// be smaller than before.
	Seen func(partition int32, next int64)

	// Source is read instead of the topic; nil: the topic. As many processors as Readers says read it side by
	// side: the one whose Config.ReplayReader is i reads the partitions p with p % Readers == i.
	Source  Source
	Readers int

	mu sync.Mutex
	// done has the partitions that are polled to their end and committed. mu guards it. reopen removes a
	// partition when the store has lost some of its records.
	done map[int32]bool
}

// errReplayComplete ends a session at the end of its replay.
var errReplayComplete = errors.New("the replay is complete")

// replayPoll bounds one wait for Pace and one poll together. After it the session looks whether the end is
// reached, which can happen without another record.
const replayPoll = 250 * time.Millisecond

// isDone reports whether a partition is done, or is not part of the replay.
func (r *Replay) isDone(id int32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done[id] || r.From[id] >= r.To[id]
}

func (r *Replay) markDone(id int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		r.done = map[int32]bool{}
	}
	r.done[id] = true
}

// sessionReplay is one session's part in its Replay. A live session has a nil one: start, hasSource, isDone,
// reopen and bounded may be called on it, the other methods may not. polledToEnd and uncommitted belong to
// the goroutine of session.run; replay never changes.
type sessionReplay struct {
	replay      *Replay
	polledToEnd map[int32]bool // by partition
	uncommitted []int32        // those added since the last commit: an abort removes them from polledToEnd
}

func newSessionReplay(r *Replay) *sessionReplay {
	if r == nil {
		return nil
	}
	return &sessionReplay{replay: r, polledToEnd: map[int32]bool{}}
}

// start returns the offset at which a partition without a stored position is read first. first is the oldest
// offset in the topic.
func (r *sessionReplay) start(id int32, first int64) int64 {
	if r == nil {
		return first
	}
	return max(first, r.replay.From[id])
}

// hasSource reports whether the records come from a Source.
func (r *sessionReplay) hasSource() bool { return r != nil && r.replay.Source != nil }

// isDone reports whether nothing of a partition is left to read.
func (r *sessionReplay) isDone(id int32) bool { return r != nil && r.replay.isDone(id) }

// reopen makes a partition that is done one that is not, because the store came back older and needs its
// records again.
func (r *sessionReplay) reopen(id int32) {
	if r != nil {
		r.replay.mu.Lock()
		defer r.replay.mu.Unlock()
		delete(r.replay.done, id)
	}
}

// poll returns the next records within the bounds of the replay.
func (r *sessionReplay) poll(ctx context.Context, kafka recordSource, most int) kgo.Fetches {
	ctx, cancel := context.WithTimeout(ctx, replayPoll)
	defer cancel()
	if r.replay.Pace != nil {
		r.replay.Pace(ctx)
	}
	if ctx.Err() != nil {
		return nil
	}
	fetches := kafka.PollRecords(ctx, most)
	for i := range fetches {
		for j := range fetches[i].Topics {
			for k := range fetches[i].Topics[j].Partitions {
				r.trim(&fetches[i].Topics[j].Partitions[k])
			}
		}
	}
	if source, ok := kafka.(*sourceReader); ok {
		for _, id := range source.takeEnded() { // its last record may be below To
			r.noteEnd(id)
		}
	}
	return fetches
}

// noteEnd notes that a partition is polled to its end.
func (r *sessionReplay) noteEnd(id int32) {
	if !r.polledToEnd[id] {
		r.polledToEnd[id] = true
		r.uncommitted = append(r.uncommitted, id)
	}
}

// trim removes the records that are not replayed, and notes when a partition is polled to its end.
//
// A placeholder of packed records has the offset of its last record, so one that goes on after To has records
// below it. It is kept, and narrowed to those. The placeholders behind it have none.
func (r *sessionReplay) trim(f *kgo.FetchPartition) {
	if len(f.Records) == 0 {
		return
	}
	last := f.Records[len(f.Records)-1].Offset
	to := r.replay.To[f.Partition]
	kept, isPast := f.Records[:0], r.polledToEnd[f.Partition]
	for _, rec := range f.Records {
		// A placeholder has no key. decode asks Keep for each of its records.
		// guard: replay: a packed record within the bounds is replayed | kafkaread.IsPacked(rec) -> false
		if kafkaread.IsPacked(rec) {
			if !isPast {
				kafkaread.Narrow(rec, 0, to)
				kept = append(kept, rec)
			}
			isPast = isPast || rec.Offset+1 >= to
			continue
		}
		// guard: replay: nothing beyond its bounds | rec.Offset < to && ->
		if rec.Offset < to && (r.replay.Keep == nil || r.replay.Keep(rec)) {
			kept = append(kept, rec)
		}
	}
	clear(f.Records[len(kept):])
	f.Records = kept
	if last+1 >= to {
		r.noteEnd(f.Partition)
	}
	if r.replay.Seen != nil {
		r.replay.Seen(f.Partition, min(last+1, to))
	}
}

// leavesOut reports whether a record of a packed batch is not replayed.
func (r *Replay) leavesOut(rec schemas.Record) bool {
	return r != nil && r.Keep != nil && !r.Keep(kafkaread.Fetched(rec))
}

// bounded returns an offset that is not beyond the end of the replay.
func (r *sessionReplay) bounded(id int32, next int64) int64 {
	if r == nil {
		return next
	}
	return min(next, r.replay.To[id])
}

// settle must be called after each transaction. After an abort it forgets the ends polled since the last
// commit, because the client reads those records again.
func (r *sessionReplay) settle(committed bool) {
	if !committed {
		for _, id := range r.uncommitted {
			delete(r.polledToEnd, id)
		}
	}
	r.uncommitted = r.uncommitted[:0]
}

// updateDone marks the owned partitions that are stored and committed to their end as done, and pauses them.
// It reports whether every partition of the replay is done, by this session or another.
//
// A partition can be at its end although its stored position (next) is below To: the replay may leave out all
// of the last records. An uncommitted partition, in which the group has no offset, needs no commit. This
// session has written nothing of it, because commitStart comes before the first write.
func (r *sessionReplay) updateDone(owned *partitions) (isComplete bool) {
	isNew := false
	for id, at := range collect(owned, func(at *partition) partition { return *at }) {
		// guard: replay: it ends when everything is committed | (at.uncommitted || at.committed >= at.next) -> true
		isAtEnd := (at.next >= r.replay.To[id] || r.polledToEnd[id]) && (at.uncommitted || at.committed >= at.next)
		if isAtEnd && !r.replay.isDone(id) {
			r.replay.markDone(id)
			isNew = true
		}
	}
	if isNew {
		owned.updatePauses()
	}
	for id := range r.replay.To {
		if !r.replay.isDone(id) {
			return false
		}
	}
	return true
}

// recordsOf returns every record of a plan, rejected ones too, so that the store counts what became of each.
// The plan keeps the records that carried a version (carriers) without their ops. An identify is known by its
// register, and a delete by the measured versions of its pitch.
func (r *sessionReplay) recordsOf(p Plan) *schemas.Replay {
	all := &schemas.Replay{ID: r.replay.ID}
	deletes := map[schemas.Register]bool{}
	for _, pitch := range p.Pitches {
		for i := range pitch.Measured {
			deletes[schemas.RegisterOf(&pitch.Measured[i])] = pitch.Measured[i].Op == schemas.OpDelete
		}
	}
	for reg, records := range p.carriers {
		op := schemas.OpUpsert
		if reg.Identify {
			op = schemas.OpIdentify
		} else if deletes[reg] {
			op = schemas.OpDelete
		}
		for _, rec := range records {
			all.Records = append(all.Records, schemas.ReplayRecord{
				Partition: rec.Partition, Offset: rec.Offset, Op: op, Register: reg,
			})
		}
	}
	for _, l := range p.DeadLetters {
		all.Records = append(all.Records, schemas.ReplayRecord{
			Partition: l.Record.Partition, Offset: l.Record.Offset, Rejected: true,
		})
	}
	return all
}
