package consumer

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// partitions are the partitions that this session owns: how far each is, in Kafka and in the store. The Kafka
// client assigns and revokes them in goroutines of its own, at any time; so every answer may be outdated when
// it arrives. Nothing that rests on an outdated one is committed, because the client aborts a transaction
// that saw a revoke.
type partitions struct {
	cfg    *Config
	replay *sessionReplay // nil in a live session
	trace  *tracer        // nil: off
	client *kgo.Client    // set before the first partition is assigned
	source *sourceReader  // nil: the client reads; set before the first partition is assigned

	mu          sync.Mutex
	byID        map[int32]*partition // guarded by mu
	refill      int32                // guarded by mu; the partition that is read alone, or noRefill
	assignments int                  // guarded by mu; counts them
	// isAssigned has the partitions of the group's last assignment; nil before the first, and of a Source. It
	// changes before byID does. mu guards it.
	isAssigned map[int32]bool
}

// noRefill is the value of partitions.refill while nothing is refilled.
const noRefill = -1

// partition is one owned partition.
type partition struct {
	// next is the offset of the next record to apply: the store holds everything below.
	next int64

	// stored is the position in the store, as this session last saw it. It is ≥ next, unless a person has
	// reset the group.
	stored int64

	// floor is the offset that the group had committed at the assignment. A store that came back older is
	// refilled up to here. Below it, dead letters were sent already, and no offset is ever committed again.
	// It is next where another core has judged the records up to there: see starter.useMetadata.
	floor      int64
	floorEpoch int32 // of the log, with which it was committed; −1: not known

	// rewind is the offset to which the client goes back after an abort, or a smaller one. polled is the one
	// after the last record that it has returned since; −1: none.
	rewind, polled int64

	uncommitted bool  // the group has no offset here that counts: see commitStart
	accepted    bool  // a person has accepted a gap here in this session
	committed   int64 // the group's offset as far as this session knows; negative for none
	tally       tally // committed with it
	isOwnOffset bool  // at the assignment, a processor that keeps the range below had committed it

	// From deadLettersFrom to below deadLettersBelow, as known at the assignment, every dead letter is
	// committed and none is sent again. The range exceeds committed only after the group was set back by
	// hand.
	deadLettersFrom, deadLettersBelow int64

	waits time.Time // of the oldest record known and not applied, or a little earlier; zero when none waits
	shown int64     // everything below was given to the view

	topicID    string // of the raw topic, at the assignment; "" of brokers without IDs
	assignment int    // distinguishes this assignment from an earlier one of the same partition
}

// isBehind reports that the store came back older than the group's offset, and must be refilled.
func (p *partition) isBehind() bool { return p.next < p.floor }

// assign adds partitions, and pauses those that must not be read yet before the client fetches the first
// record.
func (p *partitions) assign(ids []int32, found []*partition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, id := range ids {
		p.assignments++
		found[i].shown, found[i].assignment = found[i].next, p.assignments
		found[i].rewind, found[i].polled = found[i].next, -1
		p.byID[id] = found[i]
		p.cfg.Observer.Position(p.cfg.Topic, id, found[i].shown, found[i].waits)
	}
	p.pause()
}

// forget removes partitions that were revoked; nil: all of them.
func (p *partitions) forget(gone []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLocked(gone)
}

// forgetLocked is forget for a caller that holds mu.
func (p *partitions) forgetLocked(gone []int32) {
	for id := range p.byID {
		if gone == nil || slices.Contains(gone, id) {
			delete(p.byID, id)
			p.cfg.Observer.Lag(p.cfg.Topic, id, -1)
		}
	}
}

// notePoll calls note with mu held if all partitions of a poll are owned, else it returns errRevoked. The
// client may return records of others: an abort while it loses its partitions makes it read them again, until
// it has forgotten them. uncommitted are the partitions that commitStart must commit.
func (p *partitions) notePoll(reached []reach, note func()) (uncommitted []reach, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range reached {
		at := p.byID[r.partition]
		// guard: records of a partition that was revoked are no poll of the session
		if at == nil {
			return nil, errRevoked
		}
		if at.uncommitted {
			uncommitted = append(uncommitted, r)
		}
	}
	note()
	return uncommitted, nil
}

// nextRefill returns the first partition that must be refilled, and has it alone read. Without one, all are
// read.
func (p *partitions) nextRefill() (id int32, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.refill
	p.refill = noRefill
	for _, id := range slices.Sorted(maps.Keys(p.byID)) {
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
	p.update(id, func(owned *partition) { at, ok = *owned, true })
	return at, ok
}

// update calls change with a partition while it holds the lock, if the partition is still owned.
func (p *partitions) update(id int32, change func(at *partition)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.byID[id]; at != nil {
		change(at)
	}
}

// applied notes that the store holds everything below these positions, and its own position too.
func (p *partitions) applied(moves []schemas.PositionMove) {
	for _, m := range moves {
		p.update(m.Partition, func(at *partition) {
			at.next, at.stored = m.NextOffset, max(at.stored, m.NextOffset)
		})
	}
}

// refilled notes that the store has been refilled up to next, unless the partition was assigned anew since.
// At the floor session.process takes over: the client reads on from there, and rewinds no further after an
// abort.
func (p *partitions) refilled(id int32, assignment int, next int64) {
	p.update(id, func(at *partition) {
		if at.assignment != assignment {
			return
		}
		at.next, at.stored = next, max(at.stored, next)
		if !at.isBehind() {
			p.readFrom(id, at, kgo.EpochOffset{Epoch: at.floorEpoch, Offset: at.floor})
		}
	})
}

// readFrom has the client read a partition from this offset on, now and after an abort. mu is held.
func (p *partitions) readFrom(id int32, at *partition, from kgo.EpochOffset) {
	at.rewind, at.polled = from.Offset, -1
	p.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{p.cfg.Topic: {id: from}})
	if p.source != nil {
		p.source.seek(id, from.Offset)
	}
}

