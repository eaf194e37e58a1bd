package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"pitchstream/consumer"
	"pitchstream/features"
	"pitchstream/schemas"
)

// books are what must stand after everything in the raw topic was read.
type books struct {
	rows    []schemas.StoredRow
	batters map[int64]schemas.Stats
	games   map[features.BatterGame]schemas.Stats
	letters map[string]*kgo.Record // the failed records, by partition, offset and code
}

// expected computes the books from the raw topic with the plain models.
func (w *world) expected() books {
	w.t.Helper()
	b := books{letters: map[string]*kgo.Record{}}
	var changes []schemas.Change
	for _, r := range w.readAll(w.raw()) {
		c, rej := features.Transform(consumer.RecordOf(r), features.Limits{})
		if rej != nil {
			b.letters[fmt.Sprintf("%d/%d %s", r.Partition, r.Offset, rej.Code)] = r
			continue
		}
		changes = append(changes, c)
	}
	b.rows = features.Resolve(changes)
	b.batters, b.games = features.Fold(b.rows)
	return b
}

// requireBooks balances the raw topic against Postgres, Redis, the letters and the rows topic; lettersTimes is how often
// the topic was read with letters sent.
func (w *world) requireBooks(lettersTimes int) books {
	w.t.Helper()
	want := w.expected()
	rows, err := w.store().Rows(w.t.Context())
	require.NoError(w.t, err)
	same(w.t, "rows in Postgres", withoutWriter(want.rows), withoutWriter(rows))
	w.requireStatsViews(want)
	w.requireRedis(want)
	w.requireLetters(want, lettersTimes)
	same(w.t, "rows topic", withoutWriter(want.rows), w.publishedRows())
	return want
}

// requireStatsViews reads the views that analysts read.
func (w *world) requireStatsViews(want books) {
	w.t.Helper()
	batters, games := statsViews(w.t, w.pg)
	same(w.t, "batter_stats", want.batters, batters)
	same(w.t, "batter_game_stats", want.games, games)
}

// requireRedis reads what the app reads. Redis is written before the offsets are committed, so it is there by now.
func (w *world) requireRedis(want books) {
	w.t.Helper()
	r := w.redis()
	for id, stats := range want.batters {
		got, err := r.Batter(w.t.Context(), id)
		require.NoError(w.t, err)
		require.NotNil(w.t, got, "batter %d is not in Redis", id)
		same(w.t, fmt.Sprint("batter ", id, " in Redis"), stats, got.Stats)
	}
	for g, stats := range want.games {
		got, err := r.Game(w.t.Context(), g.BatterID, g.GamePK)
		require.NoError(w.t, err)
		require.NotNil(w.t, got, "batter %d in game %s is not in Redis", g.BatterID, g.GamePK)
		same(w.t, fmt.Sprint(g, " in Redis"), stats, got.Stats)
	}
	client := redis.NewClient(&redis.Options{Addr: w.rds})
	defer client.Close()
	keys := client.Scan(w.t.Context(), 0, w.name+":batter:*", 1000).Iterator()
	n := 0
	for keys.Next(w.t.Context()) {
		n++
	}
	require.NoError(w.t, keys.Err())
	require.Equal(w.t, len(want.batters)+len(want.games), n, "keys of batters and games in Redis")
}

func (w *world) requireLetters(want books, times int) {
	w.t.Helper()
	found := map[string]int{}
	for _, l := range w.readAll(w.dead()) {
		h := headers(l)
		require.Equal(w.t, len(h), len(l.Headers), "each header stands once")
		key := fmt.Sprintf("%s/%s %s", h["dlq.partition"], h["dlq.offset"], h["dlq.code"])
		found[key]++
		failed := want.letters[key]
		require.NotNil(w.t, failed, "letter %s (%s) of a record that should not fail", key, h["dlq.message"])
		require.Equal(w.t, failed.Value, l.Value, "value of letter %s, byte for byte", key)
		require.Equal(w.t, failed.Key, l.Key)
		require.NotEmpty(w.t, h["dlq.message"])
	}
	for key := range want.letters {
		require.Equal(w.t, times, found[key], "letters of %s", key)
	}
}

// publishedRows are the rows of the rows topic as a reader keeps them: the highest version of each pitch.
func (w *world) publishedRows() []schemas.StoredRow {
	w.t.Helper()
	type state struct {
		version schemas.Version
		row     *schemas.StoredRow
	}
	states := map[string]state{}
	for _, r := range w.readAll(w.rows()) {
		var s state
		h := headers(r)
		_, err := fmt.Sscan(h["revision"]+" "+h["record_ts_ms"]+" "+h["source_offset"]+" "+h["source_partition"],
			&s.version.Revision, &s.version.TimestampMS, &s.version.Offset, &s.version.Partition)
		require.NoError(w.t, err)
		if r.Value != nil {
			s.row = &schemas.StoredRow{}
			require.NoError(w.t, unmarshal(r.Value, s.row))
			require.Equal(w.t, s.version, s.row.Version())
		}
		if old, ok := states[string(r.Key)]; !ok || s.version.Compare(old.version) >= 0 {
			states[string(r.Key)] = s
		}
	}
	var rows []schemas.StoredRow
	for _, s := range states {
		if s.row != nil {
			rows = append(rows, *s.row)
		}
	}
	slices.SortFunc(rows, func(a, b schemas.StoredRow) int { return slices.Compare(a.PitchID[:], b.PitchID[:]) })
	return withoutWriter(rows)
}

func unmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

func withoutWriter(rows []schemas.StoredRow) []schemas.StoredRow {
	out := slices.Clone(rows)
	for i := range out {
		out[i].CoreVersion, out[i].Build, out[i].ProcessedAt = 0, "", 0
	}
	return out
}

// same compares exactly, save averages: 1e-9 relative, as their sums may be taken in any order.
func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-9), cmpopts.EquateEmpty()); d != "" {
		if len(d) > 4000 {
			d = d[:4000] + "…"
		}
		t.Fatalf("%s differ (-want +got):\n%s", what, d)
	}
}
