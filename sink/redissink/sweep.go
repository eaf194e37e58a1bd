package redissink

// A sweep finds the batters, and then the pitchers, whose data in Redis differs from Postgres, while
// processors keep writing to both, and writes them anew. It compares versions only, one pair of sequence
// numbers for each player, so that it is cheap enough to run every few minutes.
//
// The sequence number of a player never falls. Postgres is read before Redis, and again after it if Redis
// seems ahead: Redis must lie between the two answers. Below the first it misses a change that may still be
// on its way. Above the second it holds a change that Postgres never had, or has lost in a restore.
//
// A player without rows has no hash, but a tombstone with the sequence number, which fences older snapshots
// and shows that the absence is right. whole, beside seq, is the version up to which no snapshot of the
// player was missed; -1 marks a mixture with a lost past.
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
	// PlayerSeqs returns every player of a side ever seen, also those without rows.
	PlayerSeqs(ctx context.Context, side schemas.Side) ([]schemas.PlayerSeq, error)
	// PlayerSnapshots returns the whole current state of these players of a side, all of one moment. It has
	// every game in which a player ever had a row, without aggregates if there is none now. Players never seen
	// are left out.
	PlayerSnapshots(ctx context.Context, side schemas.Side, ids []int64) ([]schemas.Snapshot, error)
	// AppliedPositions returns the stored positions of the consumer group.
	AppliedPositions(ctx context.Context) ([]schemas.Position, error)
	// TryLock takes a lock that one process at a time can hold; ok is false while another one holds it.
	TryLock(ctx context.Context, name string) (release func(), ok bool, err error)
}

// boundedSource is a Source each of whose answers takes sourceTimeout at most. A server that hangs keeps its
// connections open, and writers have no other limit. While a Keeper waits for it, Redis is not checked.
type boundedSource struct{ src Source }

func (b boundedSource) PlayerSeqs(ctx context.Context, side schemas.Side) ([]schemas.PlayerSeq, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, sourceTimeout, errNoAnswer)
	defer cancel()
	seqs, err := b.src.PlayerSeqs(ctx, side)
	return seqs, whyEnded(ctx, err)
}

func (b boundedSource) PlayerSnapshots(
	ctx context.Context, side schemas.Side, ids []int64,
) ([]schemas.Snapshot, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, sourceTimeout, errNoAnswer)
	defer cancel()
	snaps, err := b.src.PlayerSnapshots(ctx, side, ids)
	return snaps, whyEnded(ctx, err)
}

func (b boundedSource) AppliedPositions(ctx context.Context) ([]schemas.Position, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, sourceTimeout, errNoAnswer)
	defer cancel()
	positions, err := b.src.AppliedPositions(ctx)
	return positions, whyEnded(ctx, err)
}

func (b boundedSource) TryLock(ctx context.Context, name string) (release func(), ok bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, sourceTimeout, errNoAnswer)
	defer cancel()
	release, ok, err = b.src.TryLock(ctx, name)
	return release, ok, whyEnded(ctx, err)
}

var errNoAnswer = fmt.Errorf("no answer within %v", sourceTimeout)

// whyEnded adds to an error that the time of ctx was over, if it was.
func whyEnded(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errNoAnswer) {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return err
}

// SweepReport counts the batters and pitchers of a sweep.
type SweepReport struct {
	Checked  int // compared
	Repaired int // written anew; includes Forced
	Forced   int // replaced over a greater version, because Postgres never had or has lost it; includes Dropped
	Dropped  int // removed with all games, because Postgres does not know them
}

func (r SweepReport) plus(o SweepReport) SweepReport {
	return SweepReport{
		r.Checked + o.Checked, r.Repaired + o.Repaired, r.Forced + o.Forced, r.Dropped + o.Dropped,
	}
}

// ErrSweeping reports that another process is sweeping.
var ErrSweeping = errors.New("redis: another process is sweeping")

// sourceError is an error of the source, not of Redis.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

func ofSource(err error) error { return &sourceError{err} }

const (
	// maxPasses bounds a sweep whose players are written by another process each time that they are to be
	// replaced.
	maxPasses = 5
	// maxSnapshots bounds how many players are read at once: a player has up to some hundred games of 1 kB.
	maxSnapshots = 50
)

