package pgread

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// The feed of changes keeps no new rows (schemas/migrations/0021_changes.sql). The new row of a change is the
// old row of the next change of its pitch, or the current row. All is read in one snapshot, which has the
// current rows and exactly the changes that led to them.
//
// The changes that one statement made are a block, and have the places 1, 2, 3 in it. A row of pitch_changes
// has one of them, or a list of up to 1,000 inserted pitches, whose first is at the row's place. At COMMIT
// the block gets a row of pitch_change_numbers. Its changes then have the numbers (seq) up to last_seq,
// without a gap: the change at place p has last_seq - changes + p.
//
// A feed is the stretch of numbers that one run of the server gave. A server that came back older may give
// numbers again that readers have seen with other changes, but in another feed.

// sqlFeed reads whether the server is a standby, the current feed, the number before the oldest change that
// is kept, and the newest number.
const sqlFeed = `
	SELECT pg_is_in_recovery(), (SELECT feed FROM {schema}.pitch_change_feeds ORDER BY after_seq DESC LIMIT 1),
	       coalesce((SELECT last_seq - changes FROM {schema}.pitch_change_numbers ORDER BY last_seq LIMIT 1), 0),
	       coalesce((SELECT last_seq FROM {schema}.pitch_change_numbers ORDER BY last_seq DESC LIMIT 1), 0)`

// sqlFeedEnd reads the last number of a feed: the one after which the next feed begins, NULL for the current
// feed. There is no row for a feed that is not known.
const sqlFeedEnd = `
	SELECT (SELECT min(next.after_seq) FROM {schema}.pitch_change_feeds next WHERE next.after_seq > f.after_seq)
	FROM {schema}.pitch_change_feeds f WHERE f.feed = $1`

// keptRow is the row of the view pitches for a row of pitch_registers, which {column} has as JSON. As in the
// view, a pitch has its at-bat only while the identified register still has the version that gave the at-bat.
const keptRow = `(SELECT r.*, coalesce(r.identified_pitcher_id, r.measured_pitcher_id) AS pitcher_id,
		coalesce(r.identified_team_id, r.measured_team_id) AS team_id,
		CASE WHEN has_at_bat THEN r.identified_at_bat_number END AS at_bat_number,
		CASE WHEN has_at_bat THEN r.identified_pitch_number END AS pitch_number,
		CASE WHEN has_at_bat THEN r.identified_batter_side END AS batter_side,
		CASE WHEN has_at_bat THEN r.identified_pitcher_hand END AS pitcher_hand
	FROM json_populate_record(NULL::{schema}.pitch_registers, {column}) AS r
	CROSS JOIN LATERAL (SELECT r.identified_at_bat_version = ARRAY[r.identified_revision, r.identified_record_ts_ms,
		r.identified_source_offset, r.identified_source_partition] AS has_at_bat) AS n) AS r`

// sqlChanges reads up to $2 changes after the number $1, and for each one its rows: the old one, then the new
// one (is_new). page has the changes, following the old row of the next change of their pitches, if there is
// one. A deletion has no new row.
var sqlChanges = strings.NewReplacer("{row}", "r."+strings.ReplaceAll(pg.RowColumns, ", ", ", r."),
	"{old}", strings.Replace(keptRow, "{column}", "page.old_row", 1),
	"{next}", strings.Replace(keptRow, "{column}", "following.old_row", 1),
).Replace(`
	WITH page AS MATERIALIZED (
		SELECT b.last_seq - b.changes + c.place + l.place - 1 AS seq, c.kind, b.committed_at, l.pitch_id,
			c.block, c.place, c.old_row
		FROM {schema}.pitch_change_numbers b CROSS JOIN LATERAL (
			-- Of a block of very many changes, only the rows of this page are read. The first may be a list that begins
			-- up to 999 places before it.
			SELECT * FROM {schema}.pitch_changes c
			-- guard: changes: a page of a very large change begins at its place | c.place > $1 - (b.last_seq - b.changes) - 1000 -> true
			WHERE c.block = b.block AND c.place > $1 - (b.last_seq - b.changes) - 1000
			ORDER BY c.place LIMIT $2::bigint + 1000) c
		CROSS JOIN LATERAL unnest(coalesce(c.inserted, ARRAY[c.pitch_id])) WITH ORDINALITY AS l(pitch_id, place)
		-- guard: changes: a page goes on within a list | + l.place - 1 > $1 -> + l.place - 1 > 0
		WHERE b.last_seq > $1 AND b.last_seq - b.changes + c.place + l.place - 1 > $1
		ORDER BY b.last_seq, c.place, l.place LIMIT $2
	), following AS MATERIALIZED (
		SELECT page.seq, page.kind, page.committed_at, page.pitch_id, (
			SELECT q.old_row FROM {schema}.pitch_changes q
			WHERE q.pitch_id = page.pitch_id AND q.old_row IS NOT NULL AND (q.block, q.place) > (page.block, page.place)
			ORDER BY q.block, q.place LIMIT 1) AS old_row
		FROM page WHERE page.kind <> 'deleted'
	)
	SELECT {row}, seq, kind, committed_at, false AS is_new FROM page CROSS JOIN LATERAL {old} WHERE page.old_row IS NOT NULL
	UNION ALL
	SELECT {row}, seq, kind, committed_at, true FROM following CROSS JOIN LATERAL {next} WHERE following.old_row IS NOT NULL
	UNION ALL
	SELECT {row}, seq, kind, committed_at, true FROM following JOIN {schema}.pitches r ON r.pitch_id = following.pitch_id WHERE following.old_row IS NULL
	ORDER BY seq, is_new`)

