package redissink

import (
	"context"
	"errors"

	"github.com/pitchstream/pitchstream/schemas"
)

// Source is the truth that Redis is compared with. Postgres is one; it must be the primary, never a lagging copy.
type Source interface {
	// BatterSeqs gives every batter ever seen, by id, those without rows too.
	BatterSeqs(ctx context.Context) ([]schemas.BatterSeq, error)
	// BatterSnapshots gives the whole present state of these batters, all of one moment: every game that a batter ever
	// had a row in, those without rows now with nil Stats.
	BatterSnapshots(ctx context.Context, ids []int64) ([]schemas.Snapshot, error)
	// AppliedPositions gives the stored positions of the consumer group.
	AppliedPositions(ctx context.Context) ([]schemas.Position, error)
	// TryLock takes a lock that one process at a time can have; ok is false while another one has it.
	TryLock(ctx context.Context, name string) (release func(), ok bool, err error)
}

// SweepReport says what a sweep did, in batters.
type SweepReport struct {
	Checked int // compared
	Mended  int // written anew, of which
	Forced  int // replaced, whatever stood: Redis held what Postgres never had, or has lost
	Dropped int // removed with all games, being unknown to Postgres
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

// Sweep compares Redis with Postgres and mends it: afterwards Redis holds all that Postgres held when the sweep began,
// and applied says so. Pushes may go on meanwhile; what they write is newer and stays. It fills an empty Redis too.
//
// Between two sequence numbers of a batter in Postgres, read before and after, stands what Redis holds. What Postgres
// had before and Redis has not is missing there; what Redis has and Postgres has not afterwards, though a sequence
// number never falls, is from a past that Postgres has lost. Both are mended by writing the batter anew, the second even
// over greater sequence numbers, and only where still stands what was seen.
func (s *Sink) Sweep(ctx context.Context, src Source) (SweepReport, error) {
	return s.sweep(ctx, src, false)
}

// Rebuild is a Sweep that writes every batter anew, whatever Redis says that it holds. It finds what a sweep does not
// look at: a game's hash that somebody changed or removed.
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
	// Only among all keys can batters be found that Postgres does not know. That takes longer; it is done where there is
	// a reason to think of them.
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
		if !deep && found.foreign() {
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
