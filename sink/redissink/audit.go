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
	// Progress is called with the number of players done and the number of all; nil: not reported.
	Progress func(done, total int64)
}

// AuditReport is the result of Audit.
type AuditReport struct {
	Keys          int64        `json:"keys"`   // compared, present or missing
	Moving        int64        `json:"moving"` // keys that processors wrote at every look
	Postgres      schemas.Sums `json:"batters_in_postgres"`
	Redis         schemas.Sums `json:"batters_in_redis"`
	PostgresGames schemas.Sums `json:"batter_games_in_postgres"`
	RedisGames    schemas.Sums `json:"batter_games_in_redis"`
	// Pitchers has the same of the pitchers.
	Pitchers    PitcherAudit         `json:"pitchers"`
	Differences []schemas.Difference `json:"differences,omitempty"`
}

// PitcherAudit compares the sums over pitchers.
type PitcherAudit struct {
	Postgres      schemas.Sums `json:"pitchers_in_postgres"`
	Redis         schemas.Sums `json:"pitchers_in_redis"`
	PostgresGames schemas.Sums `json:"pitcher_games_in_postgres"`
	RedisGames    schemas.Sums `json:"pitcher_games_in_redis"`
}

// of returns the sums of the keys like this one.
func (r *AuditReport) of(key schemas.PlayerKey) (postgres, redis *schemas.Sums) {
	switch p := &r.Pitchers; {
	case key.Side == schemas.Batter && key.GamePK == "":
		return &r.Postgres, &r.Redis
	case key.Side == schemas.Batter:
		return &r.PostgresGames, &r.RedisGames
	case key.GamePK == "":
		return &p.Postgres, &p.Redis
	default:
		return &p.PostgresGames, &p.RedisGames
	}
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
	// done and total are players of all sides at the first look.
	done, total int64
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
	var found [2]audited // by side
	for _, side := range schemas.Sides {
		var err error
		if found[side], err = a.find(ctx, side); err != nil {
			return err
		}
		a.total += int64(len(found[side].ids))
	}
	for _, side := range schemas.Sides {
		if err := a.compareSide(ctx, side, found[side]); err != nil {
			return err
		}
		a.rep.Moving += int64(len(a.suspects))
		clear(a.suspects)
		if err := a.reportStrays(ctx, found[side].strays); err != nil {
			return err
		}
	}
	if err := a.comparePositions(ctx); err != nil {
		return err
	}
	slices.SortFunc(a.rep.Differences, func(a, b schemas.Difference) int { return cmp.Compare(a.Key, b.Key) })
	return nil
}

// audited are the players of a side whose keys are compared, and the keys that belong to none.
type audited struct {
	ids    []int64
	games  map[int64][]string
	strays []string
}

func (a *audit) find(ctx context.Context, side schemas.Side) (found audited, err error) {
	if found.games, found.strays, err = a.r.scan(ctx, side); err != nil {
		return found, err
	}
	seqs, err := playerSeqs(ctx, a.src, side)
	found.ids = unionOfIDs(seqs, found.games)
	return found, err
}

// compareSide compares the keys of a side. Suspects that still move are left.
func (a *audit) compareSide(ctx context.Context, side schemas.Side, found audited) error {
	ids, games := found.ids, found.games
	isFirst := true
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if err := a.lookAtAll(ctx, side, ids, games, isFirst); err != nil {
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
	if errors.Is(err, errSuspects) {
		return nil
	}
	return err
}

// doubling returns pauses that double from first to limit.
func doubling(first, limit time.Duration) *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: first, MaxInterval: limit, Multiplier: 2}
}

// lookAtAll compares the keys of the players: all of them at the first look, later only the suspects.
func (a *audit) lookAtAll(
	ctx context.Context, side schemas.Side, ids []int64, games map[int64][]string, isFirst bool,
) error {
	for some := range slices.Chunk(ids, maxSnapshots) {
		if err := a.look(ctx, side, some, games, isFirst); err != nil {
			return err
		}
		if !isFirst {
			continue
		}
		if a.done += int64(len(some)); a.o.Progress != nil {
			a.o.Progress(a.done, a.total)
		}
	}
	return nil
}

// look reads Postgres before Redis, so that a newer state in Redis is in Postgres too at the next look.
func (a *audit) look(
	ctx context.Context, side schemas.Side, ids []int64, games map[int64][]string, isFirst bool,
) error {
	snaps, err := currentStates(ctx, a.src, side, ids, games)
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
	postgres, inRedis := a.rep.of(p.id)
	postgres.AddState(p.stats)
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
// games come before their player, whose whole says that no game misses anything.
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
	c := call{name: p.key, keys: []string{p.key, a.r.keys.gone(p.id.Side, p.id.PlayerID)}}
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
			value = "0" // so that a sweep compares all games of the player
		}
		c.add(field, value)
	}
	answers, err := a.r.run(ctx, scriptRepair, []call{c})
	return err == nil && answers[0] != 0, err
}

// hasSuspectGame reports whether a game of the player differs and is not repaired yet.
func (a *audit) hasSuspectGame(player int64) bool {
	for _, s := range a.suspects {
		if s.part.id.PlayerID == player && s.part.id.GamePK != "" {
			return true
		}
	}
	return false
}

// reportStrays reports keys that begin like a player's but belong to none. One look is enough, because no
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
