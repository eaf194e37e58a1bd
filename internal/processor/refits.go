package processor

import (
	"context"
	"log/slog"
	"time"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// refitsEvery is the interval at which the newest refits are read.
const refitsEvery = 30 * time.Second

// refitsKeeper shows the newest refit of each model, because the command that trains has ended by the time
// that Prometheus asks.
type refitsKeeper struct {
	store   *pgsink.Sink
	metrics *obs.Refits
	log     *slog.Logger
}

// Run reads until ctx ends. It returns no error, because the stream must go on without these figures.
func (k *refitsKeeper) Run(ctx context.Context) error {
	each(ctx, refitsEvery, func() {
		if err := k.cycle(ctx); err != nil && ctx.Err() == nil {
			k.log.Debug("could not read the newest refits of models", "error", err)
		}
	})
	return nil
}

func (k *refitsKeeper) cycle(ctx context.Context) error {
	states, err := pgbooks.NewModels(k.store.DB()).RefitStates(ctx)
	if err == nil {
		k.metrics.Show(schemas.Map(states, func(s pgbooks.RefitState) obs.RefitState {
			return obs.RefitState{Model: s.Model, At: s.At.Time(), IsHeld: s.IsHeld}
		}))
	}
	return err
}