// polled notes a poll. A placeholder of a packed batch may begin before the offset from which the client
// reads: of such a one only the records from there on are to be loaded. The others were processed before, and
// their dead letters sent.
func (p *partitions) polled(f kgo.FetchTopicPartition) {
	if len(f.Records) == 0 {
		return
	}
	p.update(f.Partition, func(at *partition) {
		from := at.rewind
		if at.polled >= 0 {
			from = at.polled
		}
		// guard: no record is processed again for being packed with others | f.Records[0].Offset >= from -> false
		if f.Records[0].Offset >= from { // else the client has gone back by itself
			kafkaread.Narrow(f.Records[0], from, math.MaxInt64)
		}
		at.polled = f.Records[len(f.Records)-1].Offset + 1
	})
}

// rewound notes that the client has gone back to where each partition is committed. One that is refilled goes
// on where the store is: the client knows only where the refill began, and a refill that started over after
// each abort might never end.
func (p *partitions) rewound() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, at := range p.byID {
		// guard: what was dropped is loaded again from packed batches, too
		at.polled = -1
		// guard: a refill does not start over after an abort | at.isBehind() -> false
		if at.isBehind() && at.next != at.rewind {
			p.readFrom(id, at, kgo.EpochOffset{Epoch: -1, Offset: at.next})
		}
	}
}

// started notes the first offsets that the group has committed.
func (p *partitions) started(start map[int32]kgo.EpochOffset) {
	for id, offset := range start {
		p.update(id, func(at *partition) {
			at.uncommitted, at.committed = false, offset.Offset
			at.rewind = min(at.rewind, offset.Offset)
		})
		p.cfg.startFound.Store(id, true)
	}
}

// committed notes what the group has committed.
func (p *partitions) committed(moves []schemas.PositionMove, tallies map[int32]tally) {
	for _, m := range moves {
		p.update(m.Partition, func(at *partition) { at.committed, at.rewind = m.NextOffset, m.NextOffset })
	}
	for id, t := range tallies {
		p.update(id, func(at *partition) { at.tally = t })
	}
}

// collect returns what read returns of each owned partition.
func collect[T any](p *partitions, read func(at *partition) T) map[int32]T {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := make(map[int32]T, len(p.byID))
	for id, at := range p.byID {
		found[id] = read(at)
	}
	return found
}

// accepted returns the partitions with a gap that was accepted and whose start is not committed yet.
func (p *partitions) accepted() (found []reach) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, at := range p.byID {
		if at.accepted && at.uncommitted {
			found = append(found, reach{partition: id})
		}
	}
	return found
}

// wasSent reports whether the dead letter of a record is committed already, as after the group was set back.
func (p *partitions) wasSent(l schemas.DeadLetter) bool {
	at, ok := p.get(l.Record.Partition)
	// guard: a group that is set back by hand sends no dead letter again | ok && -> !ok &&
	return ok && p.replay == nil &&
		at.deadLettersFrom <= l.Record.Offset && l.Record.Offset < at.deadLettersBelow
}

// tallies returns the committed tallies of the owned partitions.
func (p *partitions) tallies() map[int32]tally {
	return collect(p, func(at *partition) tally { return at.tally })
}

// positions returns the next offsets of the owned partitions.
func (p *partitions) positions() map[int32]int64 {
	return collect(p, func(at *partition) int64 { return at.next })
}

// topicID returns the ID of the raw topic that is read; "" while nothing is.
func (p *partitions) topicID() string {
	for _, id := range collect(p, func(at *partition) string { return at.topicID }) {
		return id
	}
	return ""
}

// waiting notes that records of this time and later are not applied yet.
func (p *partitions) waiting(id int32, since time.Time) {
	p.update(id, func(at *partition) {
		if at.waits.IsZero() || since.Before(at.waits) {
			at.waits = since
			p.cfg.Observer.Position(p.cfg.Topic, id, at.shown, at.waits)
		}
	})
}

// readable notes that the view has been given everything up to here: any record that waits is younger.
func (p *partitions) readable(r reach) {
	p.update(r.partition, func(at *partition) {
		at.shown, at.waits = r.next, r.last
		if !r.last.IsZero() {
			p.cfg.Observer.Readable(p.cfg.Topic, r.partition, r.last)
		}
		p.reportLag(r.partition, at, r.end)
	})
}

// lag reports how many records wait below end, if the partition is still owned.
func (p *partitions) lag(id int32, end int64) {
	p.update(id, func(at *partition) { p.reportLag(id, at, end) })
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

// reportUnread reports the lag of a partition that no processor owns, unless it is owned by now; −1: another
// processor owns it.
func (p *partitions) reportUnread(id int32, lag int64, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID[id] != nil {
		return
	}
	if lag >= 0 {
		p.cfg.Observer.Position(p.cfg.Topic, id, 0, since)
	}
	p.cfg.Observer.Lag(p.cfg.Topic, id, lag)
}
