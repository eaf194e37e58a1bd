package redissink

import (
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// beatLimit is the age beyond which readers take a processor for dead. It equals heartbeatLimit of package
// api, because date makes an unknown heartbeat just older than that.
const beatLimit = 3 * time.Second

// movements dates heartbeats by the clock of the reader, because the clock of a processor may be wrong by
// hours. A heartbeat whose time differs from that of the look before is taken as written since then, if that
// look is at most beatLimit ago. Its own time counts if it is within beatLimit of the reader's. With both,
// the later counts. With neither, as at the first look at a wrong clock, it is dated as that of a dead
// processor.
type movements struct {
	mu     sync.Mutex          // guards the fields below
	looked time.Time           // the look before this one; zero before the first
	seen   map[string]movement // by processor, as of that look
}

// movement is one heartbeat: the time that it says, and at, our estimate of when it was written, by our
// clock.
type movement struct{ says, at schemas.TimeMS }

// date replaces, in place, the time of each processor's heartbeat by the estimate. It keeps no reference to
// beats, and forgets processors that are not in it. Concurrent calls may come out of order: then a staler
// answer counts as a move for one look.
func (m *movements) date(beats map[string]schemas.Heartbeat, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	limit := schemas.TimeMS(beatLimit.Milliseconds())
	is, looked := schemas.TimeMSOf(now), schemas.TimeMSOf(m.looked)
	seen := make(map[string]movement, len(beats))
	for name, h := range beats {
		last, known := m.seen[name]
		if !known || last.says != h.At {
			last = movement{h.At, min(h.At, is-limit-1)} // not believed: just too old
			if agrees := max(h.At-is, is-h.At) <= limit; agrees {
				last.at = min(h.At, is)
			}
			// guard: api: a heartbeat that moves is of a live processor, whatever its clock | known && -> false && known &&
			if known && is-looked <= limit {
				last.at = max(last.at, looked)
			}
		}
		seen[name] = last
		h.At = last.at
		beats[name] = h
	}
	m.looked, m.seen = now, seen
}