// Changes returns up to limit changes of pitches after a place; nil: none, only how far the feed is.
// The error is schemas.ErrFeedGone where the feed does not go on from there, and schemas.ErrFeedBehind where
// a standby cannot know that yet.
func (r *Reader) Changes(
	ctx context.Context, after *schemas.FeedID, limit int,
) (page schemas.FeedPage, err error) {
	err = r.db.InSnapshot(ctx, func(tx *pg.Tx) error {
		isStandby := false
		feed := []any{&isStandby, &page.Feed, &page.Oldest, &page.Newest}
		if err := pg.ScanOne(ctx, tx, feed, sqlFeed); err != nil {
			return err
		}
		if after == nil {
			return nil
		}
		if err := checkPlace(ctx, tx, *after, page, isStandby); err != nil || after.Seq == page.Newest {
			return err
		}
		b := &pgx.Batch{}
		b.Queue(sqlChanges, after.Seq, limit).Query(func(rows pgx.Rows) (err error) {
			page.Changes, err = scanChanges(rows)
			return err
		})
		return tx.Run(ctx, b)
	})
	return page, pg.Wrap("changes", err)
}

// checkPlace returns ErrFeedGone, with the reason, unless the feed goes on from a place. A standby that lags
// may lack the newest numbers and the newest feed. For those checkPlace returns ErrFeedBehind, because
// nothing is lost.
func checkPlace(
	ctx context.Context, tx *pg.Tx, after schemas.FeedID, page schemas.FeedPage, isStandby bool,
) error {
	end := page.Newest             // of the feed that the place is in
	unknown := schemas.ErrFeedGone // for a feed, or a number of it, that this server does not have
	// guard: changes: a standby that lags has lost nothing
	if isStandby {
		unknown = schemas.ErrFeedBehind
	}
	if after.Feed != "" && after.Feed != page.Feed {
		var last schemas.Opt[int64]
		err := pg.ScanOne(ctx, tx, []any{pg.Integer(&last)}, sqlFeedEnd, after.Feed)
		if errors.Is(err, pgx.ErrNoRows) {
			if after.Seq < page.Oldest {
				unknown = schemas.ErrFeedGone // too old in any feed
			}
			return fmt.Errorf("%w: this store has no feed %s", unknown, after.Feed)
		}
		if err != nil {
			return err
		}
		// Another feed has begun after this one, so a lagging standby, too, has all of it.
		end, unknown = last.Value, schemas.ErrFeedGone
	}
	switch {
	// guard: changes: a place that the store has lost is told
	case after.Seq > end:
		return fmt.Errorf("%w: the store came back without the changes behind %d", unknown, end)
	// guard: changes: a place that is not kept is told
	case after.Seq < page.Oldest:
		return fmt.Errorf("%w: only changes behind %d are kept", schemas.ErrFeedGone, page.Oldest)
	}
	return nil
}

// scanChanges joins the two rows of each change.
func scanChanges(rows pgx.Rows) (all []schemas.FeedChange, err error) {
	err = pg.Each(rows, func() error {
		var c schemas.FeedChange
		isNew := false
		row, err := pg.ScanRowWith(rows, &c.Seq, (*string)(&c.Kind), pg.Time(&c.CommittedAt), &isNew)
		if err != nil {
			return err
		}
		if n := len(all); n == 0 || all[n-1].Seq != c.Seq {
			c.PitchID = row.PitchID
			all = append(all, c)
		}
		if last := &all[len(all)-1]; isNew {
			last.New = &row
		} else {
			last.Old = &row
		}
		return nil
	})
	return all, err
}
