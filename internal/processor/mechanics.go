package processor

import (
	"context"
	"log/slog"
	"time"

	"github.com/pitchstream/pitchstream/internal/drift"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

const (
	// mechanicsLock is the lock of the one processor that looks for drift of mechanics.
	mechanicsLock = "mechanics"
	// mostPlaying bounds the players of one cycle: fifteen games have some 450 in half an hour.
	mostPlaying = 1000
)

// mechanicsKeeper shows whose mechanics have changed, in the one processor that holds mechanicsLock. It looks
// at who plays now, and again at those of whom a row was written. Run owns the fields below log.
type mechanicsKeeper struct {
	store   *pgsink.Sink
	metrics *obs.Mechanics
	every   time.Duration
	log     *slog.Logger

	lock    soleLock
	players map[schemas.PlayerKey]lookedAt
}

// lookedAt is what a player's rows said, as of the rows that he had then.
type lookedAt struct {
	rows    pgread.Playing
	changes []schemas.DriftChange
}

// Run looks until ctx ends. It returns no error, because the stream must go on without these figures.
func (k *mechanicsKeeper) Run(ctx context.Context) error {
	defer k.rest()
	each(ctx, k.every, func() {
		if err := k.cycle(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("could not look for drift of mechanics", "error", err)
			k.rest()
		}
	})
	return nil
}

// cycle looks once, when this process has or gets the lock.
func (k *mechanicsKeeper) cycle(ctx context.Context) error {
	ok, err := k.lock.take(ctx, k.store, mechanicsLock)
	// guard: drift: one process looks | !ok -> !ok && false
	if err != nil || !ok {
		return err
	}
	rows := pgread.NewMechanics(k.store.DB())
	playing, err := rows.Playing(ctx, mostPlaying)
	if err != nil {
		return err
	}
	players := make(map[schemas.PlayerKey]lookedAt, len(playing))
	var moved []obs.Moved
	for _, p := range playing {
		was, ok := k.players[p.Key]
		// guard: drift: a player is looked at again when his rows have changed | !ok || was.rows != p -> !ok
		if !ok || was.rows != p {
			pitches, err := rows.DriftPitches(ctx, p.Key, len(drift.Measures(p.Key.Side)), drift.MostPitches)
			if err != nil {
				return err
			}
			was = lookedAt{p, drift.Find(pitches, p.Key.Side).Changes}
		}
		players[p.Key] = was
		for _, c := range was.changes {
			moved = append(moved, obs.Moved{Player: p.Key, DriftChange: c})
		}
	}
	if err := k.name(ctx, rows, moved); err != nil {
		return err
	}
	k.logNew(moved)
	k.players = players
	k.metrics.Show(moved)
	return nil
}

// name sets the names of players, where the list of players has them.
func (k *mechanicsKeeper) name(ctx context.Context, rows pgread.Mechanics, moved []obs.Moved) error {
	if len(moved) == 0 {
		return nil
	}
	names, err := rows.Names(ctx, schemas.Map(moved, func(m obs.Moved) int64 { return m.Player.PlayerID }))
	for i := range moved {
		moved[i].Name = names[moved[i].Player.PlayerID]
	}
	return err
}

// logNew logs the changes that the last cycle did not see.
func (k *mechanicsKeeper) logNew(moved []obs.Moved) {
	for _, m := range moved {
		isKnown := false
		for _, c := range k.players[m.Player].changes {
			isKnown = isKnown || c.Scope == m.Scope && c.Measure == m.Measure
		}
		if !isKnown {
			k.log.Warn("a player's mechanics changed", "side", m.Player.Side.String(), "player", m.Player.PlayerID,
				"name", m.Name, "scope", m.Scope, "measure", m.Measure, "pitch_type", m.PitchType,
				"before", m.Before, "after", m.After, "standard_errors", m.Score, "since", m.Since.String(),
				"pitches", m.N)
		}
	}
}

// rest releases the lock and hides the changes.
func (k *mechanicsKeeper) rest() {
	k.metrics.Rest()
	k.players = nil
	k.lock.leave()
}
