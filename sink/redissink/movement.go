package redissink

import (
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// beatLimit is the age beyond which readers take a heartbeat for that of a dead processor.
const beatLimit = 3 * time.Second

// movements dates heartbeats by the clock of the reader, because the clock of a processor may be wrong by
// hours. A heartbeat that moved between two looks is younger than the first of them. Its own time
// counts only where both clocks agree. Where neither says anything, as at the first look at a wrong clock, it
// counts as that of a dead processor until it moves.
type movements struct {
	mu     sync.Mutex // guards the fields below
	looked time.Time
	seen   map[string]movement
}

// movement is one heartbeat: what it says, and when it was written, by our own clock.
type movement struct{ says, at schemas.TimeMS }

// date replaces the time of each heartbeat by that of our own clock.
func (m *movements) date(beats map[string]schemas.Heartbeat, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	limit := schemas.TimeMS(beatLimit.Milliseconds())
	is, looked := schemas.TimeMSOf(now), schemas.TimeMSOf(m.looked)
	seen := make(map[string]movement, len(beats))
	for name, h := range beats {
		last, known := m.seen[name]
		if !known || last.says != h.At {
			last = movement{h.At, min(h.At, is-limit-1)}
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
