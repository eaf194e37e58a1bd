package pgread

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// dateOfTimes is the date of the event times of a splitWorld.
const dateOfTimes = "2023-11-14"

// splitWorld is a Postgres with the rows of some players over three seasons.
func splitWorld(t *testing.T) (*Reader, *pgsink.Sink, []schemas.StoredRow) {
	t.Helper()
	cfg := Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2}
	store, err := pgsink.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	w := sinktest.NewGenerator(11, 1200)
	changes := w.Changes(2800)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range changes {
		r := changes[i].Row
		changes[i].EventTime += schemas.TimeMS(1000 * rnd.Int64N(400)) // some are equal
		if r == nil {
			continue
		}
		r.GameDate = schemas.Text(fmt.Sprintf("20%d-0%d-1%d", 22+rnd.IntN(3), 4+rnd.IntN(5), rnd.IntN(9)))
		switch rnd.IntN(8) {
		case 0:
			r.GameDate = ""
		case 1, 2:
			r.GameDate = dateOfTimes
		}
		if r.GamePK != "" && rnd.IntN(2) == 0 {
			r.GamePK = schemas.Text(fmt.Sprint("7164", 10+rnd.IntN(30)))
		}
		r.Strikes = schemas.Some(int16(rnd.IntN(3)))
		if rnd.IntN(9) == 0 {
			r.Strikes = schemas.Opt[int16]{}
		}
		switch rnd.IntN(5) {
		case 0:
			r.PitchType = schemas.Text(fmt.Sprintf("%cX%d", []rune("aBéZ")[rnd.IntN(4)], rnd.IntN(30)))
		default: // enough pitches of a type in a game to compare the first with the last
			r.PitchType, r.GamePK = "Slider", "716404"
		}
	}
	for i := 0; i < len(changes); i += 400 {
		_, err := store.Apply(t.Context(), sinktest.BatchOf(changes[i:i+400]...))
		require.NoError(t, err)
	}
	db, err := pg.OpenReader(cfg, "test", time.Minute) // nothing is about how long a test takes
	require.NoError(t, err)
	reader := &Reader{db}
	t.Cleanup(reader.Close)
	return reader, store, reference.Resolve(changes)
}

func same(t *testing.T, want, got any, what string) {
	t.Helper()
	d := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-9), cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(schemas.Split{}, "ProcessedAt"))
	require.Empty(t, d, what)
}

var allSplits = []schemas.SplitBy{
	schemas.SplitAll, schemas.SplitSeason, schemas.SplitMonth, schemas.SplitDate, schemas.SplitGame,
	schemas.SplitPitchType, schemas.SplitCount, schemas.SplitHand,
}

// Each group has the aggregates that the reference folds of its rows, whatever is chosen. Pages joined are
// the whole list, and the groups together are the player.
//
// guard: api: a page of splits begins behind the cursor
func TestSplitsAreTheFoldsOfTheirRows(t *testing.T) {
	r, _, rows := splitWorld(t)
	players := []int64{600_000, 600_001, 1, 5}
	times := schemas.Map(rows, func(row schemas.StoredRow) schemas.TimeMS { return row.EventTime })
	slices.Sort(times)
	some := schemas.Some[schemas.TimeMS]
	inTime := []schemas.SplitQuery{
		{}, {Since: some(times[len(times)/3])}, {Until: some(times[len(times)/2])},
		{Since: some(times[len(times)/3]), Until: some(times[2*len(times)/3])}, {Until: some(times[0])},
	}
	last := []schemas.SplitQuery{
		{}, {Last: 40, LastOf: schemas.LastPitchesOf}, {Last: 17, LastOf: schemas.LastSwingsOf},
		{Last: 100_000, LastOf: schemas.LastSwingsOf}, {Last: 3, LastOf: schemas.LastGamesOf},
	}
	groups, ends := 0, 0
	for _, side := range schemas.Sides {
		for _, by := range allSplits {
			for i, window := range inTime {
				for j, tail := range last {
					q := window
					q.Side, q.By, q.Last, q.LastOf, q.Limit = side, by, tail.Last, tail.LastOf, 1000
					q.PlayerID = players[(i+j)%len(players)]
					what := fmt.Sprintf("%v %+v", side, q)
					want := reference.Splits(rows, q)
					got, err := r.Splits(t.Context(), q)
					require.NoError(t, err, what)
					same(t, want, got, what)
					requireTotals(t, r, q, got)
					groups += len(got.Groups)
					for _, g := range got.Groups {
						require.Positive(t, g.ProcessedAt)
						if g.Pitching == nil {
							continue
						}
						for _, of := range g.Pitching.ByPitchType {
							if of.ReleaseSpeedChangeMPH.Present {
								ends++
								require.Equal(t, schemas.SplitGame, by)
							}
						}
					}
					if (i+j)%3 == 0 {
						same(t, want.Groups, pagesOf(t, r, q, 7), "pages of "+what)
					}
				}
			}
		}
	}
	require.Greater(t, groups, 2000)
	require.Positive(t, ends)
}

