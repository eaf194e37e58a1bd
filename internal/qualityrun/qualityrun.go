// Package qualityrun computes the figures of package quality from the rows in Postgres. It reads the reports
// of days for the processor and for the command quality.
package qualityrun

import (
	"context"
	"math"
	"time"

	"github.com/pitchstream/pitchstream/internal/quality"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// Lock names the lock in Postgres that the one computing process holds.
const Lock = "quality"

// Options say which days to judge. Dates are YYYY-MM-DD.
type Options struct {
	Postgres pgsink.Config
	Day      string // "": the newest, or the newest of Game
	Since    string // judge every day from this one up to Day; "": Day only
	Game     string // judge only this game of the day; "": all
	Stored   bool   // compute nothing: for a role that may only read
	Whole    bool   // compute from all rows, not only from those that changed
	Busy     func() // called if another process computes, so that the newest seconds may be missing
	// Beside computes although another process does: older figures never replace newer ones. It costs the
	// work twice, and nothing is missing.
	Beside bool
}

// Run computes what is new, unless o.Stored, and returns the reports of the days in their order.
func Run(ctx context.Context, o Options) ([]schemas.QualityReport, error) {
	store, err := pgsink.Reach(ctx, o.Postgres)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if !o.Stored {
		release, ok, err := pgbooks.New(store.DB()).TryLock(ctx, Lock)
		switch {
		case err != nil:
			return nil, err
		// guard: quality: who must know now computes beside a processor | && !o.Beside ->
		case !ok && !o.Beside:
			o.Busy()
		default:
			_, _, err = Refresh(ctx, store, o.Whole, math.MaxInt)
			if ok {
				release()
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return reports(ctx, pgbooks.NewQuality(store.DB()), o)
}

func reports(ctx context.Context, books pgbooks.Quality, o Options) ([]schemas.QualityReport, error) {
	if o.Day == "" && o.Game != "" {
		if day, err := books.Day(ctx, o.Game); err == nil {
			o.Day = day
		}
	}
	days := quality.History
	if first, err := time.Parse(time.DateOnly, o.Since); err == nil {
		last := time.Now()
		if o.Day != "" {
			last, _ = time.Parse(time.DateOnly, o.Day)
		}
		days += max(int(last.Sub(first).Hours()/24)+1, 0)
	}
	facts, err := books.QualityFacts(ctx, o.Day, days)
	switch {
	case err != nil:
		return nil, err
	case o.Game != "":
		return quality.JudgeGame(facts, o.Day, o.Game)
	case o.Since == "":
		return []schemas.QualityReport{quality.Judge(facts, o.Day)}, nil
	}
	var out []schemas.QualityReport
	for _, day := range quality.Days(facts) {
		if day >= o.Since {
			out = append(out, quality.Judge(facts, day))
		}
	}
	return out, nil
}

// Refresh computes the facts of at most most games whose rows changed. It returns the numbers of games
// done and left. whole searches all rows for changed games. The caller holds Lock, or the work is done twice.
func Refresh(
	ctx context.Context, store *pgsink.Sink, whole bool, most int,
) (done, left int, err error) {
	books := pgbooks.NewQuality(store.DB())
	now := store.DB().Config.Now
	began := now()
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
		at := now()
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
