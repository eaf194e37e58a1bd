package pgsink

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// follower is a reader of the feed with a table of its own.
type follower struct {
	at   schemas.FeedID
	rows map[schemas.PitchID]schemas.StoredRow
}

func openReader(t *testing.T, s *Sink) *pgread.Reader {
	t.Helper()
	r, err := pgread.Open(s.DB().Config)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// read reads a page, compares each change with the table, and applies it. more is false at the end.
func (f *follower) read(t *testing.T, r *pgread.Reader, limit int) (more bool) {
	page, err := r.Changes(context.WithoutCancel(t.Context()), &f.at, limit)
	if err != nil {
		t.Error(err)
		return false
	}
	for _, c := range page.Changes {
		f.apply(t, c)
	}
	f.at.Feed = page.Feed
	return f.at.Seq < page.Newest
}

func (f *follower) apply(t *testing.T, c schemas.FeedChange) {
	have, ok := f.rows[c.PitchID]
	switch {
	case c.Seq != f.at.Seq+1:
		t.Errorf("change %d came after %d", c.Seq, f.at.Seq)
	case ok != (c.Old != nil), (c.New == nil) != (c.Kind == schemas.FeedDeleted),
		ok == (c.Kind == schemas.FeedInserted):
		t.Errorf("change %d is %s of a pitch that is there: %v", c.Seq, c.Kind, ok)
	case ok && !isSameRow(have, *c.Old):
		t.Errorf("change %d has another old row than the change before left:\n%+v\n%+v", c.Seq, have, *c.Old)
	case c.Kind == schemas.FeedReassigned && c.Old.BatterID == c.New.BatterID:
		t.Errorf("change %d has the same batter", c.Seq)
	case c.Kind == schemas.FeedCorrected && (c.Old.BatterID != c.New.BatterID || isSameRow(*c.Old, *c.New)):
		t.Errorf("change %d changes nothing, or the batter", c.Seq)
	}
	if delete(f.rows, c.PitchID); c.New != nil {
		f.rows[c.PitchID] = *c.New
	}
	f.at.Seq = c.Seq
}

// isSameRow compares rows without when and by which build they were processed.
func isSameRow(a, b schemas.StoredRow) bool {
	a.ProcessedAt, a.Build = b.ProcessedAt, b.Build
	return reflect.DeepEqual(a, b)
}

func (f *follower) requireTable(t *testing.T, s *Sink) {
	t.Helper()
	rows, err := pgbooks.New(s.DB()).Rows(t.Context())
	require.NoError(t, err)
	require.Len(t, f.rows, len(rows))
	for _, row := range rows {
		require.True(t, isSameRow(row, f.rows[row.PitchID]), "%+v\n%+v", row, f.rows[row.PitchID])
	}
}

// Four processors write the same few pitches, at once and in steps, with batches that are written twice. The
// readers stop and go on at random places.
func TestTheFeedLeadsEachReaderToTheTable(t *testing.T) {
	first := open(t)
	changes := sinktest.NewGenerator(7, 40).Changes(1200)
	var left atomic.Int32
	left.Store(4)
	g, _ := errgroup.WithContext(t.Context())
	for p := range 4 {
		g.Go(func() error {
			defer left.Add(-1)
			s := openAt(t, first.cfg.URL, "pitchstream")
			s.steps = p%2 == 0
			rnd := rand.New(rand.NewPCG(9, uint64(p)))
			for at := p * 300; at < (p+1)*300; {
				n := min(1+rnd.IntN(20), (p+1)*300-at)
				b := sinktest.BatchOf(changes[at : at+n]...)
				for range 1 + rnd.IntN(2) {
					if _, err := s.Apply(t.Context(), b); err != nil {
						return err
					}
				}
				at += n
			}
			return nil
		})
	}
	reader := openReader(t, first)
	followers := make([]follower, 8)
	var reading sync.WaitGroup
	for i := range followers {
		f := &followers[i]
		f.rows = map[schemas.PitchID]schemas.StoredRow{}
		reading.Go(func() {
			rnd := rand.New(rand.NewPCG(10, uint64(i)))
			for live := true; live && !t.Failed(); {
				live = left.Load() > 0
				for more := true; more && !t.Failed(); {
					if rnd.IntN(3) == 0 { // cut: what was kept is the id and the table
						*f = follower{f.at, maps.Clone(f.rows)}
					}
					more = f.read(t, reader, 1+rnd.IntN(30))
				}
			}
		})
	}
	reading.Wait()
	require.NoError(t, g.Wait())
	for i := range followers {
		followers[i].requireTable(t, first)
	}
}

func TestWritingABatchAgainIsNoChange(t *testing.T) {
	s := open(t)
	w := sinktest.NewGenerator(1, 5)
	b := sinktest.BatchOf(w.Upsert(0, 1), w.Upsert(1, 1), w.Identify(1, 1))
	reader := openReader(t, s)
	var newest []int64
	for range 3 {
		_, err := s.Apply(t.Context(), b)
		require.NoError(t, err)
		page, err := reader.Changes(t.Context(), nil, 1)
		require.NoError(t, err)
		newest = append(newest, page.Newest)
	}
	require.Equal(t, []int64{newest[0], newest[0], newest[0]}, newest)
	require.Positive(t, newest[0])
}

// A statement of any size is noted as lists of 1,000 pitches. A page ends and begins within a list.
//
// guard: changes: a page goes on within a list
func TestPagesOfAListAreReadInTurn(t *testing.T) {
	s := open(t)
	w := sinktest.NewGenerator(1, 5)
	_, err := s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(0, 1), w.Upsert(1, 1)))
	require.NoError(t, err)
	admin := raw(t, s)
	_, err = admin.Exec(t.Context(), `
		DO $$ DECLARE columns text := (
			SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
			WHERE attrelid = 'pitch_registers'::regclass AND attnum > 1 AND attgenerated = '' AND NOT attisdropped);
		BEGIN
			EXECUTE format('INSERT INTO pitch_registers (pitch_id, %1$s) SELECT gen_random_uuid(), %1$s
				FROM pitch_registers, generate_series(1, 1250)', columns);
		END $$`)
	require.NoError(t, err)
	var lists []int
	require.NoError(t, admin.QueryRow(t.Context(),
		`SELECT array_agg(cardinality(inserted) ORDER BY block, place) FROM pitch_changes`).Scan(&lists))
	require.Equal(t, []int{2, 1000, 1000, 500}, lists)
	f := follower{rows: map[schemas.PitchID]schemas.StoredRow{}}
	reader := openReader(t, s)
	for f.read(t, reader, 300) {
		require.False(t, t.Failed())
	}
	require.Equal(t, int64(2502), f.at.Seq)
	f.requireTable(t, s)
}

