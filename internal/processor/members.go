package processor

import (
	"context"
	"log/slog"
	"time"

	"github.com/pitchstream/pitchstream/internal/memberprofile"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

const (
	// membersEvery is the interval at which counts are stored. A killed process loses those since the last time,
	// which makes shares of fewer records, and no wrong ones.
	membersEvery = 10 * time.Second
	// membersLast bounds the storing at the end.
	membersLast = 5 * time.Second
)

// MembersKeeper stores what a Counter counted. Run owns pending.
type MembersKeeper struct {
	store   *pgsink.Sink
	counter *memberprofile.Counter
	log     *slog.Logger
	pending []schemas.MemberPart // taken, and not stored yet
}

// NewMembersKeeper makes a keeper over a store that outlives it.
func NewMembersKeeper(
	store *pgsink.Sink, counter *memberprofile.Counter, log *slog.Logger,
) *MembersKeeper {
	return &MembersKeeper{store: store, counter: counter, log: log}
}

// Run stores until ctx ends, and once more then. It returns no error, because the stream must go on without
// these counts.
func (k *MembersKeeper) Run(ctx context.Context) error {
	each(ctx, membersEvery, func() { k.cycle(ctx) })
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), membersLast)
	defer cancel()
	// guard: members: the last counts of a process are stored | instead _ = last
	k.cycle(last)
	return nil
}

// cycle stores what was counted. It keeps what it cannot store, and takes nothing more until it can, because
// the counter is bounded and the keeper is not. It drops what Postgres will never store.
func (k *MembersKeeper) cycle(ctx context.Context) {
	if len(k.pending) == 0 {
		k.pending = k.counter.Take()
	}
	books := pgbooks.NewQuality(k.store.DB())
	for len(k.pending) > 0 {
		err := books.AppendMembers(ctx, k.pending[0])
		// guard: members: counts that Postgres refuses stop no others | err != nil && pgbooks.IsRefused(err) -> false
		if err != nil && pgbooks.IsRefused(err) {
			k.log.Warn("dropped counts of members, because postgres refuses them",
				"game", k.pending[0].Key.Game, "error", err)
		} else if err != nil {
			if ctx.Err() == nil {
				k.log.Warn("could not store which members records have", "error", err)
			}
			return
		}
		k.pending = k.pending[1:]
	}
}
