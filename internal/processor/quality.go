package processor

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/quality"
	"github.com/pitchstream/pitchstream/internal/qualityrun"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

const (
	// qualityMost bounds the games of one cycle: some 30,000 rows, a fraction of a second.
	qualityMost = 100
	// qualityWhole is the time between two searches of all rows for games that were missed.
	qualityWhole = time.Hour
)

// qualityKeeper keeps the quality figures up to date in the background, in the one processor that holds
// qualityrun.Lock. Run owns the fields below log.
type qualityKeeper struct {
	store   *pgsink.Sink
	metrics *obs.Quality
	every   time.Duration
	log     *slog.Logger

	lock   soleLock
	whole  time.Time // of the last search of all rows since this processor has the lock
	logged []string  // findings that were beyond their limits in the last cycle
}

// Run computes until ctx ends. It returns no error, because the stream must go on without these figures.
func (k *qualityKeeper) Run(ctx context.Context) error {
	defer k.rest()
	each(ctx, k.every, func() {
		if err := k.cycle(ctx); err != nil && ctx.Err() == nil {
			k.metrics.Failed()
			k.log.Warn("could not compute the quality of the data", "error", err)
			k.rest()
		}
	})
	return nil
}

// cycle computes once, when this process has or gets the lock.
func (k *qualityKeeper) cycle(ctx context.Context) error {
	ok, err := k.lock.take(ctx, k.store, qualityrun.Lock)
	// guard: quality: one process computes | !ok -> !ok && false
	if err != nil || !ok {
		return err
	}
	whole := time.Since(k.whole) >= qualityWhole
	done, left, err := qualityrun.Refresh(ctx, k.store, whole, qualityMost)
	if err != nil {
		return err
	}
	if whole && left == 0 {
		k.whole = time.Now()
	}
	facts, err := pgbooks.NewQuality(k.store.DB()).QualityFacts(ctx, "", quality.History)
	if err != nil {
		return err
	}
	report := quality.Judge(facts, "")
	k.metrics.Show(&report)
	k.logNew(&report)
	k.log.Debug("quality computed", "games", done, "left", left, "abnormal", report.Abnormal)
	return nil
}

// logNew logs the findings that are beyond their limits since this cycle.
func (k *qualityKeeper) logNew(r *schemas.QualityReport) {
	var now []string
	for _, f := range r.Findings {
		if !f.Abnormal {
			continue
		}
		name := f.Check + "/" + f.Venue + "/" + f.Item
		if now = append(now, name); !slices.Contains(k.logged, name) {
			k.log.Warn("the data is beyond a limit", "check", f.Check, "venue", f.Venue, "item", f.Item,
				"value", f.Value, "baseline", f.Baseline.Pointer(), "unit", f.Unit, "day", r.Day, "games", f.Games)
		}
	}
	k.logged = now
}

// rest releases the lock and hides the figures.
func (k *qualityKeeper) rest() {
	k.metrics.Rest()
	k.whole = time.Time{}
	k.lock.leave()
}
