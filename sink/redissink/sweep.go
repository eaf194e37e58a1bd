package redissink

// A sweep finds the batters whose data in Redis differs from Postgres, while processors keep writing to both,
// and writes them anew. It compares versions only, one pair of sequence numbers for each batter, so that it
// is cheap enough to run every few minutes.
//
// The sequence number of a batter never falls. Postgres is read before Redis, and again after it if Redis
// seems ahead: Redis must lie between the two answers. Below the first it misses a change that may still be
// on its way. Above the second it holds a change that Postgres never had, or has lost in a restore.
//
// A batter without rows has no hash, but a tombstone with the sequence number, which fences older snapshots
// and shows that the absence is right. whole, beside seq, is the version up to which no snapshot of the
// batter was missed; -1 marks a mixture with a lost past.
//
// A repair sends the whole current state through push.lua. It replaces even a greater sequence number, but
// only if the version that the sweep saw is still stored. Otherwise a push came in between, and the fence
// decides.
//
// The epoch is checked at the end, because Redis may lose its data in the middle. Only then applied moves.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// Source is the store that Redis is compared with. Postgres is one; it must be the primary, never a lagging
// copy.
type Source interface {
	// BatterSeqs returns every batter ever seen, also those without rows.
	BatterSeqs(ctx context.Context) ([]schemas.PlayerSeq, error)
	// BatterSnapshots returns the whole current state of these batters, all of one moment. It has every game in
	// which a batter ever had a row, with nil Stats if there is none now. Batters never seen are left out.
	BatterSnapshots(ctx context.Context, ids []int64) ([]schemas.Snapshot, error)
	// AppliedPositions returns the stored positions of the consumer group.
	AppliedPositions(ctx context.Context) ([]schemas.Position, error)
	// TryLock takes a lock that one process at a time can hold; ok is false while another one holds it.
	TryLock(ctx context.Context, name string) (release func(), ok bool, err error)
}

// SweepReport counts the batters of a sweep.
type SweepReport struct {
	Checked  int // compared
	Repaired int // written anew; includes Forced
	Forced   int // replaced over a greater version, because Postgres never had or has lost it; includes Dropped
	Dropped  int // removed with all games, because Postgres does not know them
}

// ErrSweeping reports that another process is sweeping.
var ErrSweeping = errors.New("redis: another process is sweeping")

// sourceError is an error of the source, not of Redis.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

func ofSource(err error) error { return &sourceError{err} }

const (
	// maxPasses bounds a sweep whose batters are written by another process each time that they are to be
	// replaced.
	maxPasses = 5
	// maxSnapshots bounds how many batters are read at once: a batter has up to some hundred games of 1 kB.
	maxSnapshots = 50
)

// sweep is one Sweep or Rebuild in progress.
type sweep struct {
	r   *Reader
	src Source
	// deep scans all keys, because only that finds batters and games that Postgres does not know. It takes
	// longer, so it needs a reason.
	deep   bool
	only   map[int64]bool // compares these batters; nil: every one
	all    bool           // writes every batter anew in the next pass
	games  map[int64][]string
	broken map[int64]bool // batters with a key that cannot be parsed
	ignore func(finding) bool
	report SweepReport
}

// finding is a batter to repair.
type finding struct {
	id       int64
	kind     string // one of the Differs constants of schemas
	observed string // for push.lua: the version that the sweep saw
	isBehind bool   // its seq, not only whole, is below that of Postgres
}

// isForced reports whether Redis holds data that Postgres never had, or has lost. Nothing of it counts.
func (f finding) isForced() bool {
	return f.kind == schemas.DiffersNewer || f.kind == schemas.DiffersExtra
}

// run compares and repairs until every batter that had to be replaced was replaced.
func (s *sweep) run(ctx context.Context) error {
	for range maxPasses {
		found, err := s.compare(ctx)
		if err != nil {
			return err
		}
		if s.ignore != nil {
			found = slices.DeleteFunc(found, s.ignore)
		}
		if !s.deep && slices.ContainsFunc(found, finding.isForced) {
			s.deep = true // compare once more, to learn also of games that Postgres does not know
			continue
		}
		again, err := s.repair(ctx, found)
		if err != nil || !again {
			return err
		}
		s.all = false
	}
	return errors.New("redis: a batter was written by another process each time that it was to be replaced")
}

// compare reads Postgres, then Redis, and Postgres again if Redis is ahead.
func (s *sweep) compare(ctx context.Context) (found []finding, err error) {
	if s.deep {
		if s.games, _, err = s.r.scan(ctx); err != nil {
			return nil, err
		}
	}
	before, err := batterSeqs(ctx, s.src)
	if err != nil {
		return nil, err
	}
	ids := unionOfIDs(before, s.games)
	if s.only != nil {
		ids = slices.DeleteFunc(ids, func(id int64) bool { return !s.only[id] })
	}
	s.report.Checked = len(ids)
	stored, err := s.r.storedVersions(ctx, ids)
	if err != nil {
		return nil, err
	}
	after := before
	if slices.ContainsFunc(ids, func(id int64) bool { return stored[id].seq > before[id].Seq }) {
		if after, err = batterSeqs(ctx, s.src); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		current, known := after[id]
		kind := compareVersions(before[id], current, known, stored[id])
		// guard: a batter with a broken key is written anew | kind == "" && (s.all || s.broken[id]) -> kind == "" && s.all
		if kind == "" && (s.all || s.broken[id]) {
			kind = schemas.DiffersContent
		}
		if kind != "" {
			found = append(found, finding{id, kind, stored[id].observed, stored[id].seq < before[id].Seq})
		}
	}
	return found, nil
}

func batterSeqs(ctx context.Context, src Source) (map[int64]schemas.PlayerSeq, error) {
	list, err := src.BatterSeqs(ctx)
	if err != nil {
		return nil, ofSource(err)
	}
	seqs := make(map[int64]schemas.PlayerSeq, len(list))
	for _, b := range list {
		seqs[b.PlayerID] = b
	}
	return seqs, nil
}

// unionOfIDs returns the sorted ids of the batters that Postgres knows and of those that have a key.
func unionOfIDs(seqs map[int64]schemas.PlayerSeq, games map[int64][]string) []int64 {
	ids := slices.AppendSeq(slices.Collect(maps.Keys(seqs)), maps.Keys(games))
	slices.Sort(ids)
	return slices.Compact(ids)
}

// repair writes batters anew. again reports that one which had to be replaced was written by another process.
func (s *sweep) repair(ctx context.Context, found []finding) (again bool, err error) {
	for some := range slices.Chunk(found, maxSnapshots) {
		ids := schemas.Map(some, func(f finding) int64 { return f.id })
		snaps, err := currentStates(ctx, s.src, ids, s.games)
		if err != nil {
			return false, err
		}
		calls := make([]call, len(some))
		for i, f := range some {
			if f.kind != schemas.DiffersExtra && snaps[i].Seq == 0 {
				return false, ofSource(fmt.Errorf("the source has no snapshot of batter %d", f.id))
			}
			if calls[i], err = pushCall(s.r.keys, snaps[i], f.observed); err != nil {
				return false, err
			}
		}
		answers, err := s.r.run(ctx, scriptPush, calls)
		if err != nil {
			return false, err
		}
		for i, f := range some {
			if (f.isForced() || s.broken[f.id]) && answers[i] != foundOrder { // the repair was only fenced
				again = true
				continue
			}
			delete(s.broken, f.id)
			s.report.Repaired++
			if f.isForced() {
				s.report.Forced++
			}
			if f.kind == schemas.DiffersExtra {
				s.report.Dropped++
			}
		}
	}
	return again, nil
}