// pagesOf reads page by page.
func pagesOf(t *testing.T, r *Reader, q schemas.SplitQuery, limit int) (all []schemas.Split) {
	t.Helper()
	for q.Limit = limit; ; {
		page, err := r.Splits(t.Context(), q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Groups), limit)
		if all = append(all, page.Groups...); len(page.Groups) < limit {
			return all
		}
		end := page.Groups[limit-1]
		q.After = &schemas.SplitCursor{Newest: end.Newest, Key: end.Key}
	}
}

// requireTotals compares the sums of the groups of all pitches with the player's stored aggregates.
func requireTotals(t *testing.T, r *Reader, q schemas.SplitQuery, got schemas.Splits) {
	t.Helper()
	if q.Last > 0 || q.Since.Present || q.Until.Present {
		return
	}
	states, err := r.States(t.Context(), []schemas.PlayerKey{{Side: q.Side, PlayerID: q.PlayerID}})
	require.NoError(t, err)
	if states[0] == nil {
		require.Empty(t, got.Groups)
		return
	}
	if q.By == schemas.SplitAll {
		if q.Side == schemas.Batter {
			same(t, states[0].Stats, *got.Groups[0].Stats, "the player")
		} else {
			same(t, *states[0].Pitching, *got.Groups[0].Pitching, "the player")
		}
	}
	var sum, want [5]int64
	for _, g := range got.Groups {
		for i, n := range countsOf(g.Stats, g.Pitching) {
			sum[i] += n
		}
	}
	if q.Side == schemas.Batter {
		want = countsOf(&states[0].Stats, nil)
	} else {
		want = countsOf(nil, states[0].Pitching)
	}
	require.Equal(t, want, sum, "%v", q)
}

func countsOf(s *schemas.Stats, p *schemas.PitcherStats) [5]int64 {
	if s != nil {
		return [5]int64{s.Pitches, s.SwingCount, s.WhiffCount, s.ContactCount, s.HardHitCount}
	}
	return [5]int64{p.Pitches, p.SwingCount, p.WhiffCount, p.ContactCount, p.HardHitCount}
}

// Splits of the most pitches are answered. With one pitch more there are none.
//
// guard: api: splits of too many pitches are no answer
func TestSplitsHaveABoundOfPitches(t *testing.T) {
	r, store, _ := splitWorld(t)
	fill := func(from, to int) {
		_, err := store.DB().Pool.Exec(t.Context(), `
			INSERT INTO pitchstream.pitch_registers (pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time,
				core_version, build, processed_at, game_pk, game_date, measured_batter_id, measured_pitcher_id, pitch_type, is_swing, is_contact, is_whiff,
				contact_bat_speed_mph, contact_confidence, exit_velocity_mph, release_speed_mph, pitch_speed_mph, bat_samples, ball_samples, duplicate_samples, issues)
			SELECT gen_random_uuid(), 0, n, n, 0, 't', timestamptz '2015-04-01Z' + n * interval '1 minute', 2, 'b', now(), (n / 300)::text,
				date '2015-04-01' + n / 300, 7, 7, 'type ' || n % 6, n % 2 = 0, n % 4 = 0, n % 4 = 2, CASE WHEN n % 2 = 0 THEN 50 + n % 31 END,
				CASE WHEN n % 2 = 0 THEN 'reliable' END, CASE WHEN n % 4 = 0 THEN 60 + n % 50 END, 90 + n % 9, 90 + n % 9, 0, 0, 0, '{}'
			FROM generate_series($1::int, $2::int) n`, from, to)
		require.NoError(t, err)
	}
	fill(1, schemas.MaxSplitPitches)
	_, err := store.DB().Pool.Exec(t.Context(), `ANALYZE pitchstream.pitch_registers`)
	require.NoError(t, err)
	ask := func(by schemas.SplitBy, side schemas.Side, last schemas.SplitLast, n int64) schemas.Splits {
		start := time.Now()
		q := schemas.SplitQuery{Side: side, PlayerID: 7, By: by, Last: n, LastOf: last, Limit: 101}
		found, err := r.Splits(t.Context(), q)
		require.NoError(t, err)
		t.Logf("%v by %s, last %d %s: %v", side, by, n, last, time.Since(start))
		return found
	}
	for _, side := range schemas.Sides {
		for _, by := range []schemas.SplitBy{schemas.SplitAll, schemas.SplitSeason, schemas.SplitGame} {
			found := ask(by, side, "", 0)
			require.False(t, found.IsTooMuch)
			require.NotEmpty(t, found.Groups)
		}
	}
	fill(schemas.MaxSplitPitches+1, schemas.MaxSplitPitches+1)
	tooMuch := schemas.Splits{IsTooMuch: true}
	require.Equal(t, tooMuch, ask(schemas.SplitSeason, schemas.Batter, "", 0))
	require.Equal(t, tooMuch, ask(schemas.SplitAll, schemas.Pitcher, schemas.LastGamesOf, 3))
	for last, n := range map[schemas.SplitLast]int64{schemas.LastPitchesOf: 100_000, schemas.LastSwingsOf: 50} {
		found := ask(schemas.SplitAll, schemas.Batter, last, n)
		require.False(t, found.IsTooMuch)
		require.Len(t, found.Groups, 1)
	}
}
