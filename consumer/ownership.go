package consumer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// ownership knows the partitions that are ours: where each stands, in Kafka and in the store.
type ownership struct {
	*Processor
	client *kgo.Client
	joined chan struct{} // closed when client is set: the client may ask for offsets before its maker has returned

	mu         sync.Mutex
	partitions map[int32]*partition
}

// partition is one that we own.
type partition struct {
	next int64 // of the next record to apply; invariant: the store holds everything below
	// stored is the position as we last saw it in the store: ≥ next, unless somebody reset the group or the partition is
	// filled again.
	stored int64
	// floor is what Kafka had committed when we took over. Below it the letters are already sent: a store that came
	// back older is filled again from there without sending them twice, and no offset below it is ever committed.
	floor int64
	// uncommitted says that the group has no offset here yet. One must stand before the store moves: else a crash
	// after the store and before the first commit would lose that batch's letters, as the position alone would be left.
	uncommitted bool
	// committed is the group's offset, as far as we know; negative for none.
	committed int64
	// tally goes with committed.
	tally tally
	// waits is the time of the oldest record that is known and not applied, or a bit before it; zero when there is none.
	waits time.Time
	shown int64 // next as it was when the view was last given what had been applied
}

func newOwnership(p *Processor) *ownership {
	return &ownership{Processor: p, joined: make(chan struct{}), partitions: map[int32]*partition{}}
}

// drop forgets partitions that are not ours any more; nil: all of them.
func (o *ownership) drop(gone []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.partitions {
		if gone == nil || slices.Contains(gone, id) {
			delete(o.partitions, id)
			o.cfg.Observer.Lag(o.cfg.Topic, id, -1)
		}
	}
}

