package redissink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// Source is the truth that Redis is compared with. Postgres is one; it must be the primary, never a lagging
// copy.
type Source interface {
	// BatterSeqs gives every batter ever seen, by id, those without rows too.
	BatterSeqs(ctx context.Context) ([]schemas.BatterSeq, error)
	// BatterSnapshots gives the whole present state of these batters, all of one moment: every game that a
	// batter ever had a row in, those without rows now with nil Stats.
	BatterSnapshots(ctx context.Context, ids []int64) ([]schemas.Snapshot, error)
	// AppliedPositions gives the stored positions of the consumer group.
	AppliedPositions(ctx context.Context) ([]schemas.Position, error)
	// TryLock takes a lock that one process at a time can have; ok is false while another one has it.
	TryLock(ctx context.Context, name string) (release func(), ok bool, err error)
}

// SweepReport says what a sweep did, in batters.
type SweepReport struct {
	Checked  int // compared
	Repaired int // written anew, of which
	Forced   int // replaced, whatever stood: Redis held what Postgres never had, or has lost
	Dropped  int // removed with all games, being unknown to Postgres
}

// ErrSweeping says that another process is sweeping.
var ErrSweeping = errors.New("redis: another process is sweeping")

// sourceError is the source's, not that of Redis.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

func ofSource(err error) error {
	if err == nil {
		return nil
	}
	return &sourceError{err}
}

var errLostMidway = errors.New("redis: lost its data during the sweep")

// maxPasses bounds a sweep of batters that are written by somebody else whenever they are to be replaced.
const maxPasses = 5

// Sweep compares Redis with Postgres and mends it: afterwards Redis holds all that Postgres held when the
// sweep began, and applied says so. Pushes may go on meanwhile; what they write is newer and stays. It fills
// an empty Redis too.
//
// Between two sequence numbers of a batter in Postgres, read before and after, stands what Redis holds. What
// Postgres had before and Redis has not is missing there; what Redis has and Postgres has not afterwards,
// though a sequence number never falls, is from a past that Postgres has lost. Both are mended by writing the
// batter anew, the second even over greater sequence numbers, and only where still stands what was seen.
func (s *Sink) Sweep(ctx context.Context, src Source) (SweepReport, error) {
	return s.sweep(ctx, src, false)
}

// Rebuild is a Sweep that writes every batter anew, whatever Redis says that it holds. It finds what a sweep
// does not look at: a game's hash that somebody changed or removed.
func (s *Sink) Rebuild(ctx context.Context, src Source) (SweepReport, error) {
	return s.sweep(ctx, src, true)
}

func (s *Sink) sweep(ctx context.Context, src Source, all bool) (rep SweepReport, err error) {
	release, ok, err := src.TryLock(ctx, "sweep")
	if err != nil {
		return rep, ofSource(err)
	} else if !ok {
		return rep, ErrSweeping
	}
	defer release()
	var began known
	if began.nodes, err = s.inspect(ctx); err != nil {
		return rep, err
	}
	if began.epoch, err = s.nameEpoch(ctx); err != nil {
		return rep, err
	}
	// The positions are read before the batters: everything below them is in the sequence numbers read later.
	positions, restored, err := s.lowerApplied(ctx, src)
	if err != nil {
		return rep, err
	}
	// Only among all keys can batters be found that Postgres does not know. That takes longer; it is done where
	// there is a reason to think of them.
	s.mu.Lock()
	deep := all || restored || s.doubt || s.known.epoch != began.epoch
	s.mu.Unlock()
	if rep, err = s.mendAll(ctx, src, deep, all); err != nil {
		return rep, err
	}
	return rep, s.raiseApplied(ctx, positions, began)
}

// mendAll compares and mends until nothing is left that could not be replaced.
func (s *Sink) mendAll(ctx context.Context, src Source, deep, all bool) (rep SweepReport, err error) {
	for range maxPasses {
		found, err := s.compare(ctx, src, deep, all)
		if err != nil {
			return rep, err
		}
		rep.Checked = found.checked
		if !deep && slices.ContainsFunc(found.mends, finding.isForeign) {
			deep = true // once more, to learn also of games that Postgres does not know
			continue
		}
		again, err := s.mend(ctx, src, found, &rep)
		if err != nil || !again {
			return rep, err
		}
		all = false
	}
	return rep, errors.New("redis: a batter was written by somebody else each time it was to be replaced")
}

// findings are the batters to mend, by id.
type findings struct {
	checked int
	mends   []finding
	keys    map[int64][]string // the games of each batter that has any key, where all keys were looked at
}

type finding struct {
	id       int64
	kind     string // one of the schemas.Differs constants that judge returns
	observed string // what push.lua is to find unchanged
}

// isForeign reports whether Redis has something that Postgres never had, or has lost. Nothing of it counts,
// so it is replaced whatever its sequence number is.
func (f finding) isForeign() bool {
	return f.kind == schemas.DiffersNewer || f.kind == schemas.DiffersExtra
}

