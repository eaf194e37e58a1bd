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
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

const (
	// QualityLock names the lock in Postgres that the one computing process holds.
	QualityLock = "quality"
	// qualityMost bounds the games of one cycle: some 30,000 rows, a fraction of a second.
	qualityMost = 100
	// qualityWhole is the time between two searches of all rows for games that were missed.
	qualityWhole = time.Hour
)

// RefreshQuality computes the facts of at most most games whose rows changed. It returns the numbers of games
// done and left. whole searches all rows for changed games. The caller must hold QualityLock.
func RefreshQuality(
	ctx context.Context, store *pgsink.Sink, whole bool, most int,
) (done, left int, err error) {
	books := pgbooks.NewQuality(store.DB())
	began := time.Now()
	units, err := books.Touched(ctx, whole)
	if err != nil || len(units) == 0 && !whole {
		return 0, 0, err
	}
	ids, err := pgbooks.NewPlayers(store.DB()).IDs(ctx)
	if err != nil {
		return 0, 0, err
	}
	var listed func(int64) bool
	if len(ids) > 0 {
		listed = func(id int64) bool { return ids[id] }
	}
	for _, u := range units[:min(len(units), most)] {
		at := time.Now()
		rows, err := books.Rows(ctx, u)
		if err != nil {
			return done, len(units) - done, err
		}
		arrivals, err := books.Arrivals(ctx, u)
		if err != nil {
			return done, len(units) - done, err
		}
		facts := quality.WithArrivals(quality.Facts(rows, listed), schemas.Text(u.Game), arrivals)
		if err := books.Save(ctx, u, at, facts); err != nil {
			return done, len(units) - done, err
		}
		done++
	}
	if left = len(units) - done; left == 0 {
		err = books.Done(ctx, began)
	}
	return done, left, err
}

// qualityKeeper keeps the quality figures up to date in the background, in the one processor that holds
// QualityLock. Run owns the fields below log.
type qualityKeeper struct {
	store   *pgsink.Sink
	metrics *obs.Quality
	every   time.Duration
	log     *slog.Logger

	release func()    // of the lock; nil: another process has it
	whole   time.Time // of the last search of all rows
	logged  []string  // findings that were beyond their limits in the last cycle
}

// Run computes until ctx ends. It returns no error, because the stream must go on without these figures.
func (k *qualityKeeper) Run(ctx context.Context) error {
	tick := time.NewTicker(k.every)
	defer tick.Stop()
	defer k.rest()
	for {
		if err := k.cycle(ctx); err != nil && ctx.Err() == nil {
			k.metrics.Failed()
			k.log.Warn("could not compute the quality of the data", "error", err)
			k.rest()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// cycle computes once, when this process has or gets the lock.
func (k *qualityKeeper) cycle(ctx context.Context) error {
	if k.release == nil {
		release, ok, err := pgbooks.New(k.store.DB()).TryLock(ctx, QualityLock)
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
	if k.release != nil {
		k.release()
		k.release = nil
	}
}
