package consumer

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// partitions are the partitions that this session owns: how far each is, in Kafka and in the store. The Kafka
// client assigns and revokes them in goroutines of its own, at any time; so every answer may be outdated when
// it arrives. Nothing that rests on an outdated one is committed, because the client aborts a transaction
// that saw a revoke.
type partitions struct {
	cfg    *Config
	replay *replayReader // nil in a live session
	client *kgo.Client   // set before the first partition is assigned

	mu          sync.Mutex
	byID        map[int32]*partition // guarded by mu
	refill      int32                // guarded by mu; the partition that is read alone, or noRefill
	assignments int                  // guarded by mu; counts them
}

// noRefill is the partitions.refill of the live road.
const noRefill = -1

// partition is one owned partition.
type partition struct {
	// next is the offset of the next record to apply: the store holds everything below.
	next int64

	// stored is the position in the store, as this session last saw it. It is ≥ next, unless somebody reset the
	// group.
	stored int64

	// floor is the offset that the group had committed at the assignment. A store that came back older is
	// refilled up to here. Below it, dead letters were sent already, and no offset is ever committed again.
	floor int64

	uncommitted bool  // the group has no offset here yet: see commitStart
	committed   int64 // the group's offset as far as this session knows; negative for none
	tally       tally // committed with it

	waits time.Time // of the oldest record known and not applied, or a little earlier; zero when none waits
	shown int64     // everything below was given to the view

	assignment int // distinguishes this assignment from an earlier one of the same partition
}

// isBehind reports that the store came back older than the group's offset, and must be refilled.
func (p *partition) isBehind() bool { return p.next < p.floor }

func newPartitions(cfg *Config, r *replayReader) *partitions {
	return &partitions{cfg: cfg, replay: r, byID: map[int32]*partition{}, refill: noRefill}
}

// assign adds partitions, and pauses those that must not be read yet before the client fetches the first
// record.
func (p *partitions) assign(ids []int32, found []*partition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, id := range ids {
		p.assignments++
		found[i].shown, found[i].assignment = found[i].next, p.assignments
		p.byID[id] = found[i]
		p.cfg.Observer.Position(p.cfg.Topic, id, found[i].shown, found[i].waits)
	}
	p.pause()
}

// drop forgets partitions that were revoked; nil: all of them.
func (p *partitions) drop(gone []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.byID {
		if gone == nil || slices.Contains(gone, id) {
			delete(p.byID, id)
			p.cfg.Observer.Lag(p.cfg.Topic, id, -1)
		}
	}
}

// nextRefill returns the first partition that must be refilled, and has it alone read. Without one, all are
// read.
func (p *partitions) nextRefill() (id int32, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.refill
	p.refill = noRefill
	for _, id := range sortedKeys(p.byID) {
		if p.byID[id].isBehind() && !p.replay.isDone(id) {
			p.refill = id
			break
		}
	}
	if p.refill != before {
		p.pause()
	}
	return p.refill, p.refill != noRefill
}

func (p *partitions) updatePauses() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pause()
}

// pause pauses the partitions that must not be read now, and resumes the others. mu is held.
func (p *partitions) pause() {
	topic := p.cfg.Topic
	live := p.refill == noRefill
	var others []int32
	for id, at := range p.byID {
		// guard: a partition that is filled again is read alone | !live && id != p.refill -> false
		// guard: a partition that is filled again ends the batch of others | at.isBehind() -> at == nil
		if !live && id != p.refill || live && at.isBehind() || p.replay.isDone(id) {
			others = append(others, id)
		}
	}
	// The resume comes last, so that nothing is read in between that must not be.
	if len(others) > 0 {
		p.client.PauseFetchPartitions(map[string][]int32{topic: others})
	}
	paused := p.client.PauseFetchPartitions(nil)[topic]
	paused = slices.DeleteFunc(paused, func(id int32) bool { return slices.Contains(others, id) })
	if len(paused) > 0 {
		p.client.ResumeFetchPartitions(map[string][]int32{topic: paused})
	}
}

// get returns a copy of a partition; ok is false when it was revoked.
func (p *partitions) get(id int32) (at partition, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.byID[id]; at != nil {
		return *at, true
	}
	return partition{}, false
}

// moves returns the new positions of the partitions in a poll; errRevoked when one of them was revoked since.
func (p *partitions) moves(fetches kgo.Fetches) (moves []schemas.PositionMove, err error) {
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 {
			return
		}
		at, ok := p.get(f.Partition)
		if !ok {
			err = errRevoked
			return
		}
		next := f.Records[len(f.Records)-1].Offset + 1
		moves = append(moves, schemas.PositionMove{
			Position: schemas.Position{Topic: f.Topic, Partition: f.Partition, NextOffset: next},
			Expected: at.stored,
		})
	})
	return moves, err
}