// compare reads Postgres, Redis, and Postgres again where Redis is ahead.
func (s *Sink) compare(ctx context.Context, src Source, deep, all bool) (f findings, err error) {
	if deep {
		if f.keys, err = s.scan(ctx); err != nil {
			return f, err
		}
	}
	before, err := batterSeqs(ctx, src)
	if err != nil {
		return f, err
	}
	ids := slices.Collect(maps.Keys(before))
	for id := range f.keys {
		if _, ok := before[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	f.checked = len(ids)
	stand, err := s.standing(ctx, ids)
	if err != nil {
		return f, err
	}
	after := before
	if slices.ContainsFunc(ids, func(id int64) bool { return stand[id].seq > before[id].Seq }) {
		if after, err = batterSeqs(ctx, src); err != nil {
			return f, err
		}
	}
	for _, id := range ids {
		_, known := after[id]
		kind := judge(before[id], after[id], known, stand[id])
		if kind == "" && all {
			kind = schemas.DiffersOlder
		}
		if kind != "" {
			f.mends = append(f.mends, finding{id, kind, stand[id].observed})
		}
	}
	return f, nil
}

func batterSeqs(ctx context.Context, src Source) (map[int64]schemas.BatterSeq, error) {
	list, err := src.BatterSeqs(ctx)
	if err != nil {
		return nil, ofSource(err)
	}
	seqs := make(map[int64]schemas.BatterSeq, len(list))
	for _, b := range list {
		seqs[b.BatterID] = b
	}
	return seqs, nil
}

// judge compares one batter in Redis with Postgres, read before it and after it. known says that Postgres
// knows the batter. It returns "" if they agree, and DiffersOlder if Redis lacks something: the rest of it is
// right, so that a newer snapshot written in the meantime stays. It returns DiffersNewer if Redis has
// something that Postgres never had or has lost, and DiffersExtra for a batter unknown to Postgres.
func judge(before, after schemas.BatterSeq, known bool, r standing) (kind string) {
	switch {
	case !known:
		return schemas.DiffersExtra
	case r.whole < 0 || max(r.seq, r.whole) > after.Seq:
		return schemas.DiffersNewer
	case min(r.seq, r.whole) < before.Seq, r.seq == after.Seq && r.stands != after.Standing:
		return schemas.DiffersOlder
	}
	return ""
}

// mendMaxBatters is how many batters are read from Postgres at once: a batter has up to some hundred games of
// 1 kB.
const mendMaxBatters = 50

// mend writes batters anew. again says that one which had to be replaced was written by somebody else
// meanwhile.
func (s *Sink) mend(ctx context.Context, src Source, f findings, rep *SweepReport) (again bool, err error) {
	for some := range slices.Chunk(f.mends, mendMaxBatters) {
		snaps, err := s.presentStates(ctx, src, some, f.keys)
		if err != nil {
			return false, err
		}
		calls := make([]call, len(some))
		for i, m := range some {
			if calls[i], err = s.keys.push(snaps[m.id], m.observed); err != nil {
				return false, err
			}
		}
		answers, err := s.run(ctx, scriptPush, calls)
		if err != nil {
			return false, err
		}
		for i, m := range some {
			again = rep.count(m, answers[i] == 0) || again
		}
	}
	return again, nil
}

// count enters one mend into the report; replaced is false where it was only fenced.
func (rep *SweepReport) count(m finding, replaced bool) (again bool) {
	if m.isForeign() && !replaced {
		return true
	}
	rep.Repaired++
	if m.isForeign() {
		rep.Forced++
	}
	if m.kind == schemas.DiffersExtra {
		rep.Dropped++
	}
	return false
}

// presentStates gives the whole present state of batters: for one unknown to Postgres that nothing stands,
// and for games with a key that Postgres does not know, that they are gone.
func (s *Sink) presentStates(ctx context.Context, src Source, some []finding, keys map[int64][]string) (map[int64]schemas.Snapshot, error) {
	states := map[int64]schemas.Snapshot{}
	var ids []int64
	for _, m := range some {
		states[m.id] = schemas.Snapshot{BatterID: m.id}
		if m.kind != schemas.DiffersExtra {
			ids = append(ids, m.id)
		}
	}
	snaps, err := src.BatterSnapshots(ctx, ids)
	if err == nil && len(snaps) != len(ids) {
		err = fmt.Errorf("the source gave %d batters of %d", len(snaps), len(ids))
	}
	if err != nil {
		return nil, ofSource(err)
	}
	for _, snap := range snaps {
		states[snap.BatterID] = snap
	}
	for id, snap := range states {
		states[id] = withoutOrphans(snap, keys[id])
	}
	return states, nil
}

func withoutOrphans(snap schemas.Snapshot, gamePKs []string) schemas.Snapshot {
	has := map[string]bool{}
	for _, g := range snap.Games {
		has[g.GamePK] = true
	}
	for _, pk := range gamePKs {
		if !has[pk] {
			has[pk] = true // SCAN may name a key twice
			snap.Games = append(snap.Games, schemas.GameStats{GamePK: pk, Seq: snap.Seq})
		}
	}
	return snap
}