// startOffsets decides where each newly owned partition is read from: at the smaller of what the group committed and
// what the store holds; with nothing committed, at the store's position; with neither, at the earliest record. It waits
// for the store: a partition whose position is unknown is not read.
func (o *ownership) startOffsets(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	select {
	case <-o.joined:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	committed := fetched[o.cfg.Topic]
	if len(committed) == 0 {
		return fetched, nil
	}
	ids := make([]int32, 0, len(committed))
	for id := range committed {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	found, err := retry(ctx, o.Processor, "postgres", func() ([]*partition, error) { return o.locate(ctx, ids, committed) })
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	for i, id := range ids {
		committed[id] = kgo.NewOffset().At(found[i].next)
		o.partitions[id] = found[i]
		found[i].shown = found[i].next
		o.cfg.Observer.Position(o.cfg.Topic, id, found[i].shown, found[i].waits)
	}
	o.mu.Unlock()
	o.readInTurn() // before the first record of these partitions is read
	return fetched, nil
}

// locate asks Kafka for the ends of the partitions, and the store for its positions.
func (o *ownership) locate(ctx context.Context, ids []int32, committed map[int32]kgo.Offset) ([]*partition, error) {
	admin := kadm.NewClient(o.client)
	bounds, err := kafkaread.Bounds(ctx, admin, o.cfg.Topic, kgo.ReadUncommitted())
	if err != nil {
		return nil, err
	}
	start := make([]schemas.Position, len(ids))
	for i, id := range ids {
		first := o.cfg.Replay.start(id, bounds[id].From)
		start[i] = schemas.Position{Topic: o.cfg.Topic, Partition: id, NextOffset: first}
	}
	stored, err := o.store.EnsurePositions(ctx, start)
	if err != nil {
		return nil, err
	}
	offsets, err := admin.FetchOffsets(ctx, o.cfg.Group)
	if err != nil {
		return nil, fmt.Errorf("kafka: offsets of group %s: %w", o.cfg.Group, err)
	}
	found := make([]*partition, len(ids))
	for i, id := range ids {
		found[i] = place(committed[id].EpochOffset().Offset, stored[i].NextOffset)
		if found[i].next < bounds[id].To {
			found[i].waits = o.cfg.Now()
		}
		if at, ok := offsets.Lookup(o.cfg.Topic, id); ok && at.At == found[i].committed {
			// guard: the breaker's count outlives a crash
			found[i].tally = parseTally(at.Metadata)
		}
		if err := o.checkGap(ctx, id, found[i], start[i].NextOffset, bounds[id].To); err != nil {
			return nil, err
		}
	}
	o.cfg.Observer.Condition("gap", true, "")
	return found, nil
}

// place is the rule of where to read from. A negative committed offset means that there is none.
func place(committed, stored int64) *partition {
	if committed < 0 {
		return &partition{next: stored, stored: stored, floor: stored, uncommitted: true, committed: -1}
	}
	// guard: reading starts at the offset when the position is ahead | min(committed, stored) -> stored
	// guard: reading starts at the smaller of offset and position | min(committed, stored) -> committed
	return &partition{next: min(committed, stored), stored: stored, floor: committed, committed: committed}
}

// checkGap refuses to jump over records that are no longer, or not any more, in the topic, unless a person accepted it.
func (o *ownership) checkGap(ctx context.Context, id int32, p *partition, first, end int64) error {
	// guard: a gap is not jumped over | always
	if first <= p.next && p.next <= end {
		return nil
	}
	gap := fmt.Sprintf("%s/%d: the next record to apply is offset %d, but the topic holds %d to %d", o.cfg.Topic, id, p.next, first, end-1)
	if !o.cfg.AcceptGap {
		gap += ": what is missing is lost to this group; run with --accept-gap to go on from there"
		o.cfg.Observer.Condition("gap", false, gap)
		return fmt.Errorf("%s", gap)
	}
	o.cfg.Log.Warn("accepting a gap", "gap", gap, "going on at", first)
	if err := o.store.SetPosition(ctx, schemas.Position{Topic: o.cfg.Topic, Partition: id, NextOffset: first}); err != nil {
		return err
	}
	*p = partition{next: first, stored: first, floor: first, uncommitted: true, committed: -1}
	return nil
}

// tallies are those of all owned partitions once these records have passed with these letters, after the tallies so far;
// nil: those that are committed.
func (o *ownership) tallies(sofar map[int32]tally, passed []Decoded, letters []schemas.DeadLetter) map[int32]tally {
	rejected := map[int32]map[int64]bool{}
	for _, l := range letters {
		if rejected[l.Record.Partition] == nil {
			rejected[l.Record.Partition] = map[int64]bool{}
		}
		rejected[l.Record.Partition][l.Record.Offset] = true
	}
	offsets := map[int32][]int64{}
	for i := range passed {
		at := passed[i].Record.Coordinates
		offsets[at.Partition] = append(offsets[at.Partition], at.Offset)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	tallies := make(map[int32]tally, len(o.partitions))
	for id, p := range o.partitions {
		tallies[id] = p.tally
	}
	maps.Copy(tallies, sofar)
	for id, offsets := range offsets {
		if t, ok := tallies[id]; ok {
			tallies[id] = t.after(o.cfg.Now(), o.cfg.Breaker.Window, offsets, rejected[id])
		}
	}
	return tallies
}

// committed notes what the group holds now.
func (o *ownership) committed(moves []schemas.PositionMove, tallies map[int32]tally) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range moves {
		if p := o.partitions[m.Partition]; p != nil {
			p.committed = m.NextOffset
		}
	}
	for id, t := range tallies {
		if p := o.partitions[id]; p != nil {
			p.tally = t
		}
	}
}

// committedOffsets are the group's, of the owned partitions that have one.
func (o *ownership) committedOffsets() map[int32]kgo.EpochOffset {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := map[int32]kgo.EpochOffset{}
	for id, p := range o.partitions {
		if p.committed >= 0 {
			at[id] = kgo.EpochOffset{Epoch: -1, Offset: p.committed}
		}
	}
	return at
}

// positions are the next offsets of the owned partitions.
func (o *ownership) positions() map[int32]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := make(map[int32]int64, len(o.partitions))
	for id, p := range o.partitions {
		next[id] = p.next
	}
	return next
}

// lag tells how many records wait below end, if the partition is still ours.
func (o *ownership) lag(id int32, end int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.partitions[id]; p != nil {
		o.tellLag(id, p, end)
	}
}

// tellLag is with the lock held.
func (o *ownership) tellLag(id int32, p *partition, end int64) {
	// guard: api: lag ends when a partition is caught up
	if end <= p.shown {
		p.waits = time.Time{}
		// guard: api: lag of what cannot be read
	} else if p.waits.IsZero() {
		p.waits = o.cfg.Now() // not fetched yet
	}
	o.cfg.Observer.Lag(o.cfg.Topic, id, max(end-p.shown, 0))
	o.cfg.Observer.Position(o.cfg.Topic, id, p.shown, p.waits)
}

// waiting notes that records of this time and later are not applied yet.
func (o *ownership) waiting(id int32, since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.partitions[id]; p != nil && (p.waits.IsZero() || since.Before(p.waits)) {
		p.waits = since
		o.cfg.Observer.Position(o.cfg.Topic, id, p.shown, p.waits)
	}
}

// shown notes that the view has been given everything up to here: what waits behind it is younger.
func (o *ownership) shown(r reach) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.partitions[r.partition]
	if p == nil {
		return
	}
	p.shown, p.waits = r.next, r.last
	o.cfg.Observer.Readable(o.cfg.Topic, r.partition, r.last)
	o.tellLag(r.partition, p, r.end)
}

