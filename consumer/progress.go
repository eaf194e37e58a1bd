package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// A partition with records waiting must move within progressLimit; it is looked at each progressEvery. Together they are
// less than the 15 s after which a stuck partition must be known.
const (
	progressEvery = 3 * time.Second
	progressLimit = 10 * time.Second
)

// progress watches whether every owned partition that has records waiting moves. A processor can be alive, connected
// and well in every other way while one partition stands still.
type progress struct {
	*session
	admin   *kadm.Client
	still   map[int32]standing // partitions that have records waiting
	silence time.Time          // since when Kafka has not answered; zero when it does
}

// standing is a partition that waits.
type standing struct {
	next  int64
	since time.Time
}

// watchProgress looks until ctx ends.
func (s *session) watchProgress(ctx context.Context) {
	p := &progress{session: s, admin: kadm.NewClient(s.kafka.Client()), still: map[int32]standing{}}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.look(ctx)
		}
	}
}

func (p *progress) look(ctx context.Context) {
	attempt, cancel := context.WithTimeout(ctx, progressEvery)
	ends, err := p.admin.ListCommittedOffsets(attempt, p.cfg.Topic)
	cancel()
	now := p.cfg.Now()
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if p.silence.IsZero() {
			p.silence = now
		}
		if waited := now.Sub(p.silence); waited >= progressLimit {
			p.cfg.Observer.Condition("kafka", false, fmt.Sprintf("no answer for %v: %v", waited.Round(time.Second), err))
		}
		return
	}
	p.silence = time.Time{}
	p.cfg.Observer.Condition("kafka", true, "")
	p.judge(now, ends)
}

// judge tells which partitions stand still.
func (p *progress) judge(now time.Time, ends kadm.ListedOffsets) {
	owned := p.owned.positions()
	for id := range p.still {
		if _, ours := owned[id]; !ours {
			delete(p.still, id)
		}
	}
	var stuck []string
	for _, id := range sortedKeys(owned) {
		end, known := ends.Lookup(p.cfg.Topic, id)
		if known && end.Err == nil {
			p.owned.lag(id, end.Offset)
			// guard: a partition without records waiting is not stuck | end.Offset <= owned[id] -> end.Offset < owned[id]
			if end.Offset <= owned[id] {
				delete(p.still, id)
				continue
			}
		}
		at, waiting := p.still[id]
		if !waiting || at.next != owned[id] {
			p.still[id] = standing{next: owned[id], since: now}
			continue
		}
		// guard: a stuck partition is named
		if waited := now.Sub(at.since); waited >= progressLimit {
			stuck = append(stuck, p.describe(id, at.next, end, known, waited))
		}
	}
	p.cfg.Observer.Condition("progress", len(stuck) == 0, strings.Join(stuck, "; "))
}

func (p *progress) describe(id int32, next int64, end kadm.ListedOffset, known bool, waited time.Duration) string {
	what := fmt.Sprintf("%d records wait", end.Offset-next)
	if !known || end.Err != nil {
		what = fmt.Sprintf("its end is not known (%v)", end.Err)
	}
	return fmt.Sprintf("%s/%d stands at offset %d for %v, %s", p.cfg.Topic, id, next, waited.Round(time.Second), what)
}

func sortedKeys[V any](m map[int32]V) []int32 {
	keys := make([]int32, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
