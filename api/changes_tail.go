package api

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

const (
	// tailEvery is the interval at which the feed is polled while clients follow it.
	tailEvery = 100 * time.Millisecond
	// tailBytes bounds the newest changes that are kept for clients that are a little behind.
	tailBytes = 8 << 20
)

// feedTail reads the newest changes once for all clients that follow. It works while there are any.
type feedTail struct {
	api *API

	mu      sync.Mutex
	readers int
	// at is the place up to which the tail has read; its Feed is "" while no reader has said where to begin.
	// entries are the changes up to it, without a gap, of this many bytes. mu guards these and the fields
	// below.
	at      schemas.FeedID
	entries []feedEntry
	bytes   int
	// before is the last place of the feed before that of at, if the tail has gone over from it.
	before schemas.FeedID
	// isLive reports that the tail has read the newest change since it began.
	isLive bool
	// generation is another one after the feed ended.
	generation int
	// moved is closed when one of the above changes.
	moved chan struct{}
}

// Where a place is, seen from the tail.
const (
	tailReady  = iota // what comes behind it is here, or will be
	tailBehind        // it is older than what is kept
	tailEnded         // the feed does not go on
)

func (t *feedTail) init(a *API) {
	t.api, t.moved = a, make(chan struct{})
}

// join makes the caller a reader until leave. A tail without readers begins where the first one is. While it
// catches up, it moves ahead to each reader whose place is later, so that no reader waits for one that is far
// behind. Readers behind the tail load pages of their own.
func (t *feedTail) join(at schemas.FeedID) (generation int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readers++
	// guard: changes: no reader waits for one that is far behind | || !t.isLive && at.Seq > t.at.Seq ->
	if t.at.Feed == "" || !t.isLive && at.Seq > t.at.Seq {
		t.begin(at)
	}
	return t.generation
}

// begin makes the tail go on from a place, with nothing read. The caller holds mu.
func (t *feedTail) begin(at schemas.FeedID) {
	t.at, t.before, t.entries, t.bytes, t.isLive = at, schemas.FeedID{}, nil, 0, false
}

func (t *feedTail) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.readers--; t.readers == 0 {
		t.begin(schemas.FeedID{})
	}
}

// covers reports whether the tail has what comes behind a place.
func (t *feedTail) covers(at schemas.FeedID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.at.Seq - int64(len(t.entries))
	return at.Feed != "" && at.Feed == t.at.Feed && first <= at.Seq && at.Seq <= t.at.Seq
}

// after returns some of the changes behind a place, and a channel that is closed when there are more.
func (t *feedTail) after(
	at schemas.FeedID, generation int,
) (entries []feedEntry, moved <-chan struct{}, where int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.at.Seq - int64(len(t.entries))
	switch {
	case generation != t.generation:
		return nil, nil, tailEnded
	// Only Postgres knows whether a place of another feed leads here.
	// guard: changes: a place of another feed is asked for in Postgres | at.Seq < first || !t.leadsHere(at) -> at.Seq < first
	case at.Seq < first || !t.leadsHere(at):
		return nil, nil, tailBehind
	case at.Seq < t.at.Seq:
		entries = t.entries[at.Seq-first:]
		size := 0
		for i := range entries {
			if size += len(entries[i].frame); size >= writeBytes {
				entries = entries[:i+1]
				break
			}
		}
		// The array of entries is never written again where it was read: it only grows, or is left.
		return entries[:len(entries):len(entries)], t.moved, tailReady
	}
	return nil, t.moved, tailReady
}

// leadsHere reports whether a place is of the feed of the tail, or of the one before, up to where the tail
// went over. The caller holds mu.
func (t *feedTail) leadsHere(at schemas.FeedID) bool {
	return at.Feed == t.at.Feed || at.Feed == t.before.Feed && at.Seq <= t.before.Seq
}

// run polls until ctx ends.
func (t *feedTail) run(ctx context.Context) {
	every(ctx, tailEvery, func() {
		for t.poll(ctx) {
		}
	})
}

// poll reads the next changes, and reports whether there are more at once.
func (t *feedTail) poll(ctx context.Context) (more bool) {
	t.mu.Lock()
	at, readers := t.at, t.readers
	t.mu.Unlock()
	store, ok := t.api.cfg.Store.(ChangeStore)
	// guard: changes: a tail that ended waits for a reader | at.Feed == "" -> false
	if readers == 0 || at.Feed == "" || !ok {
		return false
	}
	page, err := askChanges(ctx, t.api, store, &at, pageChanges)
	if err != nil {
		if errors.Is(err, schemas.ErrFeedGone) {
			t.end(at)
		}
		t.api.hub.warn(err)
		return false
	}
	read := make([]feedEntry, len(page.Changes))
	for i := range page.Changes {
		read[i] = encodeChange(nil, page.Feed, &page.Changes[i])
	}
	return t.add(at, page, read)
}

// end sends the readers away: those that come back get an error.
func (t *feedTail) end(at schemas.FeedID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at != at {
		return
	}
	t.generation++
	t.begin(schemas.FeedID{})
	t.signal()
}

// add appends what was read behind a place, unless the tail is elsewhere by now.
func (t *feedTail) add(at schemas.FeedID, page schemas.FeedPage, read []feedEntry) (more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at != at {
		return false
	}
	if t.at.Feed != page.Feed {
		t.before, t.at.Feed = t.at, page.Feed
	}
	if len(read) == 0 {
		t.isLive = true
		return false
	}
	t.entries = append(t.entries, read...)
	t.at.Seq = read[len(read)-1].seq
	for _, e := range read {
		t.bytes += len(e.frame)
	}
	drop := 0
	// guard: changes: the tail is bounded
	for ; t.bytes > tailBytes; drop++ {
		t.bytes -= len(t.entries[drop].frame)
	}
	if drop > 0 {
		t.entries = slices.Clone(t.entries[drop:])
	}
	t.signal()
	t.isLive = t.isLive || t.at.Seq >= page.Newest
	return t.at.Seq < page.Newest
}

func (t *feedTail) signal() {
	close(t.moved)
	t.moved = make(chan struct{})
}
