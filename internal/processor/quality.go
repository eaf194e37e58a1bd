package processor

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/quality"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

const (
	// QualityLock is held by the one process that computes.
	QualityLock = "quality"
	// qualityMost is how many games are computed in one cycle: some 30,000 rows, a fraction of a second.
	qualityMost = 100
	// qualityWhole is how often what was missed is looked for among all rows.
	qualityWhole = time.Hour
)

// RefreshQuality computes the facts of up to so many of the games that were touched, and answers how many it did and how
// many are left. Who calls it holds the lock.
func RefreshQuality(ctx context.Context, store *pgsink.Sink, whole bool, most int) (done, left int, err error) {
	began := time.Now()
	units, err := store.QualityTouched(ctx, whole)
	if err != nil || len(units) == 0 && !whole {
		return 0, 0, err
	}
	ids, err := store.PlayerIDs(ctx)
	if err != nil {
		return 0, 0, err
	}
	var listed func(int64) bool
	if len(ids) > 0 {
		listed = func(id int64) bool { return ids[id] }
	}
	for _, u := range units[:min(len(units), most)] {
		at := time.Now()
		rows, err := store.QualityRows(ctx, u)
		if err != nil {
			return done, len(units) - done, err
		}
		arrivals, err := store.QualityArrivals(ctx, u)
		if err != nil {
			return done, len(units) - done, err
		}
		if err := store.SaveQuality(ctx, u, at, quality.WithArrivals(quality.Facts(rows, listed), schemas.Text(u.Game), arrivals)); err != nil {
			return done, len(units) - done, err
		}
		done++
	}
	if left = len(units) - done; left == 0 {
		err = store.QualityDone(ctx, began)
	}
	return done, left, err
}

// qualityKeeper computes in the background, where no other process does.
type qualityKeeper struct {
	store   *pgsink.Sink
	metrics *obs.Quality
	every   time.Duration
	log     *slog.Logger

	release func() // of the lock; nil: another has it
	whole   time.Time
	said    []string // what was beyond its limits at the last look
}

// Run works until ctx ends. Nothing that fails here stops the stream.
func (k *qualityKeeper) Run(ctx context.Context) error {
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	defer k.rest()
	for {
		if err := k.cycle(ctx); err != nil && ctx.Err() == nil {
			k.metrics.Failed()
			k.log.Warn("the quality of the data could not be computed", "error", err)
			k.rest()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (k *qualityKeeper) cycle(ctx context.Context) error {
	if k.release == nil {
		release, ok, err := k.store.TryLock(ctx, QualityLock)
		// guard: quality: one process computes | !ok -> !ok && false
		if err != nil || !ok {
			return err
		}
		k.release, k.whole = release, time.Time{}
	}
	whole := time.Since(k.whole) >= qualityWhole
	done, left, err := RefreshQuality(ctx, k.store, whole, qualityMost)
	if err != nil {
		return err
	}
	if whole && left == 0 {
		k.whole = time.Now()
	}
	facts, err := k.store.QualityFacts(ctx, "", quality.History)
	if err != nil {
		return err
	}
	report := quality.Judge(facts, "")
	k.metrics.Show(&report)
	k.tell(&report)
	k.log.Debug("quality computed", "games", done, "left", left, "abnormal", report.Abnormal)
	return nil
}

// tell logs what has come to be beyond its limits.
func (k *qualityKeeper) tell(r *schemas.QualityReport) {
	var now []string
	for _, f := range r.Findings {
		if !f.Abnormal {
			continue
		}
		name := f.Check + "/" + f.Venue + "/" + f.Item
		if now = append(now, name); !slices.Contains(k.said, name) {
			k.log.Warn("the data is beyond a limit", "check", f.Check, "venue", f.Venue, "item", f.Item, "value", f.Value,
				"baseline", f.Baseline.Pointer(), "unit", f.Unit, "day", r.Day, "games", f.Games)
		}
	}
	k.said = now
}

func (k *qualityKeeper) rest() {
	k.metrics.Rest()
	if k.release != nil {
		k.release()
		k.release = nil
	}
}