// Numbers are given at the commit. One that was rolled back, or still runs, has none.
func TestANumberIsGivenAtTheCommit(t *testing.T) {
	s := open(t)
	w := sinktest.NewGenerator(1, 5)
	reader := openReader(t, s)
	admin := raw(t, s)
	_, err := s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(0, 1)))
	require.NoError(t, err)
	slow, err := admin.Begin(t.Context())
	require.NoError(t, err)
	const touch = `UPDATE pitch_registers SET revision = revision + 1 WHERE pitch_id = $1`
	_, err = slow.Exec(t.Context(), touch, [16]byte(sinktest.PitchID(0)))
	require.NoError(t, err)
	undone, err := admin.Begin(t.Context())
	require.NoError(t, err)
	_, err = undone.Exec(t.Context(), `INSERT INTO pitch_registers (pitch_id, revision, event_time) VALUES (gen_random_uuid(), 1, now())`)
	require.NoError(t, err)
	require.NoError(t, undone.Rollback(t.Context()))
	_, err = s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(1, 1))) // waits for none of them
	require.NoError(t, err)
	require.NoError(t, slow.Commit(t.Context()))
	f := follower{rows: map[schemas.PitchID]schemas.StoredRow{}}
	require.False(t, f.read(t, reader, 100))
	require.Equal(t, int64(3), f.at.Seq)
	f.requireTable(t, s)
	_, err = admin.Exec(t.Context(), `DELETE FROM pitch_registers`) // by hand
	require.NoError(t, err)
	require.False(t, f.read(t, reader, 100))
	require.Equal(t, int64(5), f.at.Seq)
	f.requireTable(t, s)
}

