package redissink

// An audit compares the content of every key with Postgres. A sweep cannot see a key that was changed or
// removed by hand under a right sequence number; an audit finds it, reports each difference, and repairs that
// key alone.
//
// Processors keep writing in the meantime, so one comparison proves nothing: a commit in Postgres reaches
// Redis a moment later. A key that differs becomes a suspect and is compared again, with growing pauses. It
// is a difference only if both sides stayed as they were, and no push can still be on its way. Suspects that
// move at every look are counted, and left alone. A repair checks in Redis that the key still holds the
// observed version.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/pitchstream/pitchstream/schemas"
)

// AuditOptions are the options of Audit.
type AuditOptions struct {
	// Settle is how long an older or missing key must stay as it is before it counts as a difference, because a
	// commit of Postgres may be on its way. 0: 3 s, more than a processor lets one push take.
	Settle time.Duration
	// Repair writes each key that differs anew, and no other.
	Repair bool
	// Progress is called with the number of batters done and the number of all; nil: not reported.
	Progress func(done, total int64)
}

// AuditReport is the result of Audit.
type AuditReport struct {
	Keys          int64                `json:"keys"`   // compared, present or missing
	Moving        int64                `json:"moving"` // keys that processors wrote at every look
	Postgres      schemas.Sums         `json:"batters_in_postgres"`
	Redis         schemas.Sums         `json:"batters_in_redis"`
	PostgresGames schemas.Sums         `json:"batter_games_in_postgres"`
	RedisGames    schemas.Sums         `json:"batter_games_in_redis"`
	Differences   []schemas.Difference `json:"differences,omitempty"`
}

// maxLooks bounds how often a key that differs is looked at.
const maxLooks = 8

// audit is one Audit in progress.
type audit struct {
	sink     *Sink
	r        *Reader // of sink
	src      Source
	o        AuditOptions
	rep      AuditReport
	suspects map[string]suspect // by key
}

// suspect is a key that differs and may just be moving.
type suspect struct {
	part  part
	found schemas.Difference
	is    observed
	since time.Time // when both sides were first seen like this
}

var errSuspects = errors.New("redis: some keys may be moving")

func (a *audit) run(ctx context.Context) error {
	games, strays, err := a.r.scan(ctx)
	if err != nil {
		return err
	}
	seqs, err := batterSeqs(ctx, a.src)
	if err != nil {
		return err
	}
	ids := unionOfIDs(seqs, games)
	isFirst := true
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		if err := a.lookAtAll(ctx, ids, games, isFirst); err != nil {
			return struct{}{}, backoff.Permanent(err)
		}
		if len(a.suspects) == 0 {
			return struct{}{}, nil
		}
		isFirst, games = false, map[int64][]string{}
		for _, s := range a.suspects {
			games[s.part.id.PlayerID] = append(games[s.part.id.PlayerID], s.part.id.GamePK)
		}
		ids = slices.Sorted(maps.Keys(games))
		return struct{}{}, errSuspects
	}, backoff.WithBackOff(doubling(a.o.Settle/16, a.o.Settle)), backoff.WithMaxTries(maxLooks),
		backoff.WithMaxElapsedTime(0))
	if err != nil && !errors.Is(err, errSuspects) {
		return err
	}
	a.rep.Moving = int64(len(a.suspects))
	if err := a.reportStrays(ctx, strays); err != nil {
		return err
	}
	if err := a.comparePositions(ctx); err != nil {
		return err
	}
	slices.SortFunc(a.rep.Differences, func(a, b schemas.Difference) int { return cmp.Compare(a.Key, b.Key) })
	return nil
}

// doubling returns pauses that double from first to limit.
func doubling(first, limit time.Duration) *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: first, MaxInterval: limit, Multiplier: 2}
}

// lookAtAll compares the keys of the batters: all of them at the first look, later only the suspects.
func (a *audit) lookAtAll(ctx context.Context, ids []int64, games map[int64][]string, isFirst bool) error {
	var done int64
	for some := range slices.Chunk(ids, maxSnapshots) {
		if err := a.look(ctx, some, games, isFirst); err != nil {
			return err
		}
		if done += int64(len(some)); isFirst && a.o.Progress != nil {
			a.o.Progress(done, int64(len(ids)))
		}
	}
	return nil
}

// look reads Postgres before Redis, so that a newer state in Redis is in Postgres too at the next look.
func (a *audit) look(ctx context.Context, ids []int64, games map[int64][]string, isFirst bool) error {
	snaps, err := currentStates(ctx, a.src, ids, games)
	if err != nil {
		return err
	}
	var parts []part
	var names []string
	for _, snap := range snaps {
		some, err := partsOf(a.r.keys, snap)
		if err != nil {
			return err
		}
		for _, p := range some {
			if _, ok := a.suspects[p.key]; ok || isFirst {
				parts, names = append(parts, p), append(names, p.key)
			}
		}
	}
	found, err := observe(ctx, a.r.client, names)
	if err != nil {
		return err
	}
	var differing []suspect
	for i, p := range parts {
		if isFirst {
			a.count(p, found[i])
		}
		if s, differs := a.judge(p, found[i]); differs {
			differing = append(differing, s)
		}
	}
	return a.report(ctx, differing)
}

