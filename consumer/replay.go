package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// Replay bounds a processor to a part of the topic, and has the store count what became of each record. Processors of
// one process that share a group share the Replay too.
type Replay struct {
	ID              string                            // under which the store counts
	From, To        map[int32]int64                   // of each partition: the first offset, and the one at which to end
	Keep            func(*kgo.Record) bool            // which records are meant; nil: all
	SendDeadLetters bool                              // send them
	Pace            func(ctx context.Context)         // called before each poll: returns when it may be read on; nil: at once
	Seen            func(partition int32, next int64) // told how far was read; nil: nobody is

	mu   sync.Mutex
	done map[int32]bool
}

// errReplayed ends a session at the end of its replay.
var errReplayed = errors.New("the replay is at its end")

// replayPoll is how long a poll of a replay waits: what is to end may have nothing to come.
const replayPoll = 250 * time.Millisecond

// options has the client give the marks of transactions: where they are last, no record ever reaches the end.
func (r *Replay) options() []kgo.Opt {
	if r == nil {
		return nil
	}
	return []kgo.Opt{kgo.KeepControlRecords()}
}

// guard: replay: no letters onto live | r == nil || r.SendDeadLetters -> true
func (r *Replay) sendsLetters() bool { return r == nil || r.SendDeadLetters }

// start is the offset that reading begins with, where nothing is stored: not below the first that there is.
func (r *Replay) start(id int32, first int64) int64 {
	if r == nil {
		return first
	}
	return max(first, r.From[id])
}

// isDone tells whether a partition has been read to its end, or has no part in this.
func (r *Replay) isDone(id int32) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done[id] || r.From[id] >= r.To[id]
}

func (r *Replay) allDone() bool {
	for id := range r.To {
		if !r.isDone(id) {
			return false
		}
	}
	return true
}

func (r *Replay) finish(id int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		r.done = map[int32]bool{}
	}
	r.done[id] = true
}

// poll is the client's; of a replay, without what is beyond its bounds.
func (s *session) poll(ctx context.Context) kgo.Fetches {
	r := s.cfg.Replay
	if r == nil {
		return s.kafka.PollRecords(ctx, s.cfg.PollMaxRecords)
	}
	ctx, cancel := context.WithTimeout(ctx, replayPoll)
	defer cancel()
	if r.Pace != nil {
		r.Pace(ctx)
	}
	if ctx.Err() != nil {
		return nil
	}
	fetches := s.kafka.PollRecords(ctx, s.cfg.PollMaxRecords)
	for i := range fetches {
		for j := range fetches[i].Topics {
			for k := range fetches[i].Topics[j].Partitions {
				s.trim(&fetches[i].Topics[j].Partitions[k])
			}
		}
	}
	return fetches
}

// trim takes out what is not meant, and notes where the end was seen.
func (s *session) trim(f *kgo.FetchPartition) {
	if len(f.Records) == 0 {
		return
	}
	r, last := s.cfg.Replay, f.Records[len(f.Records)-1].Offset
	to := r.To[f.Partition]
	kept := f.Records[:0]
	for _, rec := range f.Records {
		// guard: replay: marks of transactions are no records | && !rec.Attrs.IsControl() ->
		// guard: replay: nothing beyond its bounds | rec.Offset < to && ->
		if rec.Offset < to && !rec.Attrs.IsControl() && (r.Keep == nil || r.Keep(rec)) {
			kept = append(kept, rec)
		}
	}
	clear(f.Records[len(kept):])
	f.Records = kept
	if last+1 >= to && !s.reached[f.Partition] {
		s.reached[f.Partition] = true
		s.fresh = append(s.fresh, f.Partition)
	}
	if r.Seen != nil {
		r.Seen(f.Partition, min(last+1, to))
	}
}

// settle keeps what was seen since the last commit, or forgets it: it is read again.
func (s *session) settle(committed bool) {
	if !committed {
		for _, id := range s.fresh {
			delete(s.reached, id)
		}
	}
	s.fresh = s.fresh[:0]
}

// replayed says whether everything of a replay is in the stores and committed, by us or by another one.
func (s *session) replayed() bool {
	r := s.cfg.Replay
	if r == nil {
		return false
	}
	for _, id := range s.owned.finished(r.To, s.reached) {
		if !r.isDone(id) {
			r.finish(id)
			defer s.owned.readInTurn()
		}
	}
	return r.allDone()
}

// finished are the owned partitions of which nothing is to come, and nothing is uncommitted.
func (o *ownership) finished(to map[int32]int64, reached map[int32]bool) (ids []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, p := range o.partitions {
		// guard: replay: it ends when everything is committed | (p.uncommitted || p.committed >= p.next) -> true
		if (p.next >= to[id] || reached[id]) && (p.uncommitted || p.committed >= p.next) {
			ids = append(ids, id)
		}
	}
	return ids
}

// bounds are how far offsets may be committed: of a replay no further than what is in the stores, as more was polled.
func (s *session) bounds() map[int32]int64 {
	if s.cfg.Replay == nil {
		return nil
	}
	return s.owned.positions()
}

// step is what the store is to count of a poll; nil: nothing.
func (r *Replay) step(p Plan) *schemas.Replay {
	if r == nil {
		return nil
	}
	step, deletes := &schemas.Replay{ID: r.ID}, map[schemas.Register]bool{}
	for _, pitch := range p.Pitches {
		for i := range pitch.Measured {
			deletes[schemas.RegisterOf(&pitch.Measured[i])] = pitch.Measured[i].Op == schemas.OpDelete
		}
	}
	for by, records := range p.writers {
		reg := schemas.Register{PitchID: by.pitch, Identify: by.identify, Version: by.version}
		op := schemas.OpUpsert
		if reg.Identify {
			op = schemas.OpIdentify
		} else if deletes[reg] {
			op = schemas.OpDelete
		}
		for _, rec := range records {
			step.Records = append(step.Records, schemas.ReplayRecord{Partition: rec.Partition, Offset: rec.Offset, Op: op, Register: reg})
		}
	}
	for _, l := range p.DeadLetters {
		step.Records = append(step.Records, schemas.ReplayRecord{Partition: l.Record.Partition, Offset: l.Record.Offset, Rejected: true})
	}
	return step
}
