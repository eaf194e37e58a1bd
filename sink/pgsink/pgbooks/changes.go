package pgbooks

import (
	"context"
	"time"

	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Changes keeps the feed of changes within its bounds. It is safe for use by several goroutines.
type Changes struct{ db *pg.DB }

// NewChanges returns the feed of a database.
func NewChanges(db *pg.DB) Changes { return Changes{db} }

// Forget deletes some of the oldest changes: those that were committed longer ago than keep, and those beyond
// the newest most. It returns how many it deleted; 0: there is nothing more to delete. The newest stay.
func (c Changes) Forget(ctx context.Context, keep time.Duration, most int64) (deleted int64, err error) {
	err = pg.ScanOne(ctx, c.db, []any{&deleted},
		`SELECT {schema}.forget_pitch_changes(make_interval(secs => $1), $2)`, keep.Seconds(), most)
	return deleted, pg.Wrap("forget changes", err)
}