// sweep is one Sweep, Rebuild or Patrol of one side in progress. One goroutine uses it.
type sweep struct {
	r    *Reader
	src  Source
	side schemas.Side
	// deep scans all keys, because only that finds players and games that Postgres does not know. It takes
	// longer, so it needs a reason.
	deep   bool
	only   map[int64]bool     // compares these players; nil: every one
	all    bool               // writes every player anew in the next pass
	games  map[int64][]string // by player, the game_pk of games with a key; a scan finds all
	broken map[int64]bool     // players with a key that cannot be parsed
	ignore func(finding) bool // reports what is not to be repaired now; nil: everything is
	report SweepReport        // Checked is that of the last pass
}

// finding is a player to repair.
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

// run compares and repairs until every player that had to be replaced was replaced.
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
	return errors.New("redis: a player was written by another process each time that it was to be replaced")
}

// patrol finds the broken keys of these players, and runs the sweep, if there are any players.
func (s *sweep) patrol(ctx context.Context, ids map[int64]bool) (err error) {
	if len(ids) == 0 {
		return nil
	}
	if s.broken, err = findBroken(ctx, s.r, s.side, ids, s.games); err != nil {
		return err
	}
	return s.run(ctx)
}

// compare reads Postgres, then Redis, and Postgres again if Redis is ahead.
func (s *sweep) compare(ctx context.Context) (found []finding, err error) {
	if s.deep {
		if s.games, _, err = s.r.scan(ctx, s.side); err != nil {
			return nil, err
		}
	}
	before, err := playerSeqs(ctx, s.src, s.side)
	if err != nil {
		return nil, err
	}
	ids := unionOfIDs(before, s.games)
	if s.only != nil {
		ids = slices.DeleteFunc(ids, func(id int64) bool { return !s.only[id] })
	}
	s.report.Checked = len(ids)
	stored, err := s.r.storedVersions(ctx, s.side, ids)
	if err != nil {
		return nil, err
	}
	after := before
	if slices.ContainsFunc(ids, func(id int64) bool { return stored[id].seq > before[id].Seq }) {
		if after, err = playerSeqs(ctx, s.src, s.side); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		current, known := after[id]
		kind := compareVersions(before[id], current, known, stored[id])
		// guard: a player with a broken key is written anew | kind == "" && (s.all || s.broken[id]) -> kind == "" && s.all
		if kind == "" && (s.all || s.broken[id]) {
			kind = schemas.DiffersContent
		}
		if kind != "" {
			found = append(found, finding{id, kind, stored[id].observed, stored[id].seq < before[id].Seq})
		}
	}
	return found, nil
}

func playerSeqs(ctx context.Context, src Source, side schemas.Side) (map[int64]schemas.PlayerSeq, error) {
	list, err := src.PlayerSeqs(ctx, side)
	if err != nil {
		return nil, ofSource(err)
	}
	seqs := make(map[int64]schemas.PlayerSeq, len(list))
	for _, b := range list {
		seqs[b.PlayerID] = b
	}
	return seqs, nil
}

// unionOfIDs returns the sorted ids of the players that Postgres knows and of those that have a key.
func unionOfIDs(seqs map[int64]schemas.PlayerSeq, games map[int64][]string) []int64 {
	ids := slices.AppendSeq(slices.Collect(maps.Keys(seqs)), maps.Keys(games))
	slices.Sort(ids)
	return slices.Compact(ids)
}

// repair writes players anew. again reports that one which had to be replaced was written by another process.
func (s *sweep) repair(ctx context.Context, found []finding) (again bool, err error) {
	for some := range slices.Chunk(found, maxSnapshots) {
		ids := schemas.Map(some, func(f finding) int64 { return f.id })
		snaps, err := currentStates(ctx, s.src, s.side, ids, s.games)
		if err != nil {
			return false, err
		}
		calls := make([]call, len(some))
		for i, f := range some {
			if f.kind != schemas.DiffersExtra && snaps[i].Seq == 0 {
				return false, ofSource(fmt.Errorf("the source has no snapshot of %v %d", s.side, f.id))
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
			// Any other answer of push.lua means that the repair was only fenced.
			if (f.isForced() || s.broken[f.id]) && answers[i] != foundOrder {
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