// applied notes that the store holds everything below these positions, and its own position too.
func (p *partitions) applied(moves []schemas.PositionMove) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range moves {
		if at := p.byID[m.Partition]; at != nil {
			at.next, at.stored = m.NextOffset, max(at.stored, m.NextOffset)
		}
	}
}

// refilled notes that the store has been refilled up to next, unless the partition was assigned anew since.
// At the floor the live road takes over: the client reads on from there, and rewinds no further after an
// abort.
func (p *partitions) refilled(id int32, assignment int, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.byID[id]
	if at == nil || at.assignment != assignment {
		return
	}
	at.next, at.stored = next, max(at.stored, next)
	if !at.isBehind() {
		floor := map[int32]kgo.EpochOffset{id: {Epoch: -1, Offset: at.floor}}
		p.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{p.cfg.Topic: floor})
	}
}

// started notes the first offsets that the group has committed.
func (p *partitions) started(start map[int32]kgo.EpochOffset) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, offset := range start {
		if at := p.byID[id]; at != nil {
			at.uncommitted, at.committed = false, offset.Offset
		}
	}
}

// committed notes what the group has committed.
func (p *partitions) committed(moves []schemas.PositionMove, tallies map[int32]tally) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range moves {
		if at := p.byID[m.Partition]; at != nil {
			at.committed = m.NextOffset
		}
	}
	for id, t := range tallies {
		if at := p.byID[id]; at != nil {
			at.tally = t
		}
	}
}

// committedOffsets returns the group's offsets of the owned partitions that have one.
func (p *partitions) committedOffsets() map[int32]kgo.EpochOffset {
	p.mu.Lock()
	defer p.mu.Unlock()
	offsets := map[int32]kgo.EpochOffset{}
	for id, at := range p.byID {
		if at.committed >= 0 {
			offsets[id] = kgo.EpochOffset{Epoch: -1, Offset: at.committed}
		}
	}
	return offsets
}

// tallies returns the committed tallies of the owned partitions.
func (p *partitions) tallies() map[int32]tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	tallies := make(map[int32]tally, len(p.byID))
	for id, at := range p.byID {
		tallies[id] = at.tally
	}
	return tallies
}

// positions returns the next offsets of the owned partitions.
func (p *partitions) positions() map[int32]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make(map[int32]int64, len(p.byID))
	for id, at := range p.byID {
		next[id] = at.next
	}
	return next
}

// finished returns the owned partitions of a replay that are read to their end and committed. reached are
// those whose end was polled, because the last records of a partition may all be ones that the replay leaves
// out.
func (p *partitions) finished(to map[int32]int64, reached map[int32]bool) (ids []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, at := range p.byID {
		// guard: replay: it ends when everything is committed | (at.uncommitted || at.committed >= at.next) -> true
		if (at.next >= to[id] || reached[id]) && (at.uncommitted || at.committed >= at.next) {
			ids = append(ids, id)
		}
	}
	return ids
}

// waiting notes that records of this time and later are not applied yet.
func (p *partitions) waiting(id int32, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.byID[id]; at != nil && (at.waits.IsZero() || since.Before(at.waits)) {
		at.waits = since
		p.cfg.Observer.Position(p.cfg.Topic, id, at.shown, at.waits)
	}
}

// readable notes that the view has been given everything up to here: any record that waits is younger.
func (p *partitions) readable(r reach) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.byID[r.partition]
	if at == nil {
		return
	}
	at.shown, at.waits = r.next, r.last
	if !r.last.IsZero() {
		p.cfg.Observer.Readable(p.cfg.Topic, r.partition, r.last)
	}
	p.reportLag(r.partition, at, r.end)
}

// lag reports how many records wait below end, if the partition is still owned.
func (p *partitions) lag(id int32, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.byID[id]; at != nil {
		p.reportLag(id, at, end)
	}
}

// reportLag expects mu to be held.
func (p *partitions) reportLag(id int32, at *partition, end int64) {
	// guard: api: lag ends when a partition is caught up
	if end <= at.shown {
		at.waits = time.Time{}
		// guard: api: lag of what cannot be read
	} else if at.waits.IsZero() {
		at.waits = p.cfg.Now() // not fetched yet
	}
	p.cfg.Observer.Lag(p.cfg.Topic, id, max(end-at.shown, 0))
	p.cfg.Observer.Position(p.cfg.Topic, id, at.shown, at.waits)
}