// behind is the first partition that is being filled again, below what was committed. The lock is held.
func (o *ownership) behind() (id int32, ok bool) {
	for _, id := range o.ids() {
		if p := o.partitions[id]; p.next < p.floor {
			return id, true
		}
	}
	return 0, false
}

// readInTurn lets a partition that is filled again be read alone, so that no commit mixes what may be committed with
// what must not; and all of them once it has caught up.
func (o *ownership) readInTurn() {
	o.mu.Lock()
	defer o.mu.Unlock()
	topic := o.cfg.Topic
	var others []int32
	behind, found := o.behind()
	for id := range o.partitions {
		// guard: a partition that is filled again is read alone | found && id != behind -> false
		if found && id != behind || o.cfg.Replay.isDone(id) {
			others = append(others, id)
		}
	}
	// First pause, then resume: in between nothing is read that must not be.
	if len(others) > 0 {
		o.client.PauseFetchPartitions(map[string][]int32{topic: others})
	}
	paused := o.client.PauseFetchPartitions(nil)[topic]
	paused = slices.DeleteFunc(paused, func(id int32) bool { return slices.Contains(others, id) })
	if len(paused) > 0 {
		o.client.ResumeFetchPartitions(map[string][]int32{topic: paused})
	}
}

func (o *ownership) ids() []int32 {
	ids := make([]int32, 0, len(o.partitions))
	for id := range o.partitions {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// get is a copy of what is known of a partition; ok is false when it is not ours.
func (o *ownership) get(id int32) (p partition, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at := o.partitions[id]; at != nil {
		return *at, true
	}
	return partition{}, false
}

// applied notes that the store holds everything below these positions, and stands there itself unless it is held back.
func (o *ownership) applied(moves []schemas.PositionMove) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range moves {
		if p := o.partitions[m.Partition]; p != nil {
			p.next = m.NextOffset
			if p.stored >= p.floor {
				p.stored = max(p.stored, m.NextOffset)
			}
		}
	}
}

// caughtUp notes that the store stands here now.
func (o *ownership) caughtUp(moves []schemas.PositionMove) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range moves {
		if p := o.partitions[m.Partition]; p != nil {
			p.stored = max(p.stored, m.NextOffset)
		}
	}
}

// retry calls f until it succeeds or ctx ends, with growing pauses: what fails there is ours and passes.
func retry[T any](ctx context.Context, p *Processor, what string, f func() (T, error)) (T, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, time.Second
	for {
		v, err := f()
		if err == nil {
			p.cfg.Observer.Condition(what, true, "")
			return v, nil
		}
		if ctx.Err() != nil {
			return v, context.Cause(ctx)
		}
		if permanent(err) {
			return v, err
		}
		p.cfg.Observer.Condition(what, false, err.Error())
		wait := pause.NextBackOff()
		p.cfg.Log.Warn("waiting to try again", "step", what, "error", err, "after", wait)
		sleep(ctx, wait)
	}
}
