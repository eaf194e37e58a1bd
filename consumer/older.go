package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// compareEvery is the time between two comparisons of the stored positions. A store that came back older is
// found after that, also when no record comes any more.
const compareEvery = 3 * time.Second

// watchPositions calls end when a stored position is below the one that this session saw there. A batch
// would be refused then, but in a partition whose feed has ended there is none. A store that does not answer
// is asked again.
func watchPositions(ctx context.Context, cfg *Config, store Store, owned *partitions, end func(error)) {
	for range ticks(ctx, compareEvery) {
		seen := owned.storedPositions() // before the store is asked, because positions only rise
		if len(seen) == 0 {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, compareEvery)
		stored, err := store.Positions(asking, cfg.Topic)
		cancel()
		if err != nil {
			continue
		}
		for id, at := range seen {
			// guard: a store that came back older is found without a record
			if stored[id] < at {
				end(fmt.Errorf("%s/%d: stored up to offset %d, not %d: %w", cfg.Topic, id, stored[id], at,
					schemas.ErrPositionBehind))
				return
			}
		}
	}
}

// storedPositions returns the position of each owned partition as this session last saw it in the store.
func (p *partitions) storedPositions() map[int32]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := make(map[int32]int64, len(p.byID))
	for id, at := range p.byID {
		seen[id] = at.stored
	}
	return seen
}
