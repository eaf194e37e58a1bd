package verify

import (
	"context"
	"errors"
	"time"

	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// Rebuilt says what a Rebuild wrote.
type Rebuilt struct {
	Batters redissink.SweepReport
	Games   int64 // batters in games with rows
}

// rebuildWait is how long Rebuild waits for another sweep or rebuild.
const rebuildWait = time.Minute

// Rebuild writes every key of Redis again from Postgres, and removes those of batters that Postgres does not
// know. Only one sweep or rebuild runs at a time; Rebuild waits a minute for another one, then returns
// redissink.ErrSweeping. progress is called with the batters that are written, and how many there are.
func Rebuild(
	ctx context.Context, postgres *pgsink.Sink, redis *redissink.Sink, progress func(done, total int64),
) (r Rebuilt, err error) {
	books := pgbooks.New(postgres.DB())
	batters, err := books.BatterSeqs(ctx)
	if err != nil {
		return r, err
	}
	src := &countedSource{Source: books, progress: progress, total: int64(len(batters))}
	for until := time.Now().Add(rebuildWait); ; {
		r.Batters, err = redis.Rebuild(ctx, src)
		r.Games = src.games
		if !errors.Is(err, redissink.ErrSweeping) || time.Now().After(until) {
			return r, err
		}
		if err := lifecycle.Sleep(ctx, 250*time.Millisecond); err != nil {
			return r, err
		}
	}
}

// countedSource counts what is read from Postgres.
type countedSource struct {
	redissink.Source
	progress           func(done, total int64)
	done, total, games int64
}

// BatterSnapshots returns the snapshots of the source.
func (s *countedSource) BatterSnapshots(ctx context.Context, ids []int64) ([]schemas.Snapshot, error) {
	snaps, err := s.Source.BatterSnapshots(ctx, ids)
	s.done += int64(len(snaps))
	s.progress(s.done, s.total)
	for _, snap := range snaps {
		for _, g := range snap.Games {
			if g.Stats != nil {
				s.games++
			}
		}
	}
	return snaps, err
}