// count adds a key to the sums.
func (a *audit) count(p part, is observed) {
	if p.want != nil || is.kind != "none" {
		a.rep.Keys++
	}
	postgres, inRedis := &a.rep.Postgres, &a.rep.Redis
	if p.id.GamePK != "" {
		postgres, inRedis = &a.rep.PostgresGames, &a.rep.RedisGames
	}
	postgres.Add(p.stats)
	if is.kind == "hash" {
		n := func(field string) int64 { return number(is.hash[field]) }
		inRedis.Add(&schemas.Stats{Pitches: n("pitches"), SwingCount: n("swing_count"),
			WhiffCount: n("whiff_count"), ContactCount: n("contact_count"), HardHitCount: n("hard_hit_count")})
	}
}

// judge compares a key and updates the suspects. differs reports that the key counts as a difference: neither
// side has moved since an earlier look, and no push can be on its way that would explain it.
func (a *audit) judge(p part, is observed) (s suspect, differs bool) {
	d := p.compare(is)
	if d == nil {
		delete(a.suspects, p.key)
		return s, false
	}
	now := time.Now()
	s = suspect{p, *d, is, now}
	before, seen := a.suspects[p.key]
	if !seen || before.part.seq != p.seq || !before.is.equal(is) {
		a.suspects[p.key] = s
		return s, false
	}
	if is.seq() != p.seqText() && now.Sub(before.since) < a.o.Settle {
		return s, false
	}
	delete(a.suspects, p.key)
	return s, true
}

// report reports keys that differ, and repairs them if Repair is set. It goes through them backwards, so that
// games come before their batter, whose whole says that no game misses anything.
func (a *audit) report(ctx context.Context, differing []suspect) error {
	slices.SortFunc(differing, func(x, y suspect) int { return cmp.Compare(y.part.key, x.part.key) })
	for _, s := range differing {
		if a.o.Repair {
			moved, err := a.repair(ctx, s)
			if err != nil {
				return err
			}
			if moved { // another process wrote it in the meantime: it is looked at once more
				a.suspects[s.part.key] = s
				continue
			}
			s.found.Repaired = true
		}
		a.rep.Differences = append(a.rep.Differences, s.found)
	}
	return nil
}

// repair writes one key anew if it still holds the observed version; moved reports that it does not.
func (a *audit) repair(ctx context.Context, s suspect) (moved bool, err error) {
	p := s.part
	c := call{name: p.key, keys: []string{p.key, a.r.keys.gone(p.id.PlayerID)}}
	tombstone := "seq"
	if p.id.GamePK != "" {
		tombstone = "game:" + p.id.GamePK
	}
	if !p.known {
		tombstone = ""
	}
	c.add(s.is.kind, s.is.seq(), tombstone, goneTTL.Milliseconds(), p.seqText(), 2*len(p.want))
	for _, field := range slices.Sorted(maps.Keys(p.want)) {
		value := p.want[field]
		if field == "whole" && a.hasSuspectGame(p.id.PlayerID) {
			value = "0" // so that a sweep compares all games of the batter
		}
		c.add(field, value)
	}
	answers, err := a.r.run(ctx, scriptRepair, []call{c})
	return err == nil && answers[0] != 0, err
}

// hasSuspectGame reports whether a game of the batter differs and is not repaired yet.
func (a *audit) hasSuspectGame(batter int64) bool {
	for _, s := range a.suspects {
		if s.part.id.PlayerID == batter && s.part.id.GamePK != "" {
			return true
		}
	}
	return false
}

// reportStrays reports keys that begin like a batter's but belong to none. One look is enough, because no
// processor writes such keys.
func (a *audit) reportStrays(ctx context.Context, strays []string) error {
	for _, key := range strays {
		a.rep.Keys++
		if a.o.Repair {
			if err := a.r.client.Del(ctx, key).Err(); err != nil {
				return fmt.Errorf("redis: %s: %w", key, err)
			}
		}
		d := schemas.Difference{Kind: schemas.DiffersExtra, Key: key, Repaired: a.o.Repair}
		a.rep.Differences = append(a.rep.Differences, d)
	}
	return nil
}

// comparePositions reports applied positions that are ahead of Postgres. Those behind are no difference,
// because they are still on their way.
func (a *audit) comparePositions(ctx context.Context) error {
	d := schemas.Difference{Kind: schemas.DiffersNewer, Key: a.r.keys.applied()}
	found, err := observe(ctx, a.r.client, []string{d.Key})
	if err != nil {
		return err
	}
	positions, err := a.src.AppliedPositions(ctx)
	if err != nil {
		return ofSource(err)
	}
	if kind := found[0].kind; kind != "hash" && kind != "none" {
		d.Kind, d.Fields = schemas.DiffersType, wrongType(kind)
	}
	limits := offsetTexts(positions)
	for _, field := range slices.Sorted(maps.Keys(found[0].hash)) {
		if got := found[0].hash[field]; exceeds(got, limits[field]) {
			want := "at most " + limits[field]
			d.Fields = append(d.Fields, schemas.FieldDifference{Name: field, Want: want, Got: got})
		}
	}
	if len(d.Fields) == 0 {
		return nil
	}
	if a.o.Repair {
		if _, _, err = a.sink.lowerApplied(ctx, a.src); err != nil {
			return err
		}
		d.Repaired = true
	}
	a.rep.Differences = append(a.rep.Differences, d)
	return nil
}
