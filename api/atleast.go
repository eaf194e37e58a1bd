package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
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

// want is a record that is waited for, by the field of its partition in a pulse.
type want struct {
	field  string
	offset int64
}

// wants returns of each partition the last record that is needed.
func (s *sources) wants(need []offset) (all []want) {
	last := map[int32]int64{}
	for _, n := range need {
		last[n.partition] = max(last[n.partition], n.offset)
	}
	for partition, at := range last {
		all = append(all, want{s.cfg.Topic + "/" + strconv.Itoa(int(partition)), at})
	}
	return all
}

// wait returns once the records are applied, with the stores that have them: Redis if live is set and Redis
// is up to date, else Postgres only. It reads the positions before the caller reads the states, so the states
// include the records. It has no turn, so each look must cost next to nothing.
func (s *sources) wait(ctx context.Context, need []offset, live bool) (route, error) {
	if len(need) == 0 {
		return route{live: live, memory: true}, nil
	}
	defer stepAside(ctx)()
	all := s.wants(need)
	deadline := time.After(s.cfg.AtLeastWait)
	tick := time.Tick(waitEvery)
	for {
		applied, from, err := s.positions(ctx, live)
		if err == nil && hasAll(applied, all) {
			return from, nil
		}
		select {
		case <-ctx.Done():
			return route{}, ctx.Err()
		case <-deadline:
			return route{}, &notApplied{missing(applied, all, err), s.cfg.AtLeastWait}
		case <-tick:
		}
	}
}

// positions returns how far the stream is, and where answers that include that may come from.
func (s *sources) positions(ctx context.Context, live bool) (map[string]int64, route, error) {
	if live {
		// guard: api: applied counts only if Redis is up to date | && s.isUpToDate(ctx, p) ->
		if p, err := s.livePulse.take(ctx, waitEvery); err == nil && s.isUpToDate(ctx, p) {
			return p.pulse.Applied, route{live: true}, nil
		}
	}
	p, err := s.storePulse.get(ctx, waitEvery)
	// guard: api: a read that waited for Postgres reads Postgres | route{} -> route{live: true}
	return p.Applied, route{}, err
}

// isUpToDate judges a pulse of Redis, once for all that share it.
func (s *sources) isUpToDate(ctx context.Context, p *taken) bool {
	p.judging.Do(func() { p.isUpToDate = s.judgeLive(shared(ctx), p.pulse).upToDate })
	return p.isUpToDate
}

// hasAll reports whether the records are applied. It moves one that is not to the front, so that the next
// look begins with it.
func hasAll(applied map[string]int64, all []want) bool {
	// guard: api: applied is the next offset | applied[w.field] <= w.offset -> applied[w.field] < w.offset
	at := slices.IndexFunc(all, func(w want) bool { return applied[w.field] <= w.offset })
	if at < 0 {
		return true
	}
	all[0], all[at] = all[at], all[0]
	return false
}

// missing says which records are not applied, and how far their partitions are.
func missing(applied map[string]int64, all []want, err error) (lines []string) {
	if err != nil {
		return []string{"no position can be read"}
	}
	for _, w := range all {
		if next := applied[w.field]; next <= w.offset {
			lines = append(lines, fmt.Sprintf("%s is at %d, and %d is asked for", w.field, next, w.offset))
		}
	}
	slices.Sort(lines)
	return lines
}