// guard: changes: a store that came back without any change has another feed
func TestAStoreThatCameBackWithoutAnyChangeHasAnotherFeed(t *testing.T) {
	s := open(t)
	w := sinktest.NewGenerator(1, 50)
	reader := openReader(t, s)
	for i := range 3 {
		_, err := s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(i, 1)))
		require.NoError(t, err)
	}
	seen, err := reader.Changes(t.Context(), nil, 1)
	require.NoError(t, err)
	_, err = raw(t, s).Exec(t.Context(), `
		DELETE FROM pitch_changes; DELETE FROM pitch_change_numbers; UPDATE pitch_change_feeds SET run = 'before'`)
	require.NoError(t, err)
	for i := range 5 {
		_, err := s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(10+i, 1)))
		require.NoError(t, err)
	}
	_, err = reader.Changes(t.Context(), &schemas.FeedID{Feed: seen.Feed, Seq: seen.Newest}, 1)
	require.ErrorIs(t, err, schemas.ErrFeedGone)
}

// guard: changes: a place that is not kept is told
// guard: changes: a place that the store has lost is told
func TestAReaderWhomTheFeedCannotLeadOnIsTold(t *testing.T) {
	s := open(t)
	w := sinktest.NewGenerator(1, 50)
	apply := func(i int) {
		t.Helper()
		_, err := s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(i, 1)))
		require.NoError(t, err)
	}
	reader := openReader(t, s)
	changes := func(feed string, seq int64) (int, error) {
		page, err := reader.Changes(t.Context(), &schemas.FeedID{Feed: feed, Seq: seq}, 100)
		return len(page.Changes), err
	}
	for i := range 10 {
		apply(i)
	}
	first, err := reader.Changes(t.Context(), nil, 1)
	require.NoError(t, err)
	require.Equal(t, []int64{0, 10}, []int64{first.Oldest, first.Newest})

	// The server came back with the first six changes, as another run.
	admin := raw(t, s)
	_, err = admin.Exec(t.Context(), `
		DELETE FROM pitch_changes WHERE block IN (SELECT block FROM pitch_change_numbers WHERE last_seq > 6);
		DELETE FROM pitch_change_numbers WHERE last_seq > 6;
		UPDATE pitch_change_feeds SET run = 'before'`)
	require.NoError(t, err)
	_, err = changes(first.Feed, 10)
	require.ErrorIs(t, err, schemas.ErrFeedGone)
	for i := range 10 {
		apply(20 + i)
	}
	_, err = changes(first.Feed, 10)
	require.ErrorIs(t, err, schemas.ErrFeedGone)
	n, err := changes(first.Feed, 6)
	require.NoError(t, err, "who had seen no more than came back goes on")
	require.Equal(t, 10, n)
	_, err = changes("another", 6)
	require.ErrorIs(t, err, schemas.ErrFeedGone)
	_, err = changes("", 17)
	require.ErrorIs(t, err, schemas.ErrFeedGone)

	books := pgbooks.NewChanges(s.DB())
	gone, err := books.Forget(t.Context(), time.Hour, 1000)
	require.NoError(t, err)
	require.Zero(t, gone)
	gone, err = books.Forget(t.Context(), time.Hour, 4)
	require.NoError(t, err)
	require.Equal(t, int64(12), gone)
	_, err = changes("", 11)
	require.ErrorIs(t, err, schemas.ErrFeedGone)
	n, err = changes("", 12)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	_, err = books.Forget(t.Context(), 0, 1000)
	require.NoError(t, err)
	n, err = changes("", 15)
	require.NoError(t, err, "the newest stays")
	require.Equal(t, 1, n)
	apply(40)
	last, err := reader.Changes(t.Context(), nil, 1)
	require.NoError(t, err)
	require.Equal(t, []int64{15, 17}, []int64{last.Oldest, last.Newest})
}

