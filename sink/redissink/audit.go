package redissink

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// AuditOptions say how Audit looks.
type AuditOptions struct {
	// Settle is how long a key that misses something must stay as it is, before that is a difference: what Postgres
	// has committed may be on its way here. 0: 3 s, more than a processor lets one push take.
	Settle time.Duration
	// Looks bounds how often a key that differs is looked at; 0: 8. One that moves at each look is left to Unsettled.
	Looks int
	// Repair writes each key that differs anew, and no other.
	Repair bool
	// Progress is called with how many batters are done, and how many there are; nil: by nobody.
	Progress func(done, total int64)
}

// AuditReport says what Audit found.
type AuditReport struct {
	Postgres, Redis           schemas.Sums // over batters
	PostgresGames, RedisGames schemas.Sums // over batters in games
	Keys                      int64        // that were compared, there or missing
	Moving                    int64        // keys that moved at every look: the stream is writing them
	Differences               []schemas.Difference
}

// Audit compares every key of every batter, field by field, with what it should be, and finds keys that should not be
// there. It may be run beside processors: what they move meanwhile is looked at again, and is no difference.
func (s *Sink) Audit(ctx context.Context, src Source, o AuditOptions) (rep AuditReport, err error) {
	o.Settle, o.Looks = cmp.Or(o.Settle, 3*time.Second), cmp.Or(o.Looks, 8)
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	a := &audit{Sink: s, src: src, o: o, rep: &rep, suspects: map[string]suspect{}}
	if err := a.first(ctx); err != nil {
		return rep, err
	}
	if err := a.again(ctx); err != nil {
		return rep, err
	}
	if err := a.positions(ctx); err != nil {
		return rep, err
	}
	slices.SortFunc(rep.Differences, func(a, b schemas.Difference) int { return cmp.Compare(a.Key, b.Key) })
	return rep, nil
}

// audit is one Audit under way.
type audit struct {
	*Sink
	src      Source
	o        AuditOptions
	rep      *AuditReport
	suspects map[string]suspect // key → how it differed when last looked at
}

// suspect is a key that differs and may just be moving.
type suspect struct {
	part
	found schemas.Difference
	is    observed
	since time.Time // when it was first seen just so
}

// first looks at everything once.
func (a *audit) first(ctx context.Context) error {
	found, strays, err := a.scanAll(ctx)
	if err != nil {
		return err
	}
	list, err := a.src.BatterSeqs(ctx)
	if err != nil {
		return ofSource(err)
	}
	known := make(map[int64]bool, len(list))
	ids := make([]int64, 0, len(list))
	for _, b := range list {
		known[b.BatterID] = true
		ids = append(ids, b.BatterID)
	}
	for id := range found {
		if !known[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	done := int64(0)
	for some := range slices.Chunk(ids, mendMaxBatters) {
		if err := a.look(ctx, some, found, nil); err != nil {
			return err
		}
		done += int64(len(some))
		a.o.Progress(done, int64(len(ids)))
	}
	return a.strays(ctx, strays)
}

// again looks at the suspects until each is found well, found guilty, or given up as moving.
func (a *audit) again(ctx context.Context) error {
	pause := a.o.Settle / 16
	for look := 1; len(a.suspects) > 0 && look < a.o.Looks; look++ {
		if err := pauseFor(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, a.o.Settle)
		byBatter := map[int64][]string{}
		for _, s := range a.suspects {
			byBatter[s.batter] = append(byBatter[s.batter], s.gamePK)
		}
		for some := range slices.Chunk(slices.Sorted(maps.Keys(byBatter)), mendMaxBatters) {
			if err := a.look(ctx, some, byBatter, a.suspects); err != nil {
				return err
			}
		}
	}
	a.rep.Moving = int64(len(a.suspects))
	return nil
}

// look compares the keys of some batters: Postgres first, so that what is newer in Redis is so there too at the next
// look. only: no other keys than these.
func (a *audit) look(ctx context.Context, ids []int64, games map[int64][]string, only map[string]suspect) error {
	parts, err := a.parts(ctx, ids, games)
	if err != nil {
		return err
	}
	if only != nil {
		parts = slices.DeleteFunc(parts, func(p part) bool { _, ok := only[p.key]; return !ok })
	}
	stand, err := a.observe(ctx, parts)
	if err != nil {
		return err
	}
	var guilty []suspect
	for i, p := range parts {
		if only == nil {
			a.count(p, stand[i])
		}
		s, ok := a.judge(p, stand[i])
		if ok {
			guilty = append(guilty, s)
		}
	}
	return a.convict(ctx, guilty)
}

// judge enters a key that differs among the suspects, takes one that does not from them, and gives those that are
// guilty: they differ as they did before, Postgres has not moved meanwhile, and nothing can be on its way that would
// explain it.
func (a *audit) judge(p part, is observed) (s suspect, guilty bool) {
	d := p.compare(is)
	if d == nil {
		delete(a.suspects, p.key)
		return s, false
	}
	now := time.Now()
	s = suspect{p, *d, is, now}
	before, seen := a.suspects[p.key]
	if !seen || before.seq != p.seq || !before.is.equal(is) {
		a.suspects[p.key] = s
		return s, false
	}
	s.since = before.since
	if is.seq() != p.seqText() && now.Sub(s.since) < a.o.Settle {
		return s, false
	}
	delete(a.suspects, p.key)
	return s, true
}

// convict reports keys that differ, and mends them where that is asked for. Games come before their batter, whose hash
// says that nothing of his is missing.
func (a *audit) convict(ctx context.Context, guilty []suspect) error {
	slices.SortStableFunc(guilty, func(x, y suspect) int { return cmp.Compare(rank(x), rank(y)) })
	for i := range guilty {
		g := &guilty[i]
		if a.o.Repair {
			moved, err := a.repair(ctx, g)
			if err != nil {
				return err
			}
			if moved { // somebody wrote it since: it is looked at once more
				a.suspects[g.key] = *g
				continue
			}
			g.found.Repaired = true
		}
		a.rep.Differences = append(a.rep.Differences, g.found)
	}
	return nil
}

func rank(s suspect) int {
	if s.gamePK == "" {
		return 1
	}
	return 0
}

// positions compares how far Redis says that it is with how far Postgres is: it must never be ahead. Where it is behind,
// it is on its way.
func (a *audit) positions(ctx context.Context) error {
	stands, err := a.observe(ctx, []part{{key: a.keys.applied()}})
	if err != nil {
		return err
	}
	positions, err := a.src.AppliedPositions(ctx)
	if err != nil {
		return ofSource(err)
	}
	right := map[string]string{}
	for _, p := range positions {
		right[positionField(p)] = fmt.Sprint(p.NextOffset)
	}
	d := schemas.Difference{Kind: schemas.DiffersNewer, Key: a.keys.applied()}
	if kind := stands[0].kind; kind != "hash" && kind != "none" {
		d.Kind, d.Fields = schemas.DiffersType, []schemas.FieldDifference{{Name: "type", Want: "hash", Got: kind}}
	}
	for _, field := range slices.Sorted(maps.Keys(stands[0].hash)) {
		if ahead(stands[0].hash[field], right[field]) {
			d.Fields = append(d.Fields, schemas.FieldDifference{Name: field, Want: "at most " + right[field], Got: stands[0].hash[field]})
		}
	}
	if len(d.Fields) == 0 {
		return nil
	}
	if a.o.Repair {
		if _, _, err := a.lowerApplied(ctx, a.src); err != nil {
			return err
		}
		d.Repaired = true
	}
	a.rep.Differences = append(a.rep.Differences, d)
	return nil
}

func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
