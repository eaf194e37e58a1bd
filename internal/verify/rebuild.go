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
	Keys redissink.SweepReport // of batters and pitchers
	// Batters and Pitchers were written, and the games of each that have rows.
	Batters, BatterGames, Pitchers, PitcherGames int64
}

// rebuildWait is how long Rebuild waits for another sweep or rebuild.
const rebuildWait = time.Minute

// Rebuild writes every key of Redis again from Postgres, and removes those of players that Postgres does not
// know. Only one sweep or rebuild runs at a time; Rebuild waits a minute for another one, then returns
// redissink.ErrSweeping. progress is called with the players that are written, and how many there are.
func Rebuild(
	ctx context.Context, postgres *pgsink.Sink, redis *redissink.Sink, progress func(done, total int64),
) (r Rebuilt, err error) {
	books := pgbooks.New(postgres.DB())
	src := &countedSource{Source: books, progress: progress}
	for _, side := range schemas.Sides {
		players, err := books.PlayerSeqs(ctx, side)
		if err != nil {
			return r, err
		}
		src.total += int64(len(players))
	}
	for until := time.Now().Add(rebuildWait); ; {
		r.Keys, err = redis.Rebuild(ctx, src)
		r.Batters, r.BatterGames = src.players[schemas.Batter], src.games[schemas.Batter]
		r.Pitchers, r.PitcherGames = src.players[schemas.Pitcher], src.games[schemas.Pitcher]
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
	progress       func(done, total int64)
	total          int64
	players, games [2]int64 // by side
}

// PlayerSnapshots returns the snapshots of the source.
func (s *countedSource) PlayerSnapshots(
	ctx context.Context, side schemas.Side, ids []int64,
) ([]schemas.Snapshot, error) {
	snaps, err := s.Source.PlayerSnapshots(ctx, side, ids)
	s.players[side] += int64(len(snaps))
	s.progress(s.players[schemas.Batter]+s.players[schemas.Pitcher], s.total)
	for _, snap := range snaps {
		for _, g := range snap.Games {
			if g.Fields() != nil {
				s.games[side]++
			}
		}
	}
	return snaps, err
}