// guard: changes: a page of a very large change begins at its place
func TestAPageAtTheEndOfAVeryLargeChangeReadsNoOtherPage(t *testing.T) {
	s := open(t)
	const n = 20_000
	db := raw(t, s)
	exec := func(sql string) {
		_, err := db.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec(`INSERT INTO pitch_registers (pitch_id, revision, record_ts_ms, source_topic, source_partition, source_offset,
			core_version, event_time, processed_at, issues, build, bat_samples, ball_samples, duplicate_samples,
			is_swing, is_contact, is_whiff)
		SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 0, 1, 'raw', 0, n, 1, now(), now(), '{}', 'test', 0, 0, 0,
			false, false, false
		FROM generate_series(1, 20000) AS n`)
	exec(`UPDATE pitch_registers SET venue = 'By hand'`)
	exec(`ANALYZE pitch_changes; ANALYZE pitch_change_numbers`)
	read := func(after int64) schemas.FeedPage {
		r, err := pgread.Open(s.DB().Config)
		require.NoError(t, err)
		defer r.Close() // which has Postgres count what was read
		page, err := r.Changes(t.Context(), &schemas.FeedID{Seq: after}, 100)
		require.NoError(t, err)
		return page
	}
	tuples := func() (n int64) {
		const sql = `SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
			WHERE relid = 'pitch_changes'::regclass`
		require.NoError(t, db.QueryRow(t.Context(), sql).Scan(&n))
		return n
	}
	before := tuples()
	page := read(2*n - 100)
	require.Len(t, page.Changes, 100)
	require.EqualValues(t, 2*n, page.Changes[99].Seq)
	require.EqualValues(t, "By hand", page.Changes[0].New.Venue)
	require.Eventually(t, func() bool { return tuples() > before }, 20*time.Second, 50*time.Millisecond)
	require.Less(t, tuples()-before, int64(5000), "of %d lines", n)
}

// Postgres does not replicate sequences, so a store that was moved by logical replication begins with the
// first block again.
//
// guard: changes: a sequence that came back older is moved on
func TestASequenceOfBlocksThatCameBackOlderIsMovedOn(t *testing.T) {
	s := open(t)
	w := sinktest.NewGenerator(1, 50)
	for i := range 5 {
		_, err := s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(i, 1)))
		require.NoError(t, err)
	}
	admin := raw(t, s)
	for _, restart := range []string{"1", "3"} {
		_, err := admin.Exec(t.Context(), `ALTER SEQUENCE pitch_change_blocks RESTART `+restart)
		require.NoError(t, err)
		var g errgroup.Group
		for writer := range 4 {
			var batches []schemas.Batch
			for i := range 5 {
				batches = append(batches, sinktest.BatchOf(w.Upsert(writer*5+i, 2)))
			}
			g.Go(func() error {
				for _, b := range batches {
					out, err := s.Apply(t.Context(), b)
					if err != nil {
						return err
					}
					if len(out.Refused) > 0 {
						return fmt.Errorf("refused: %v", out.Refused)
					}
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
	}
	f := follower{rows: map[schemas.PitchID]schemas.StoredRow{}}
	for reader := openReader(t, s); f.read(t, reader, 7); {
		require.False(t, t.Failed())
	}
	f.requireTable(t, s)
}

// guard: a change that cannot be noted is no record's fault
func TestAChangeThatCannotBeNotedIsNoRecordsFault(t *testing.T) {
	s := open(t)
	w := sinktest.NewGenerator(1, 50)
	good, bad := w.Upsert(0, 1), w.Upsert(1, 1)
	bad.Row.Venue = "bad"
	db := raw(t, s)
	_, err := db.Exec(t.Context(), `ALTER TABLE pitch_changes ADD CONSTRAINT none CHECK (block < 0);
		ALTER TABLE pitch_registers ADD CONSTRAINT no_bad_venue CHECK (venue <> 'bad')`)
	require.NoError(t, err)
	for _, steps := range []bool{false, true} {
		s.steps = steps
		_, err = s.Apply(t.Context(), sinktest.BatchOf(good))
		require.ErrorContains(t, err, "23514")
	}
	_, err = db.Exec(t.Context(), `ALTER TABLE pitch_changes DROP CONSTRAINT none`)
	require.NoError(t, err)
	for _, steps := range []bool{false, true} {
		s.steps = steps
		out, err := s.Apply(t.Context(), sinktest.BatchOf(good, bad))
		require.NoError(t, err)
		require.Len(t, out.Refused, 1)
		require.Len(t, out.Published, 1)
	}
}
