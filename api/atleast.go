package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// route says where an answer may come from: live is Redis, memory the answers of earlier requests. Postgres
// is always allowed.
type route struct{ live, memory bool }

// offset names a record whose effect the answer must include.
type offset struct {
	partition int32
	offset    int64
}

// parseOffsets reads PARTITION:OFFSET[,…].
func parseOffsets(text string) (need []offset, err error) {
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		p, o, _ := strings.Cut(part, ":")
		partition, e1 := strconv.ParseUint(p, 10, 31)
		at, e2 := strconv.ParseUint(o, 10, 63)
		if e1 != nil || e2 != nil {
			return nil, fmt.Errorf("%q: want PARTITION:OFFSET, several with commas", part)
		}
		need = append(need, offset{int32(partition), int64(at)})
	}
	return need, nil
}

// notApplied is the error of a request that waited in vain for its records.
type notApplied struct {
	missing []string
	waited  time.Duration
}

func (e *notApplied) Error() string {
	return fmt.Sprintf("not applied within %v: %s", e.waited, strings.Join(e.missing, ", "))
}

// waitEvery is the interval at which the positions are read.
const waitEvery = 10 * time.Millisecond

// wait returns once the records are applied, with the stores that have them: Redis if live is set and Redis
// is up to date, else Postgres only. It reads the positions before the caller reads the states, so the states
// include the records.
func (s *sources) wait(ctx context.Context, need []offset, live bool) (route, error) {
	if len(need) == 0 {
		return route{live: live, memory: true}, nil
	}
	defer stepAside(ctx)()
	deadline := time.After(s.cfg.AtLeastWait)
	tick := time.Tick(waitEvery)
	for {
		missing, from := s.missing(ctx, need, live)
		if len(missing) == 0 {
			return from, nil
		}
		select {
		case <-ctx.Done():
			return route{}, ctx.Err()
		case <-deadline:
			return route{}, &notApplied{missing, s.cfg.AtLeastWait}
		case <-tick:
		}
	}
}

// missing returns the records that are not applied yet, and where the answer may come from.
func (s *sources) missing(ctx context.Context, need []offset, live bool) ([]string, route) {
	if live {
		// guard: api: applied counts only if Redis is up to date | && s.judgeLive(ctx, p).upToDate ->
		if p, err := s.livePulse.get(ctx, waitEvery); err == nil && s.judgeLive(ctx, p).upToDate {
			return s.behind(p, need), route{live: true}
		}
	}
	p, err := s.storePulse.get(ctx, waitEvery)
	if err != nil {
		return []string{"no position can be read"}, route{}
	}
	// guard: api: a read that waited for Postgres reads Postgres | route{} -> route{live: true}
	return s.behind(p, need), route{}
}

func (s *sources) behind(p schemas.Pulse, need []offset) (missing []string) {
	for _, n := range need {
		field := s.cfg.Topic + "/" + strconv.Itoa(int(n.partition))
		// guard: api: applied is the next offset | next <= n.offset -> next < n.offset
		if next := p.Applied[field]; next <= n.offset {
			missing = append(missing, fmt.Sprintf("%s is at %d, and %d is asked for", field, next, n.offset))
		}
	}
	slices.Sort(missing)
	return missing
}
